//! The sinks of KairosDB: of the metrics pipeline, and of any flow of points.

#![cfg(feature = "kairosdb")]

mod http_front;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headwater::metrics::{
    Element, Metric, MetricSink, MetricsPipeline, SinkError, SinkOptions, Tags,
};
use headwater::prelude::*;
use headwater::timeseries::Point;
use headwater::timeseries::kairosdb::{KairosDb, KairosDbSink, Query, Rejected};
use headwater::{Outcome, Retry, Time};
use headwater_services::or_skip;
use http_front::{Asked, Front, Reply};
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// Some time in 2023.
const THEN: i64 = 1_700_000_000_000;

/// What a front has stored: metric and time of each point, in order.
#[derive(Debug, Clone, Default)]
struct Stored(Arc<Mutex<Vec<(String, i64)>>>);

impl Stored {
    fn take(&self, asked: &Asked) {
        let mut stored = self.0.lock().unwrap();
        stored.extend(points_of(asked));
    }

    fn get(&self) -> Vec<(String, i64)> {
        self.0.lock().unwrap().clone()
    }

    fn times(&self) -> Vec<i64> {
        self.get().into_iter().map(|(_, millis)| millis).collect()
    }
}

fn points_of(asked: &Asked) -> Vec<(String, i64)> {
    let mut points = Vec::new();
    let json = asked.json();
    for series in json.as_array().expect("a list") {
        for pair in series["datapoints"].as_array().expect("a list") {
            let name = series["name"].as_str().expect("a name");
            points.push((name.to_owned(), pair[0].as_i64().expect("a time")));
        }
    }
    points
}

/// Stores what it is sent, unless this says something else.
async fn store(
    mut instead: impl FnMut(usize, &Asked) -> Option<Reply> + Send + 'static,
) -> (Front, Stored) {
    let stored = Stored::default();
    let keep = stored.clone();
    let front = Front::new(move |n, asked| {
        instead(n, asked).unwrap_or_else(|| {
            keep.take(asked);
            Reply::queued()
        })
    });
    (front.await, stored)
}

/// Refuses requests with a point whose metric is `bad`.
fn no_bad_ones(asked: &Asked) -> Option<Reply> {
    let bad = points_of(asked).iter().any(|(metric, _)| metric == "bad");
    bad.then(|| Reply::errors(400, &["metric[0](name=bad) is bad"]))
}

fn quick(url: &str) -> headwater::timeseries::kairosdb::KairosDbBuilder {
    let short = Duration::from_millis(1);
    KairosDb::builder(url).backoff(short, short)
}

fn element(metric: &str, millis: i64) -> Element {
    let time = Time::ZERO + Duration::from_millis(millis as u64);
    Element::new(metric, millis)
        .tagged([("host", "a")])
        .at(time)
}

fn point(metric: &str, millis: i64) -> Point {
    Point::new(metric, millis, millis).tagged([("host", "a")])
}

async fn failure(sink: &mut KairosDbSink, batch: &[Element]) -> SinkError {
    sink.deliver(batch).await.expect_err("it should fail")
}

#[tokio::test]
async fn bad_points_are_found_and_the_rest_goes_in_in_order() -> Tested {
    let (front, stored) = store(|_, asked| no_bad_ones(asked)).await;
    let rejected: Arc<Mutex<Vec<Point>>> = Arc::default();
    let told = rejected.clone();
    let mut sink = KairosDbSink::new(quick(&front.url()).max_points(40).build()?)
        .on_reject(move |one: &Rejected| told.lock().unwrap().push(one.point.clone()));
    let bad = [0, 31, 32, 77, 99];
    let name = |n: i64| if bad.contains(&n) { "bad" } else { "good" };
    let mut batch: Vec<Element> = (0..100).map(|n| element(name(n), n)).collect();
    // One that is not even sent.
    batch.push(Element::new("good", f64::NAN).tagged([("host", "a")]));
    let error = failure(&mut sink, &batch).await;
    assert_eq!((error.done_count(), error.rejected_count()), (101, 6));
    assert!(!error.can_retry());
    let text = error.to_string();
    assert!(
        text.starts_with("6 of 101 points were rejected, the first one: bad{host=a} 0 @ 0"),
        "{text}"
    );
    assert!(text.contains("metric[0](name=bad) is bad"), "{text}");
    let good: Vec<i64> = (0..100).filter(|n| !bad.contains(n)).collect();
    assert_eq!(stored.times(), good);
    let times: Vec<i64> = rejected.lock().unwrap().iter().map(Point::millis).collect();
    assert_eq!(times, [0, 31, 32, 77, 99, 0]);
    assert!(front.asked().len() < 60, "{}", front.asked().len());
    // What is all right is not an error.
    sink.deliver(&[element("good", 7)]).await?;
    Ok(())
}

