//! What people are shown of metrics, whatever is in names, tags and errors, and what of the losses that are
//! seen last.

mod memory_sink;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, FnSink, Kind, Metric, MetricSink, MetricsPipeline, PipelineSnapshot,
    PrintSink, PrometheusSink, SendError, SinkError, SinkOptions, Tags, Value,
};
use headwater::prelude::*;
use headwater::tags;
use memory_sink::Memory;

type Tested = Result<(), Box<dyn std::error::Error>>;

const HOSTILE: &str = "a\nm.sum 7\r\u{1b}[31m";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_element_is_shown_on_one_line_whatever_is_in_it() {
    let element = Element::new("m\n", 1).tagged(tags!["route" => HOSTILE, "x\ty" => "ü z"]);
    let text = r"m\n{route=a\nm.sum 7\r\u{1b}[31m x\ty=ü z} 1";
    assert_eq!(element.to_string(), text);
    // The text itself is as it was.
    assert_eq!(element.tags().get("route"), Some(&HOSTILE.into()));
    assert_eq!(
        Tags::from_key(&element.tags().key()).as_ref(),
        Ok(element.tags())
    );
}

#[tokio::test]
async fn a_tag_with_a_newline_prints_no_line_of_its_own() -> Tested {
    let file = tempfile::NamedTempFile::new()?;
    let mut sink = PrintSink::to(file.reopen()?);
    let element = Element::new("m.sum", 1).tagged([("route", HOSTILE)]);
    sink.deliver(&[element.clone(), element]).await?;
    let text = std::fs::read_to_string(file.path())?;
    assert_eq!(text.lines().count(), 2, "{text}");
    Ok(())
}

#[test]
fn all_nans_are_one_as_the_value_of_a_tag() {
    let quiet = f64::NAN;
    let others = [-quiet, f64::from_bits(quiet.to_bits() | 1)];
    let tags = Tags::new().with("x", quiet);
    assert_eq!(Tags::from_key(&tags.key()).as_ref(), Ok(&tags));
    for other in others {
        let other = Tags::new().with("x", other);
        assert_eq!(other, tags);
        assert_eq!(Tags::from_key(&other.key()).as_ref(), Ok(&other));
    }
    assert_ne!(Tags::new().with("x", 0.0), Tags::new().with("x", -0.0));
}

#[tokio::test]
async fn a_problem_of_one_metric_hides_none_of_others() {
    let mut sink = PrometheusSink::new().max_series(1);
    let counter = Metric::new("c").kind(Kind::Counter).agg("sum", Sum);
    sink.describe(&counter.batch(1).described().unwrap());
    for n in 1..1_000 {
        let falling = Element::new("c.sum", -n);
        let error = sink.deliver(&[falling]).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("c.sum -{n} was rejected")),
            "{error}"
        );
    }
    let gauges = (1..1_000).map(|n| Element::new("gauge", n).tagged([("n", n)]));
    let error = sink.deliver(&gauges.collect::<Vec<_>>()).await.unwrap_err();
    assert_eq!(error.rejected_count(), 998);
    let problems = sink.exposition().problems();
    let has = |text: &str| problems.iter().filter(|p| p.contains(text)).count();
    assert_eq!(
        (has("only grows"), has("max_series")),
        (1, 1),
        "{problems:?}"
    );
    let counts = sink.exposition().counts();
    assert_eq!((counts.refused, counts.overflowed), (999, 998));
}

/// Where the columns of numbers end, of each row of a table.
fn columns(snapshot: &PipelineSnapshot, row: &str) -> Vec<usize> {
    let text = snapshot.to_string();
    let row = text.lines().find(|line| line.starts_with(row));
    let row: Vec<char> = row.unwrap_or_else(|| panic!("{text}")).chars().collect();
    let ends = (1..=row.len()).filter(|at| {
        let end = row.get(*at).is_none_or(|next| *next == ' ');
        end && *at > 40 && row[at - 1] != ' '
    });
    ends.collect()
}

