//! The two text formats, and which is wanted.

use std::collections::BTreeMap;

use headwater::metrics::ExpositionFormat::{OpenMetrics, Text};
use headwater::metrics::{ExpositionFormat, PrometheusSink, Tags};

use super::{element, latency, read, requests, sink, take, told};

fn filled() -> PrometheusSink {
    let mut sink = told(&[requests(), latency()]);
    let home = Tags::from([("route", "/home")]).with("code", 200);
    let hostile = Tags::from([("route", "a\\b\"c\nd")]);
    let all = [
        element("http.requests.sum", 3).tagged(&home),
        element("http.requests.sum", 1).tagged(&hostile),
        element("http.requests.max", 2.5).tagged(&home),
        element("latency.p99", 0.5),
        element("latency.median", 0.25),
        element("latency.sum", 1.5),
        element("latency.count", 4),
        element("latency.mean", 0.375),
        element("http.requests.sum", 4).tagged(&home),
        element("latency.p99", 1),
        element("latency.sum", 1.25),
        element("latency.count", 2),
        element("9 lives", f64::NAN),
        element("infinite", f64::NEG_INFINITY).tagged([("overflow", true)]),
        element("infinite", f64::INFINITY),
    ];
    take(&mut sink, &all).unwrap();
    sink
}

#[test]
fn the_text_format_is_as_prometheus_documents_it() {
    let expected = r#"# TYPE _9_lives gauge
_9_lives NaN
# HELP http_requests_total Requests\nthat were "served" \\ done.
# TYPE http_requests_total counter
http_requests_total{code="200",route="/home"} 7
http_requests_total{route="a\\b\"c\nd"} 1
# HELP http_requests_max Requests\nthat were "served" \\ done. (max)
# TYPE http_requests_max gauge
http_requests_max{code="200",route="/home"} 2.5
# TYPE infinite gauge
infinite +Inf
infinite{overflow="true"} -Inf
# HELP latency_mean How long it took. (mean of values in seconds)
# TYPE latency_mean gauge
latency_mean 0.375
# HELP latency_seconds How long it took.
# TYPE latency_seconds summary
latency_seconds{quantile="0.5"} 0.25
latency_seconds{quantile="0.99"} 1
latency_seconds_sum 2.75
latency_seconds_count 6
"#;
    assert_eq!(filled().exposition().render(Text), expected);
}

#[test]
fn openmetrics_tells_units_and_when_totals_began() {
    let expected = r#"# TYPE _9_lives gauge
_9_lives NaN
# HELP http_requests Requests\nthat were \"served\" \\ done.
# TYPE http_requests counter
http_requests_total{code="200",route="/home"} 7
http_requests_created{code="200",route="/home"} 1700000000.25
http_requests_total{route="a\\b\"c\nd"} 1
http_requests_created{route="a\\b\"c\nd"} 1700000000.25
# HELP http_requests_max Requests\nthat were \"served\" \\ done. (max)
# TYPE http_requests_max gauge
http_requests_max{code="200",route="/home"} 2.5
# TYPE infinite gauge
infinite +Inf
infinite{overflow="true"} -Inf
# HELP latency_mean How long it took. (mean of values in seconds)
# TYPE latency_mean gauge
latency_mean 0.375
# HELP latency_seconds How long it took.
# TYPE latency_seconds summary
# UNIT latency_seconds seconds
latency_seconds{quantile="0.5"} 0.25
latency_seconds{quantile="0.99"} 1
latency_seconds_sum 2.75
latency_seconds_count 6
latency_seconds_created 1700000000.25
# EOF
"#;
    assert_eq!(filled().exposition().render(OpenMetrics), expected);
}

#[test]
fn a_parser_of_somebody_else_reads_both_formats() {
    let exposition = filled().exposition();
    let labelled = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        (name.to_owned(), labels.collect::<BTreeMap<_, _>>())
    };
    let both = [
        (
            labelled(
                "http_requests_total",
                &[("code", "200"), ("route", "/home")],
            ),
            7.0,
        ),
        (
            labelled("http_requests_total", &[("route", "a\\b\"c\nd")]),
            1.0,
        ),
        (
            labelled("http_requests_max", &[("code", "200"), ("route", "/home")]),
            2.5,
        ),
        (labelled("infinite", &[]), f64::INFINITY),
        (
            labelled("infinite", &[("overflow", "true")]),
            f64::NEG_INFINITY,
        ),
        (labelled("latency_mean", &[]), 0.375),
        (labelled("latency_seconds", &[("quantile", "0.5")]), 0.25),
        (labelled("latency_seconds", &[("quantile", "0.99")]), 1.0),
        (labelled("latency_seconds_sum", &[]), 2.75),
        (labelled("latency_seconds_count", &[]), 6.0),
    ];
    let created = [
        labelled(
            "http_requests_created",
            &[("code", "200"), ("route", "/home")],
        ),
        labelled("http_requests_created", &[("route", "a\\b\"c\nd")]),
        labelled("latency_seconds_created", &[]),
    ];
    for format in [Text, OpenMetrics] {
        let mut samples = read(&exposition.render(format), format).unwrap();
        // It equals nothing.
        assert!(samples.remove(&labelled("_9_lives", &[])).unwrap().is_nan());
        let mut expected = BTreeMap::from(both.clone());
        if format == OpenMetrics {
            expected.extend(created.clone().map(|sample| (sample, 1_700_000_000.25)));
        }
        assert_eq!(samples, expected);
    }
}

#[test]
fn the_format_is_what_the_accept_header_wants_most() {
    // What Prometheus 2.42 and 3 send, and what browsers send.
    let prometheus = "application/openmetrics-text;version=1.0.0,\
                      application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let third = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let cases = [
        (prometheus, OpenMetrics),
        (third, OpenMetrics),
        (browser, Text),
        ("", Text),
        ("*/*", Text),
        ("text/*", Text),
        ("text/plain", Text),
        ("application/openmetrics-text", OpenMetrics),
        (
            "Application/OpenMetrics-Text; Version=\"1.0.0\"",
            OpenMetrics,
        ),
        ("application/openmetrics-text;version=2.0.0", Text),
        (
            "application/openmetrics-text;version=0.0.1,text/plain;q=0.1",
            Text,
        ),
        ("application/openmetrics-text;q=0", Text),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Text),
        (
            "application/openmetrics-text;q=0.5, text/plain;q=0.4",
            OpenMetrics,
        ),
        ("application/openmetrics-text, */*", OpenMetrics),
        ("application/openmetrics-text;q=0, application/*", Text),
        ("application/json", Text),
        (";;=,q", Text),
        ("application/openmetrics-text;q=NaN", Text),
        ("application/openmetrics-text;q=inf, text/plain", Text),
    ];
    for (accept, format) in cases {
        assert_eq!(
            ExpositionFormat::negotiate(Some(accept)),
            format,
            "{accept}"
        );
    }
    let (content_type, body) = sink().exposition().answer(Some(prometheus));
    assert_eq!(content_type, OpenMetrics.content_type());
    assert_eq!(body, "# EOF\n");
}
