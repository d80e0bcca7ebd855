//! Names, tags and values of all kinds can be read back.

use std::collections::{BTreeMap, BTreeSet};

use headwater::metrics::ExpositionFormat::{OpenMetrics, Text};
use headwater::metrics::{Element, Tags};
use proptest::prelude::*;

use super::{element, latency, metric, name, read, requests, sink, take, told, value};

fn tags() -> impl Strategy<Value = Tags> {
    let names =
        prop_oneof![3 => "[ab_.0]{0,2}", 1 => Just("quantile".to_owned()), 1 => any::<String>()];
    let texts = prop_oneof![
        Just(String::new()),
        "[ab\\\\\"\n{}=,#]{0,4}",
        any::<String>()
    ];
    prop::collection::vec((names, texts), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_comes_can_be_read_and_no_series_is_there_twice(
        metrics in prop::collection::vec(metric(), 0..4),
        sent in prop::collection::vec((0_usize..5, 0_usize..5, name(), tags(), value()), 1..40),
    ) {
        let mut sink = told(&metrics);
        let all: Vec<Element> = sent
            .into_iter()
            .map(|(metric, output, name, tags, value)| {
                let described = metrics.get(metric).map(|metric| metric.described().unwrap());
                let name = described.map_or(name, |d| d.outputs()[output].name().to_owned());
                Element::new(name, value).tagged(tags)
            })
            .collect();
        let rejected = take(&mut sink, &all).map_or_else(|error| error.rejected_count(), |()| 0);
        let exposition = sink.exposition();
        let counts = exposition.counts();
        prop_assert_eq!(counts.taken as usize + rejected, all.len());
        prop_assert_eq!((counts.refused + counts.collided) as usize, rejected);

        for format in [Text, OpenMetrics] {
            let text = exposition.render(format);
            let samples = read(&text, format)?;
            prop_assert!(counts.series == 0 || !samples.is_empty() || counts.refused > 0);
        }
    }

    #[test]
    fn totals_are_what_was_sent_and_figures_the_last_of_it(
        sent in prop::collection::vec((0_usize..5, 0_u8..4, 0_i64..1000), 0..200),
    ) {
        let names = ["http.requests.sum", "latency.sum", "latency.count", "http.requests.max", "latency.p99"];
        let shown = [
            "http_requests_total",
            "latency_seconds_sum",
            "latency_seconds_count",
            "http_requests_max",
            "latency_seconds",
        ];
        let mut sink = told(&[requests(), latency()]);
        let (mut all, mut expected) = (Vec::new(), BTreeMap::new());
        for (at, id, value) in sent {
            all.push(element(names[at], value).tagged([("id", id)]));
            let mut labels = BTreeMap::from([("id".to_owned(), id.to_string())]);
            if at == 4 {
                labels.insert("quantile".to_owned(), "0.99".to_owned());
            }
            let known = expected.entry((shown[at].to_owned(), labels)).or_insert(0.0);
            *known = if at < 3 { *known } else { 0.0 } + value as f64;
        }
        take(&mut sink, &all).unwrap();
        let text = sink.exposition().render(Text);
        prop_assert_eq!(read(&text, Text)?, expected);
    }

    #[test]
    fn a_label_says_what_the_tag_said(texts in prop::collection::btree_set("(?s).{1,6}", 1..6)) {
        let mut sink = sink();
        let all: Vec<Element> =
            texts.iter().map(|text| element("gauge", 1).tagged([("text", text)])).collect();
        take(&mut sink, &all).unwrap();
        for format in [Text, OpenMetrics] {
            let text = sink.exposition().render(format);
            let samples = read(&text, format)?;
            let labels: BTreeSet<String> =
                samples.into_keys().map(|(_, mut labels)| labels.remove("text").unwrap()).collect();
            prop_assert_eq!(&labels, &texts);
        }
    }
}