#[tokio::test(start_paused = true)]
async fn a_snapshots_columns_stand_below_each_other_whatever_names_are_in_it() -> Tested {
    let long = "http_server_request_duration_seconds";
    let name = "a sink with a rather long name: größer";
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new(long).agg("sum", Sum).batch(1))
        .metric(
            Metric::new("m")
                .agg_values("v", |_| Err::<f64, _>("no\nnumber"))
                .batch(1),
        )
        .sink_with(Memory::default(), SinkOptions::default().name(name))
        .sink_with(
            FnSink::new(|_: &Element| Err("no\nway")),
            SinkOptions::default().name("b"),
        )
        .spawn()?;
    metrics.send(long, 1)?;
    metrics.send_tagged("m", 1, [("route", HOSTILE)])?;
    tokio::time::sleep(seconds(1)).await;
    let snapshot = metrics.snapshot();
    // "tag sets" is one column, and "given up" another.
    assert_eq!(columns(&snapshot, long), columns(&snapshot, "m  "));
    assert_eq!(columns(&snapshot, name), columns(&snapshot, "b  "));
    let text = snapshot.to_string();
    // A head and two rows twice, a line between them, and one below each of those that fail.
    assert_eq!(text.lines().count(), 9, "{text}");
    assert!(
        text.contains(r"m.v{route=a\nm.sum 7\r\u{1b}[31m}: no\nnumber"),
        "{text}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_metric_says_since_when_its_aggregators_fail() -> Tested {
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("sum", Sum)
                .agg_values("root", |values: &[Value]| {
                    match values.iter().all(|value| *value >= 0.into()) {
                        true => Ok(values[0].as_f64().sqrt()),
                        false => Err("of a negative number"),
                    }
                })
                .batch(2),
        )
        .spawn()?;
    let of = async |values: [i64; 2]| {
        for value in values {
            metrics.send("m", value).unwrap();
        }
        metrics.flush().await.unwrap();
        metrics.snapshot().metric("m").unwrap().clone()
    };
    assert_eq!(of([1, 2]).await.failing_since, None);
    let first = of([-1, 2]).await;
    assert!(first.failing_since.is_some(), "{first:?}");
    let second = of([-1, -1]).await;
    assert_eq!(second.failing_since, first.failing_since);
    assert!(
        metrics
            .snapshot()
            .to_string()
            .contains("has been failing for 0 s: m.root")
    );
    let fine = of([4, 4]).await;
    assert_eq!(
        (fine.failing_since, fine.failed, fine.elements),
        (None, 2, 6)
    );
    assert!(fine.last_failure.unwrap().contains("negative"));
    Ok(())
}

/// Never answers, and promises what it is told to.
struct Hung(Delivery);

impl MetricSink for Hung {
    fn delivery(&self) -> Delivery {
        self.0
    }

    fn max_batch(&self) -> usize {
        8
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        std::future::pending().await
    }
}