#[tokio::test]
async fn a_store_that_refuses_everything_is_not_flooded() -> Tested {
    let (front, _) = store(|_, _| Some(Reply::errors(400, &["no"]))).await;
    let mut sink = KairosDbSink::new(quick(&front.url()).build()?);
    let batch: Vec<Element> = (0..1000).map(|n| element("m", n)).collect();
    let error = failure(&mut sink, &batch).await;
    assert_eq!((error.done_count(), error.rejected_count()), (1000, 1000));
    assert!(front.asked().len() <= 130, "{}", front.asked().len());
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_is_sent_in_halves() -> Tested {
    let (front, stored) =
        store(|_, asked| (asked.body.len() > 300).then(|| Reply::status(413, "too large"))).await;
    let mut sink = KairosDbSink::new(quick(&front.url()).build()?);
    let batch: Vec<Element> = (0..200).map(|n| element("m", n)).collect();
    sink.deliver(&batch).await?;
    assert_eq!(stored.times(), (0..200).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_did_not_arrive_is_delivered_again_from_there_on() -> Tested {
    let (front, stored) = store(|n, asked| match n {
        0 => None,
        1..=3 => Some(Reply::errors(503, &["down"])),
        _ => no_bad_ones(asked),
    })
    .await;
    let client = quick(&front.url()).max_points(10).build()?;
    let mut sink = KairosDbSink::new(client);
    let batch: Vec<Element> = (0..30)
        .map(|n| element(if n == 20 { "bad" } else { "m" }, n))
        .collect();
    let error = failure(&mut sink, &batch).await;
    assert_eq!((error.done_count(), error.rejected_count()), (10, 0));
    assert!(error.can_retry());
    assert!(
        error
            .to_string()
            .contains("status 503: down (tried 3 times)"),
        "{error}"
    );
    let error = failure(&mut sink, &batch[10..]).await;
    assert_eq!((error.done_count(), error.rejected_count()), (20, 1));
    let all: Vec<i64> = (0..30).filter(|&n| n != 20).collect();
    assert_eq!(stored.times(), all);
    Ok(())
}

#[tokio::test]
async fn credentials_can_be_mended_and_a_wrong_address_cannot() -> Tested {
    let (front, stored) = store(|_, asked| match asked.header("authorization") {
        Some("Bearer new") => None,
        _ => Some(Reply::status(401, "")),
    })
    .await;
    let client = quick(&front.url()).bearer("old").build()?;
    let mut sink = KairosDbSink::new(client.clone());
    let batch = [element("m", 1)];
    let error = failure(&mut sink, &batch).await;
    assert!(error.can_retry() && error.done_count() == 0, "{error}");
    client.set_bearer("new");
    sink.deliver(&batch).await?;
    assert_eq!(stored.times(), [1]);
    for status in [302, 404, 405, 501] {
        let (front, _) = store(move |_, _| Some(Reply::status(status, ""))).await;
        let error = failure(&mut KairosDbSink::new(quick(&front.url()).build()?), &batch).await;
        assert!(!error.can_retry() && error.done_count() == 0, "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn elements_without_a_tag_get_one() -> Tested {
    let (front, _) = store(|_, _| None).await;
    let mut sink = KairosDbSink::new(quick(&front.url()).build()?);
    let batch = [element("m", 1), element("m", 2).tagged(())];
    sink.deliver(&batch).await?;
    let mut named = KairosDbSink::new(quick(&front.url()).build()?).default_tag("plant", 7);
    named.deliver(&batch).await?;
    let client = quick(&front.url()).tag("uuid", "u").build()?;
    KairosDbSink::new(client).deliver(&batch).await?;
    let tags: Vec<Value> = front
        .asked()
        .iter()
        .flat_map(|asked| asked.json().as_array().cloned().unwrap())
        .map(|series| series["tags"].clone())
        .collect();
    assert_eq!(tags[0], serde_json::json!({"host": "a"}));
    assert_eq!(tags[1].as_object().map(|tags| tags.len()), Some(1));
    assert!(
        tags[1]["host"]
            .as_str()
            .is_some_and(|host| !host.is_empty())
    );
    assert_eq!(tags[3], serde_json::json!({"plant": "7"}));
    assert_eq!(tags[4], serde_json::json!({"host": "a", "uuid": "u"}));
    assert_eq!(tags[5], serde_json::json!({"uuid": "u"}));
    Ok(())
}

/// Waits until it holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "it never came about: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn outcomes(receipts: &[headwater::Receipt]) -> Vec<Option<Outcome>> {
    receipts.iter().map(headwater::Receipt::outcome).collect()
}

#[tokio::test]
async fn a_flow_of_points_is_written_in_batches_by_count_and_age() -> Tested {
    let (front, stored) = store(|_, asked| no_bad_ones(asked)).await;
    let graph = Graph::new();
    let source = graph.source::<Point>();
    let client = quick(&front.url()).build()?;
    let sink = client
        .point_sink()
        .max_batch(10)
        .max_age(Duration::from_millis(50));
    let rejected = sink
        .write(&source)
        .map(|one| one.point.millis())
        .sink_to_list();
    let driver = graph.spawn();
    let mut receipts = Vec::new();
    for n in 0..25 {
        let metric = if n == 13 { "bad" } else { "m" };
        receipts.push(source.send_tracked(point(metric, n)).await?);
    }
    // The last five by their age.
    until("all are written", || stored.times().len() == 24).await;
    let all: Vec<i64> = (0..25).filter(|&n| n != 13).collect();
    assert_eq!(stored.times(), all);
    until("all are done with", || {
        outcomes(&receipts)
            .iter()
            .all(|outcome| *outcome == Some(Ok(())))
    })
    .await;
    assert_eq!(rejected.take(), [13]);
    // What is held at the close is written.
    source.send(point("m", 25)).await?;
    graph.shutdown().await?;
    assert_eq!(stored.times().last(), Some(&25));
    drop(driver);
    Ok(())
}

#[tokio::test]
async fn points_without_a_tag_are_rejected_or_get_the_one_that_is_said() -> Tested {
    let untagged = |millis| Point::new("m", millis, 1);
    for (client_has_tags, default, sent, rejected) in [
        (false, None, None, 1),
        (false, Some("lab"), Some(json!({"source": "lab"})), 0),
        (true, Some("lab"), Some(json!({"plant": "north"})), 0),
        (true, None, Some(json!({"plant": "north"})), 0),
    ] {
        let (front, _) = store(|_, _| None).await;
        let client = match client_has_tags {
            true => quick(&front.url()).tag("plant", "north"),
            false => quick(&front.url()),
        };
        let sink = client.build()?.point_sink();
        let sink = match default {
            Some(value) => sink.default_tag("source", value),
            None => sink,
        };
        let graph = Graph::new();
        let source = graph.source::<Point>();
        let given_back = sink.write(&source).sink_to_list();
        let driver = graph.spawn();
        source.send(untagged(1)).await?;
        graph.shutdown().await?;
        driver.await?;
        assert_eq!(given_back.len(), rejected);
        let asked = front.asked();
        let bodies = asked.iter().map(|asked| asked.json()[0]["tags"].clone());
        assert_eq!(bodies.collect::<Vec<_>>(), Vec::from_iter(sent));
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_that_is_given_up_is_a_failure_and_the_next_one_is_written() -> Tested {
    let (front, stored) = store(|n, _| (n < 2).then(|| Reply::errors(500, &["broken"]))).await;
    let graph = Graph::new();
    let source = graph.source::<Point>();
    let client = quick(&front.url()).attempts(1).build()?;
    let sink = client.point_sink().max_batch(1).retry(Retry::attempts(2));
    type GivenUp = (String, Vec<Point>);
    let failures: Arc<Mutex<Vec<GivenUp>>> = Arc::default();
    let said = failures.clone();
    sink.write(&source)
        .catch(move |failure| {
            let lost = failure.element::<Arc<Vec<Point>>>().expect("its points");
            said.lock()
                .unwrap()
                .push((failure.to_string(), lost.to_vec()));
            None
        })
        .sink(drop);
    let driver = graph.spawn();
    let receipts = [
        source.send_tracked(point("m", 1)).await?,
        source.send_tracked(point("m", 2)).await?,
    ];
    until("the second one is written", || stored.times() == [2]).await;
    graph.shutdown().await?;
    assert!(
        outcomes(&receipts)[1] == Some(Ok(())),
        "{:?}",
        outcomes(&receipts)
    );
    let failures = failures.lock().unwrap().clone();
    let [(said, lost)] = &failures[..] else {
        panic!("{failures:?}")
    };
    assert!(
        said.contains("kairosdb") && said.contains("status 500: broken"),
        "{said}"
    );
    assert_eq!(lost, &[point("m", 1)]);
    drop(driver);
    Ok(())
}

/// Asks until so many points can be read.
async fn read(client: &KairosDb, metric: &str, points: usize) -> Result<Vec<Point>, Failed> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = client.query(&Query::since(0).metric(metric)).await?;
        let mut read: Vec<Point> = answer.points().collect();
        if read.len() >= points || Instant::now() > end {
            read.sort();
            return Ok(read);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_killed_under_load_and_has_everything_in_the_end() -> Tested {
    let started = tokio::task::spawn_blocking(headwater_services::KairosDb::start).await?;
    let Some(mut server) = or_skip(started) else {
        return Ok(());
    };
    let client = quick(&server.url())
        .timeout(Duration::from_secs(5))
        .build()?;
    // Both sinks at a time: a pipeline, and a flow.
    let options = SinkOptions::default()
        .name("store")
        .buffer(1_000_000)
        .retry(Retry::attempts(u32::MAX).fixed(Duration::from_millis(20)));
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("load").agg("last", Last).batch(1))
        .sink_with(KairosDbSink::new(client.clone()).max_batch(50), options)
        .spawn()?;
    let graph = Graph::new();
    let source = graph.source::<Point>();
    let sink = client
        .point_sink()
        .max_batch(50)
        .max_age(Duration::from_millis(20));
    let sink = sink.retry(Retry::attempts(u32::MAX).fixed(Duration::from_millis(20)));
    let rejected = sink.write(&source).sink_to_list();
    let driver = graph.spawn();
    let sent = Arc::new(Mutex::new(0_i64));
    let send = async |count: i64| -> Tested {
        for _ in 0..count {
            let n = {
                let mut sent = sent.lock().unwrap();
                *sent += 1;
                *sent
            };
            let millis = THEN + n;
            let time = Time::ZERO + Duration::from_millis(millis as u64);
            // A thread's buffer may be full for a moment.
            while metrics.send_at("load", n, [("host", "a")], time).is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if n <= 2_000 {
                source.send(point("flow", millis)).await?;
            }
        }
        metrics.flush().await?;
        Ok(())
    };
    let fate = || {
        metrics
            .snapshot()
            .sink("store")
            .expect("it is there")
            .clone()
    };

    send(2_000).await?;
    until("it delivers", || fate().delivered == 2_000).await;
    // What KairosDB has queued and not yet on its disk is its own loss; there is none now.
    read(&client, "load.last", 2_000).await?;
    read(&client, "flow", 2_000).await?;
    tokio::task::block_in_place(|| server.sync())?;
    tokio::task::block_in_place(|| server.kill())?;
    send(500).await?;
    until("it is seen to be down", || fate().failing_since.is_some()).await;
    for n in 0..500 {
        // Without room for all of them: these wait until the store is back.
        let (source, point) = (source.clone(), point("flow", THEN + 2_001 + n));
        tokio::spawn(async move { source.send(point).await.map_err(|_| ()) });
    }
    send(500).await?;
    tokio::task::block_in_place(|| server.restart())?;
    send(500).await?;
    until("it is back", || fate().delivered == 3_500).await;
    assert_eq!((fate().rejected, fate().given_up), (0, 0));
    let load = read(&client, "load.last", 3_500).await?;
    let values: Vec<i64> = load
        .iter()
        .filter_map(|point| point.number()?.as_i64())
        .collect();
    assert_eq!(values, (1..=3_500).collect::<Vec<_>>());
    assert!(
        load.iter()
            .all(|point| point.millis() == THEN + point.number().unwrap().as_i64().unwrap())
    );
    let flow = read(&client, "flow", 2_500).await?;
    let times: BTreeSet<i64> = flow.iter().map(Point::millis).collect();
    assert_eq!(times, (THEN + 1..=THEN + 2_500).collect());
    assert_eq!(flow[0].tags(), &Tags::from([("host", "a")]));
    assert!(rejected.take().is_empty());
    metrics.shutdown().await?;
    graph.shutdown().await?;
    drop(driver);
    Ok(())
}
