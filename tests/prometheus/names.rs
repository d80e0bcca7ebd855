//! Names, labels and units that clash.

use headwater::metrics::ExpositionFormat::{OpenMetrics, Text};
use headwater::metrics::{Kind, Metric, MetricSink, Tags};
use headwater::prelude::*;

use super::{element, latency, requests, take, told};

#[test]
fn labels_are_legal_and_never_twice_the_same() {
    let mut sink = told(&[latency()]);
    let hostile = Tags::from([
        ("__name__", "a"),
        ("quantile", "b"),
        ("le", "c"),
        ("é:9", ""),
    ]);
    let hostile = hostile.with("9é:", "d").with("", "e");
    let all = [
        element("latency.p99", 1).tagged(&hostile),
        element("gauge", 1).tagged([("quantile", "x")]),
    ];
    take(&mut sink, &all).unwrap();
    assert_eq!(
        sink.exposition().render(Text),
        "# TYPE gauge gauge\n\
         gauge{quantile=\"x\"} 1\n\
         # HELP latency_seconds How long it took.\n\
         # TYPE latency_seconds summary\n\
         latency_seconds{_=\"e\",_9__=\"d\",_name__=\"a\",exported_quantile=\"b\",le=\"c\",\
         quantile=\"0.99\"} 1\n"
    );
    let twice = element("gauge", 1).tagged([("a.b", "x"), ("a_b", "y")]);
    let error = take(&mut sink, &[twice]).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
    assert_eq!(
        error.to_string(),
        "the tags {a.b=x a_b=y} of \"gauge\" would give two labels \"a_b\": rename one"
    );
    assert_eq!(sink.exposition().counts().collided, 1);
}

#[test]
fn two_sets_of_tags_with_the_same_labels_are_not_mixed() {
    let mut sink = told(&[requests()]);
    let name = "http.requests.sum";
    let all = [
        element(name, 1).tagged([("code", 200)]),
        element(name, 10).tagged([("code", "200")]),
        element(name, 100),
        element(name, 1000).tagged([("empty", "")]),
        element(name, 2).tagged([("code", 200)]),
    ];
    let error = take(&mut sink, &all).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (5, 2));
    assert!(!error.can_retry());
    let exposition = sink.exposition();
    let text = exposition.render(Text);
    assert!(
        text.contains("http_requests_total{code=\"200\"} 3\n"),
        "{text}"
    );
    assert!(text.contains("http_requests_total 100\n"), "{text}");
    let counts = exposition.counts();
    assert_eq!((counts.taken, counts.collided, counts.series), (3, 2, 2));
    assert_eq!(
        exposition.problems(),
        [
            "the tags {\"code\": \"200\"} of \"http_requests\" would give the same labels as \
             {\"code\": 200}: one of the two has to change",
            "the tags {\"empty\": \"\"} of \"http_requests\" would give the same labels as {}: one of \
             the two has to change",
        ]
    );
}

#[test]
fn two_metrics_with_the_same_names_are_not_mixed() {
    let gauge = |name: &str, agg: &str| Metric::new(name).agg(agg, Last).batch(1);
    let mut sink = told(&[
        latency(),
        // Legal only as the names that others have.
        gauge("a.b", "last"),
        gauge("a_b", "last"),
        // A sample of the summary's.
        gauge("latency_seconds", "sum"),
        gauge("c", "x.y").agg("x_y", Max),
    ]);
    let all = [
        element("a.b.last", 1),
        element("a_b.last", 2),
        element("latency_seconds.sum", 3),
        element("latency.sum", 4),
        element("c.x.y", 5),
        element("c.x_y", 6),
        // Not described, and called as what is.
        element("latency_seconds_created", 7),
        element("d.e", 8),
        element("d_e", 9),
    ];
    let error = take(&mut sink, &all).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (9, 5));
    let exposition = sink.exposition();
    let text = exposition.render(Text);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        ["a_b_last 1", "c_x_y 5", "d_e 8", "latency_seconds_sum 4"]
    );
    assert_eq!(exposition.counts().collided, 5);
    assert_eq!(exposition.problems().len(), 5);
    assert_eq!(
        exposition.problems()[4],
        "what is called \"latency_seconds_created\" and not described would have samples called \
         \"latency_seconds_created\", as the metric \"latency\" has: they are rejected; give one of \
         them another name"
    );

    // Who is described later goes before who is not.
    sink.describe(&gauge("d", "e").described().unwrap());
    take(&mut sink, &[element("d.e", 10)]).unwrap();
    assert!(exposition.render(Text).contains("\nd_e 10\n"));
}

#[test]
fn a_metric_that_is_described_again_goes_on_and_another_one_of_its_name_begins_anew() {
    let mut sink = told(&[requests()]);
    let exposition = sink.exposition();
    take(&mut sink, &[element("http.requests.sum", 3)]).unwrap();
    sink.describe(&requests().described().unwrap());
    take(&mut sink, &[element("http.requests.sum", 3)]).unwrap();
    assert!(exposition.render(Text).contains("http_requests_total 6\n"));
    sink.describe(&requests().kind(Kind::Gauge).described().unwrap());
    assert_eq!(exposition.render(Text), "");
    take(&mut sink, &[element("http.requests.sum", 3)]).unwrap();
    assert!(exposition.render(Text).contains("\nhttp_requests_sum 3\n"));
    assert_eq!(exposition.counts().series, 1);
}

#[test]
fn a_unit_that_is_said_late_changes_no_total_unless_it_changes_the_name() {
    let metric = |name, unit| {
        let metric = Metric::new(name).kind(Kind::Counter).agg("sum", Sum);
        let metric = match unit {
            Some(unit) => metric.unit(unit),
            None => metric,
        };
        metric.batch(1)
    };
    let mut sink = told(&[metric("bytes", None), metric("sent", None)]);
    let elements = [element("bytes.sum", 100), element("sent.sum", 100)];
    take(&mut sink, &elements).unwrap();
    for name in ["bytes", "sent"] {
        let late = metric(name, Some("bytes"));
        sink.describe(&late.described().unwrap());
    }
    take(&mut sink, &elements).unwrap();
    let text = sink.exposition().render(OpenMetrics);
    assert!(text.contains("# UNIT bytes bytes\n"), "{text}");
    assert!(text.contains("\nbytes_total 200\n"), "{text}");
    assert!(text.contains("\nbytes_created 1700000000.25\n"), "{text}");
    assert!(text.contains("\nsent_bytes_total 100\n"), "{text}");
    // It begins when it was called so, and not with the sink.
    assert!(text.contains("\nsent_bytes_created 1"), "{text}");
    let old = "sent_bytes_created 1700000000.25\n";
    assert!(!text.contains(old), "{text}");
}
