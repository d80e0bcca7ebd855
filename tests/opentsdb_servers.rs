//! The OpenTSDB sinks and receivers that nobody here wrote: VictoriaMetrics and KairosDB. What was sent
//! is read back equal, and the receivers are killed under load.
//!
//! These tests take real time: they wait for other people's programs.
#![cfg(feature = "opentsdb")]

mod opentsdb;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headwater::metrics::opentsdb::{Resolution, Sanitize};
use headwater::metrics::{
    Delivery, Element, Metric, MetricSink, MetricsPipeline, OpenTsdbHttpSink, OpenTsdbSink,
    SinkOptions, SinkSnapshot, Tags,
};
use headwater::prelude::*;
use headwater::{Retry, Time};
use headwater_services::{Error, KairosDb, Series, VictoriaMetrics, or_skip};
use opentsdb::{Fate, SECONDS, deliver, element};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Waits for what other programs do sooner or later.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(90),
            "waited for: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Elements whose names and tags try everything.
fn hostile() -> Vec<Element> {
    let texts = [
        "plain",
        "with space",
        "line\nbreak",
        "\r\nput evil 1 1 a=b\n",
        "tab\tzero\0",
        "a=b",
        "a:b|c",
        "{curly}",
        "\"quoted\" 'too' \\",
        "größe",
        "Ж語ǅ",
        "e\u{301}\u{1f600}",
        "_x20_",
        "_x5f_x20_ ",
        "..//--",
        "\u{2028}\u{feff}",
        "%41+&?#",
    ];
    let values = [1.5, -0.25, 1e300, 3.0, -1e-300];
    let mut elements: Vec<Element> = Vec::new();
    for (n, text) in texts.into_iter().enumerate() {
        let tags = Tags::from([(text, "value")]).with("tag", text).with("n", n);
        let element = element(&format!("m.{text}"), n as i64, 1000 * n as u64).tagged(tags);
        elements.push(element);
    }
    for (n, value) in values.into_iter().enumerate() {
        let time = element("", 0, 1000 * n as u64).time();
        elements.push(Element::new("floats", value).tagged([("n", n)]).at(time));
    }
    elements
}

/// What a store that has read them all should say: name, tags, milliseconds, value.
type Rows = Vec<(String, BTreeMap<String, String>, i64, f64)>;

fn expected(elements: &[Element]) -> Rows {
    let row = |element: &Element| {
        let tags = element.tags().iter();
        let tags = tags
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .collect();
        (
            element.name().to_owned(),
            tags,
            element.millis() as i64,
            element.value().as_f64(),
        )
    };
    sorted(elements.iter().map(row).collect())
}

fn sorted(mut rows: Rows) -> Rows {
    rows.sort_by(|one, other| one.partial_cmp(other).unwrap());
    rows
}

/// With the sink's escapes undone.
fn restored(series: &[Series]) -> Rows {
    let text = |text: &String| Sanitize::restore(text).into_owned();
    let rows = series.iter().flat_map(|series| {
        let tags: BTreeMap<_, _> = series
            .tags
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        let name = text(&series.name);
        series
            .points
            .iter()
            .map(move |&(time, value)| (name.clone(), tags.clone(), time, value))
    });
    sorted(rows.collect())
}

fn exported(store: &VictoriaMetrics, points: usize) -> Result<Vec<Series>, Error> {
    let all = || Ok(store.exported()?).filter(|series: &Vec<Series>| count(series) >= points);
    until("the points in an export", || all().transpose())
}

/// `Result::filter`, if there was one.
trait Filter<T> {
    fn filter(self, keep: impl FnOnce(&T) -> bool) -> Result<Option<T>, Error>;
}

impl<T> Filter<T> for Result<T, Error> {
    fn filter(self, keep: impl FnOnce(&T) -> bool) -> Result<Option<T>, Error> {
        Ok(Some(self?).filter(keep))
    }
}

