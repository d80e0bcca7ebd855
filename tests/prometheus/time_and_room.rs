//! Staleness, and how much is kept.

use std::time::Duration;

use headwater::metrics::ExpositionFormat::{OpenMetrics, Text};
use headwater::metrics::{Element, MetricSink, PrometheusSink, Tags};

use super::{element, latency, requests, told};

#[tokio::test(start_paused = true)]
async fn figures_go_stale_and_totals_stay() {
    let mut sink = told(&[requests(), latency()]);
    let exposition = sink.exposition();
    let home = Tags::from([("route", "/home")]);
    let all = [
        element("http.requests.sum", 3),
        element("http.requests.max", 3),
        element("latency.p99", 1),
        element("latency.count", 1),
        element("latency.p99", 1).tagged(&home),
        element("nobody's", 1),
    ];
    sink.deliver(&all).await.unwrap();
    let samples = || {
        let text = exposition.render(Text);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect::<Vec<_>>()
    };
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(samples().len(), 6);
    sink.deliver(&[element("http.requests.max", 4)])
        .await
        .unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let left = [
        "http_requests_total 3",
        "http_requests_max 4",
        "latency_seconds_count 1",
    ];
    assert_eq!(samples(), left);
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(
        samples(),
        ["http_requests_total 3", "latency_seconds_count 1"]
    );
    // A day later it goes on where it stood.
    tokio::time::advance(Duration::from_secs(86_400)).await;
    sink.deliver(&[element("http.requests.sum", 1)])
        .await
        .unwrap();
    assert_eq!(
        samples(),
        ["http_requests_total 4", "latency_seconds_count 1"]
    );
    assert_eq!(exposition.counts().forgotten, 0);
    // The name of what went away is free again.
    sink.deliver(&[element("nobody_s", 2)]).await.unwrap();
    assert_eq!(samples()[2], "nobody_s 2");
}

#[tokio::test(start_paused = true)]
async fn totals_are_forgotten_where_that_is_wanted_and_begin_later_then() {
    let mut sink = told(&[requests()])
        .stale_after(Duration::from_secs(60))
        .forget_totals_after(Duration::from_secs(600));
    let exposition = sink.exposition();
    let name = "http.requests.sum";
    sink.deliver(&[element(name, 3)]).await.unwrap();
    tokio::time::advance(Duration::from_secs(599)).await;
    assert!(
        exposition
            .render(OpenMetrics)
            .contains("_created 1700000000.25\n")
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(exposition.render(Text), "");
    assert_eq!(exposition.counts().forgotten, 1);
    sink.deliver(&[element(name, 1)]).await.unwrap();
    let text = exposition.render(OpenMetrics);
    assert!(text.contains("http_requests_total 1\n"), "{text}");
    let created = text.lines().find(|line| line.contains("_created"));
    let created: f64 = created
        .unwrap()
        .rsplit_once(' ')
        .unwrap()
        .1
        .parse()
        .unwrap();
    assert!(created > 1_700_000_000.25);
}

#[tokio::test(start_paused = true)]
async fn memory_is_given_back_when_nobody_scrapes() {
    let mut sink = PrometheusSink::new().stale_after(Duration::from_secs(60));
    let exposition = sink.exposition();
    for minute in 0..10 {
        let one = |n: i32| element("gauge", n).tagged([("id", minute * 100 + n)]);
        let batch: Vec<Element> = (0..100).map(one).collect();
        sink.deliver(&batch).await.unwrap();
        assert!(exposition.counts().series <= 200);
        tokio::time::advance(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_totals_are_added_up_together_and_figures_rejected() {
    let mut sink = told(&[requests()]).max_series(10);
    let exposition = sink.exposition();
    let hit = |id: i32| element("http.requests.sum", 1).tagged([("id", id)]);
    let hits: Vec<Element> = (0..100).map(hit).collect();
    sink.deliver(&hits).await.unwrap();
    let counts = exposition.counts();
    assert_eq!(
        (counts.series, counts.overflowed, counts.taken),
        (11, 90, 100)
    );
    let text = exposition.render(Text);
    assert!(
        text.contains("http_requests_total{overflow=\"true\"} 90\n"),
        "{text}"
    );
    let error = sink.deliver(&[element("figure", 1)]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are 10 series, and no room for figure 1"
    );
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
    assert_eq!(exposition.counts().overflowed, 91);

    // What was idle for longest makes room. The first four, and the overflow, are not.
    tokio::time::advance(Duration::from_secs(200)).await;
    sink.deliver(&hits[..4]).await.unwrap();
    sink.deliver(&hits[50..51]).await.unwrap();
    tokio::time::advance(Duration::from_secs(100)).await;
    sink.deliver(&[hit(200), hit(201)]).await.unwrap();
    let counts = exposition.counts();
    assert_eq!(counts.forgotten, 2);
    let text = exposition.render(Text);
    for (id, total) in [(0, 2), (3, 2), (200, 1)] {
        let sample = format!("http_requests_total{{id=\"{id}\"}} {total}\n");
        assert!(text.contains(&sample), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn totals_make_room_however_often_somebody_scrapes() {
    let mut sink = told(&[requests()]).max_series(4);
    let exposition = sink.exposition();
    let hit = |id: i32| element("http.requests.sum", 1).tagged([("id", id)]);
    sink.deliver(&[hit(0), hit(1), hit(2), hit(3)])
        .await
        .unwrap();
    // Four times a second, and between two scrapes somebody asks for room.
    for second in 0..301 {
        for _ in 0..4 {
            tokio::time::advance(Duration::from_millis(250)).await;
            let _ = exposition.render(Text);
        }
        if second % 100 == 0 {
            sink.deliver(&[hit(0)]).await.unwrap();
        }
    }
    sink.deliver(&[hit(4)]).await.unwrap();
    let text = exposition.render(Text);
    assert!(text.contains("http_requests_total{id=\"4\"} 1\n"), "{text}");
    assert!(text.contains("http_requests_total{id=\"0\"} 5\n"), "{text}");
    assert_eq!(exposition.counts().forgotten, 1);
}

#[tokio::test]
async fn a_flood_of_names_and_tags_stays_within_the_bound() {
    let mut sink = PrometheusSink::new().max_series(100);
    for n in 0..10_000 {
        let _ = sink
            .deliver(&[element(&format!("name{n}"), 1).tagged([("n", n)])])
            .await;
    }
    let counts = sink.exposition().counts();
    assert_eq!((counts.series, counts.overflowed), (100, 9_900));
    assert!(sink.exposition().problems().len() <= 100);
}