async fn with_a_hung_sink(delivery: Delivery) -> MetricsPipeline {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink(Hung(delivery))
        .spawn()
        .unwrap();
    for n in 0..100 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(seconds(1)).await;
    metrics
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_is_at_when_the_pipeline_ends_is_of_unknown_fate_if_it_delivers_at_most_once() {
    for (delivery, unknown) in [(Delivery::AtMostOnce, 8), (Delivery::AtLeastOnce, 0)] {
        let metrics = with_a_hung_sink(delivery).await;
        let report = metrics.shutdown_within(seconds(1)).await.unwrap();
        let sink = report.sink("Hung").unwrap();
        let fate = (sink.elements, sink.unknown, sink.given_up, sink.held);
        assert_eq!(fate, (100, unknown, 100 - unknown, 0), "{report}");
        // And it stays so.
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(metrics.snapshot().sinks, report.sinks);
    }
}

#[tokio::test(start_paused = true)]
async fn a_removed_sink_is_shown_until_it_has_delivered_everything() -> Tested {
    let memory = Memory::default();
    let slow = memory.clone();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink_with(
            FnSink::future_batches(move |batch| {
                let mut slow = slow.clone();
                async move {
                    tokio::time::sleep(seconds(3)).await;
                    slow.deliver(&batch).await
                }
            }),
            SinkOptions::default().name("slow"),
        )
        .spawn()?;
    metrics.send("m", 1)?;
    metrics.flush().await?;
    assert!(metrics.remove_sink("slow"));
    metrics.add_sink_with(Memory::default(), SinkOptions::default().name("slow"))?;
    let snapshot = metrics.snapshot();
    let shown: Vec<_> = snapshot.sinks.iter().map(|s| (s.removed, s.held)).collect();
    assert_eq!(shown, [(false, 0), (true, 1)], "{snapshot}");
    assert!(!snapshot.sink("slow").unwrap().removed);
    assert!(
        snapshot.to_string().contains("slow (removed) "),
        "{snapshot}"
    );
    tokio::time::sleep(seconds(4)).await;
    assert_eq!(metrics.snapshot().sinks.len(), 1);
    assert_eq!(memory.take(), ["m.sum 1"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_removed_sink_does_not_deliver_before_the_end_is_counted() {
    for limit in [None, Some(60), Some(2)] {
        let metrics = with_a_hung_sink(Delivery::AtLeastOnce).await;
        assert!(metrics.remove_sink("Hung"));
        let begin = tokio::time::Instant::now();
        let report = match limit {
            None => metrics.shutdown().await.unwrap(),
            Some(limit) => metrics.shutdown_within(seconds(limit)).await.unwrap(),
        };
        let patience = limit.unwrap_or(60).min(5);
        let took = begin.elapsed();
        assert!(took < seconds(patience + 1), "{limit:?}: {took:?}");
        let sink = report.sink("Hung").unwrap();
        let fate = (sink.removed, sink.elements, sink.given_up, sink.held);
        assert_eq!(fate, (true, 100, 100, 0), "{limit:?}: {report}");
        tokio::time::sleep(seconds(10)).await;
        assert_eq!(metrics.snapshot().sinks, report.sinks);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_hangs_goes_on_when_the_sink_it_waits_for_is_removed() -> Tested {
    let metrics = with_a_hung_sink(Delivery::AtLeastOnce).await;
    let ending = metrics.clone();
    let shutdown = tokio::spawn(async move { ending.shutdown().await });
    tokio::time::sleep(seconds(1_000)).await;
    assert!(!shutdown.is_finished());
    assert!(metrics.remove_sink("Hung"));
    let report = tokio::time::timeout(seconds(6), shutdown).await???;
    let sink = report.sink("Hung").unwrap();
    assert_eq!(
        (sink.removed, sink.given_up, sink.held),
        (true, 100, 0),
        "{report}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn sinks_that_come_and_go_leave_nothing_to_show() -> Tested {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .spawn()?;
    let all = Arc::new(Mutex::new(Vec::new()));
    for n in 0..20 {
        let seen = all.clone();
        metrics.add_sink(FnSink::new(move |element: &Element| {
            seen.lock().unwrap().push(element.value());
        }))?;
        metrics.send("m", n)?;
        metrics.flush().await?;
        assert!(metrics.remove_sink("FnSink"));
        tokio::time::sleep(seconds(1)).await;
        assert!(metrics.snapshot().sinks.is_empty());
    }
    assert!(metrics.shutdown().await?.sinks.is_empty());
    assert_eq!(
        *all.lock().unwrap(),
        (0..20).map(Value::from).collect::<Vec<_>>()
    );
    Ok(())
}

#[tokio::test]
async fn of_very_many_metrics_an_unknown_one_is_told_some() -> Tested {
    let metric = |n: usize| Metric::new(format!("m{n:03}")).agg("n", Count).batch(1);
    let builder = (0..120)
        .map(metric)
        .fold(MetricsPipeline::builder(), |b, m| b.metric(m));
    let metrics = builder.spawn()?;
    let error = metrics.send("m", 1).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("m048, m049, and 70 more"), "{text}");
    assert!(matches!(error, SendError::Unknown { known, .. } if known.len() == 120));
    Ok(())
}

#[cfg(feature = "facade")]
#[tokio::test(start_paused = true)]
async fn a_counter_that_has_counted_nothing_yet_is_shown_as_zero() -> Tested {
    use headwater::metrics::ExpositionFormat::Text;

    let pipeline = MetricsPipeline::builder().spawn()?;
    let exposition = pipeline.prometheus()?;
    let recorder = pipeline.recorder().build();
    metrics::with_local_recorder(&recorder, || metrics::counter!("failed").increment(0));
    pipeline.shutdown().await?;
    let text = exposition.render(Text);
    assert!(text.ends_with("\nfailed_total 0\n"), "{text}");
    Ok(())
}