fn count(series: &[Series]) -> usize {
    series.iter().map(|series| series.points.len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victoria_metrics_has_what_telnet_brought() -> Tested {
    let Some(store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let batch = hostile();
    for sanitize in [Sanitize::escape().ascii(), Sanitize::escape()] {
        let mut sink = OpenTsdbSink::connect(store.telnet_addr().to_string()).sanitize(sanitize);
        let fate = deliver(&mut sink, &batch).await;
        assert_eq!(
            fate,
            Fate {
                delivered: batch.len(),
                attempts: 1,
                ..Fate::default()
            }
        );
    }
    // Both times: letters are escaped, and they are not. Where there are none, each point came twice.
    let series = exported(&store, 2 * batch.len())?;
    let twice = [expected(&batch), expected(&batch)].concat();
    assert_eq!(restored(&series), sorted(twice));
    assert!(series.iter().any(|series| series.name == "m.größe"));
    assert!(series.iter().any(|series| series.name == "m.gr_xf6__xdf_e"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victoria_metrics_has_what_http_brought() -> Tested {
    let Some(store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let batch: Vec<Element> = hostile()
        .into_iter()
        .enumerate()
        .map(|(n, element)| {
            element
                .clone()
                .at(element.time() + Duration::from_millis(n as u64))
        })
        .collect();
    for gzip in [false, true] {
        let mut sink = OpenTsdbHttpSink::new(store.opentsdb_http_url())?.gzip(gzip);
        let fate = deliver(&mut sink, &batch).await;
        assert_eq!(
            fate,
            Fate {
                delivered: batch.len(),
                attempts: 1,
                ..Fate::default()
            }
        );
    }
    let series = exported(&store, 2 * batch.len())?;
    assert_eq!(
        restored(&series),
        sorted([expected(&batch), expected(&batch)].concat())
    );
    Ok(())
}

/// Everything that KairosDB has of these metrics.
fn queried(store: &KairosDb, names: &[String]) -> Result<Vec<Series>, Error> {
    let metrics: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    let query = json!({ "start_absolute": 1, "metrics": metrics }).to_string();
    let answer = store
        .http()
        .post("/api/v1/datapoints/query", "application/json", query)?
        .json()?;
    let queries = answer["queries"].as_array().expect("an answer to each");
    let results = queries
        .iter()
        .flat_map(|query| query["results"].as_array().unwrap());
    let series = results.map(|result| {
        let tags = result["tags"].as_object().unwrap().iter();
        let one = |values: &Value| values[0].as_str().unwrap().to_owned();
        let values = result["values"].as_array().unwrap().iter();
        Series {
            name: result["name"].as_str().unwrap().to_owned(),
            tags: tags
                .map(|(name, values)| (name.clone(), one(values)))
                .collect(),
            points: values
                .map(|point| (point[0].as_i64().unwrap(), point[1].as_f64().unwrap()))
                .collect(),
        }
    });
    Ok(series.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kairosdb_has_what_telnet_brought() -> Tested {
    let Some(store) = or_skip(KairosDb::start()) else {
        return Ok(());
    };
    let mut batch = hostile();
    // One name each, so that a query answers tags one by one.
    for (n, element) in batch.iter_mut().enumerate() {
        let name = format!("{}.{n}", element.name());
        *element = Element::new(name, element.value())
            .tagged(element.tags().clone())
            .at(element.time());
    }
    let mut sink =
        OpenTsdbSink::connect(store.telnet_addr().to_string()).resolution(Resolution::Milliseconds);
    let fate = deliver(&mut sink, &batch).await;
    assert_eq!(
        fate,
        Fate {
            delivered: batch.len(),
            attempts: 1,
            ..Fate::default()
        }
    );
    let escape = Sanitize::escape().ascii();
    let names: Vec<String> = batch
        .iter()
        .map(|element| escape.apply(element.name()).into_owned())
        .collect();
    let all = || {
        queried(&store, &names)
            .filter(|series| count(series) >= batch.len())
            .transpose()
    };
    let series = until("the points in a query", all)?;
    assert_eq!(restored(&series), expected(&batch));
    Ok(())
}

/// A pipeline whose one sink gets values one by one, and what it has sent.
struct Load {
    metrics: MetricsPipeline,
    sent: u32,
}

/// What the receiver need not have: it refused it, or nobody knows.
fn lost(store: &SinkSnapshot) -> u64 {
    store.rejected + store.unknown
}

impl Load {
    fn new(sink: impl MetricSink) -> Load {
        let options = SinkOptions::default()
            .name("store")
            .buffer(1_000_000)
            .retry(Retry::attempts(u32::MAX).fixed(Duration::from_millis(20)));
        let metrics = MetricsPipeline::builder()
            .metric(Metric::new("load").agg("sum", Sum).batch(1))
            .sink_with(sink, options)
            .spawn()
            .unwrap();
        Load { metrics, sent: 0 }
    }

    /// Sends so many more, each at a second of its own.
    async fn send(&mut self, count: u32) {
        for _ in 0..count {
            let time = Time::ZERO + Duration::from_secs(SECONDS + u64::from(self.sent));
            let handle = &self.metrics;
            while handle.send_at("load", self.sent, (), time).is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.sent += 1;
        }
        self.metrics.flush().await.unwrap();
    }

    fn store(&self) -> SinkSnapshot {
        self.metrics.snapshot().sink("store").unwrap().clone()
    }

    /// How many are done with: delivered, rejected or out of sight.
    fn done(&self) -> u64 {
        let store = self.store();
        store.delivered + lost(&store)
    }

    /// Sends on until so many are done with.
    async fn send_until_done(&mut self, done: u64) {
        let begin = Instant::now();
        while self.done() < done {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{:?}",
                self.store()
            );
            self.send(50).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Sends on, with nobody there, until that is noticed; how many are done with then.
    async fn send_until_failing(&mut self) -> SinkSnapshot {
        let begin = Instant::now();
        while self.store().failing_since.is_none() {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{:?}",
                self.store()
            );
            self.send(50).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.store()
    }

    /// The end: everything is counted.
    async fn finish(self) -> SinkSnapshot {
        let snapshot = self
            .metrics
            .shutdown_within(Duration::from_secs(60))
            .await
            .unwrap();
        let store = snapshot.sink("store").unwrap().clone();
        assert_eq!(store.elements, u64::from(self.sent));
        assert_eq!(
            (store.given_up, store.overflow, store.held),
            (0, 0, 0),
            "{store:?}"
        );
        assert_eq!(store.delivered + lost(&store), u64::from(self.sent));
        store
    }
}

/// How often each value is there.
fn times(series: &[Series], sent: u32) -> Vec<usize> {
    let mut times = vec![0; sent as usize];
    for &(time, value) in series
        .iter()
        .filter(|series| series.name == "load.sum")
        .flat_map(|series| &series.points)
    {
        assert_eq!(
            time,
            (SECONDS as i64 + value as i64) * 1000,
            "a value at the time of another one"
        );
        times[value as usize] += 1;
    }
    times
}

/// KairosDB answers `version` when it has what came before in its queue, and brings that to the disk
/// within a second. Its store keeps one value a time, so that nothing could be seen twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kairosdb_killed_under_load_lacks_what_is_counted() -> Tested {
    let Some(mut store) = or_skip(KairosDb::start()) else {
        return Ok(());
    };
    let mut load = Load::new(OpenTsdbSink::connect(store.telnet_addr().to_string()));
    load.send_until_done(2000).await;
    let on_disk = load.done() as usize;
    store.sync()?;
    load.send(5000).await;
    store.kill()?;
    let killed = load.send_until_failing().await;
    store.restart()?;
    let before = (killed.delivered + lost(&killed)) as usize;
    load.send_until_done(before as u64 + 2000).await;
    let sent = load.sent;
    let end = load.finish().await;
    store.sync()?;
    let series = queried(&store, &["load.sum".to_owned()])?;
    // What its store makes of the last second before it was killed is its own affair, up to values at
    // the times of others.
    let judged = |n: usize| n < on_disk || n >= before;
    let second = |time: i64| (time / 1000 - SECONDS as i64) as usize;
    let points = series.iter().flat_map(|series| &series.points);
    let points: BTreeMap<usize, f64> = points.map(|&(time, value)| (second(time), value)).collect();
    assert!(
        points
            .iter()
            .all(|(&n, &value)| !judged(n) || value == n as f64)
    );
    assert!(
        (0..on_disk).all(|n| points.contains_key(&n)),
        "what was on its disk is lost"
    );
    let lacking = (before..sent as usize)
        .filter(|n| !points.contains_key(n))
        .count() as u64;
    assert!(
        lacking <= lost(&end) - lost(&killed),
        "{lacking} lack, {end:?}"
    );
    Ok(())
}

/// VictoriaMetrics keeps the last seconds in memory, so that SIGKILL costs what it has confirmed in them.
/// What it was made to bring to the disk, and what was sent to it after its restart, is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victoria_metrics_killed_under_load_has_nothing_twice_and_lacks_what_is_counted() -> Tested
{
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let sink = OpenTsdbSink::connect(store.telnet_addr().to_string());
    assert_eq!(sink.delivery(), Delivery::AtMostOnce);
    let mut load = Load::new(sink);
    for round in 1..=3 {
        let begin = load.sent as usize;
        load.send_until_done(u64::from(load.sent) + 2000).await;
        let on_disk = load.done() as usize;
        store.sync()?;
        // With batches under way.
        load.send(5000).await;
        store.kill()?;
        let killed = load.send_until_failing().await;
        store.restart()?;
        let before = (killed.delivered + lost(&killed)) as usize;
        load.send_until_done(before as u64 + 2000).await;
        until("everything delivered", || {
            (load.done() == u64::from(load.sent)).then_some(())
        });
        let now = load.store();
        let times = times(&store.exported()?, load.sent);
        assert!(
            times.iter().all(|&times| times <= 1),
            "round {round}: something is there twice"
        );
        assert!(
            !times[begin..on_disk].contains(&0),
            "round {round}: what was on its disk is lost"
        );
        let lacking = times[before..].iter().filter(|&&times| times == 0).count() as u64;
        assert!(
            lacking <= lost(&now) - lost(&killed),
            "round {round}: {lacking} lack, {now:?}"
        );
        store.sync()?;
    }
    let sent = load.sent;
    load.finish().await;
    let there = times(&store.exported()?, sent);
    assert!(there.iter().filter(|&&times| times == 1).count() > 6000);
    Ok(())
}

/// A receiver that hangs reads, when it goes on, what the sink had given up: it counts as lost, though it
/// arrives. Sent again, it would be there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victoria_metrics_stalled_under_load_has_nothing_twice() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let address = store.telnet_addr().to_string();
    let mut load = Load::new(OpenTsdbSink::connect(address).timeout(Duration::from_millis(100)));
    for _ in 0..3 {
        load.send_until_done(load.done() + 1000).await;
        load.send(2000).await;
        store.pause()?;
        load.send_until_failing().await;
        store.resume()?;
    }
    let sent = load.sent;
    let end = load.finish().await;
    // What was in its buffers when it went on is read by now, or soon.
    let times = until("everything delivered, in an export", || {
        let times = times(&store.exported().ok()?, sent);
        let lacking = times.iter().filter(|&&times| times == 0).count() as u64;
        (lacking <= lost(&end)).then_some(times)
    });
    assert!(
        times.iter().all(|&times| times <= 1),
        "something is there twice"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victoria_metrics_stopped_under_load_lacks_only_what_is_counted() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let mut load = Load::new(OpenTsdbSink::connect(store.telnet_addr().to_string()));
    for _ in 0..3 {
        load.send_until_done(load.done() + 2000).await;
        load.send(5000).await;
        // SIGTERM: what it has read is on the disk when it ends.
        store.stop()?;
        load.send_until_failing().await;
        store.restart()?;
        until("everything delivered", || {
            (load.done() == u64::from(load.sent)).then_some(())
        });
    }
    let sent = load.sent;
    let end = load.finish().await;
    let times = times(&store.exported()?, sent);
    assert!(
        times.iter().all(|&times| times <= 1),
        "something is there twice"
    );
    let lacking = times.iter().filter(|&&times| times == 0).count() as u64;
    assert!(lacking <= lost(&end), "{lacking} lack, {end:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victoria_metrics_killed_under_load_gets_everything_by_http() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let sink = OpenTsdbHttpSink::new(store.opentsdb_http_url())?;
    assert_eq!(sink.delivery(), Delivery::AtLeastOnce);
    let mut load = Load::new(sink);
    for round in 1..=3 {
        let begin = load.sent as usize;
        load.send_until_done(u64::from(load.sent) + 2000).await;
        let on_disk = load.done() as usize;
        store.sync()?;
        load.send(5000).await;
        store.kill()?;
        let killed = load.send_until_failing().await;
        store.restart()?;
        until("everything delivered", || {
            (load.done() == u64::from(load.sent)).then_some(())
        });
        let times = times(&store.exported()?, load.sent);
        assert!(
            times[killed.delivered as usize..]
                .iter()
                .all(|&times| times >= 1),
            "round {round}"
        );
        assert!(
            !times[begin..on_disk].contains(&0),
            "round {round}: what was on its disk is lost"
        );
        store.sync()?;
    }
    let end = load.finish().await;
    assert_eq!(lost(&end), 0);
    Ok(())
}
