//! What streamz' sources of ticks, sinks into files, batches and times as text do, case by case: made of what
//! there is, as none of them is an operator of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use futures::{StreamExt, stream};
use headwater::prelude::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// case: core/test_counter
#[tokio::test(start_paused = true)]
async fn a_stream_of_ticks_is_a_periodic_source() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let ticks = stream::unfold(tokio::time::interval(ms(1)), async |mut interval| {
        interval.tick().await;
        Some(((), interval))
    });
    let list = graph
        .from_stream(ticks.enumerate().map(|(n, ())| n))
        .sink_to_list();
    tokio::time::sleep(Duration::from_micros(50_500)).await;
    assert_eq!(list.take(), (0..=50).collect::<Vec<_>>());
    list.branch().disconnect();
    tokio::time::sleep(ms(50)).await;
    assert!(list.is_empty());
    drop(driver);
}

// case: core/test_sink_to_file
#[test]
fn lines_are_written_into_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lines");
    let mut file = std::fs::File::create(&path).unwrap();
    let source = Source::<&str>::new();
    source
        .try_sink(move |line| Ok(writeln!(file, "{line}")?))
        .named("lines");
    source.emit("a").unwrap();
    source.emit("b").unwrap();
    source.close();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
}

// case: doc/to_batch
#[test]
fn a_flow_of_batches_is_one_of_lists() {
    type Row = BTreeMap<&'static str, i64>;
    let rows = |values: [i64; 3]| values.map(|value| Row::from([("value", value)])).to_vec();
    let source = Source::<Vec<Row>>::new();
    let sums = source
        .map(|rows| rows.iter().map(|row| row["value"] + 1).sum())
        .accumulate(0, |sum: i64, of_batch: i64| sum + of_batch)
        .sink_to_list();
    source.emit(rows([1, 2, 3])).unwrap();
    source.emit(rows([4, 5, 6])).unwrap();
    assert_eq!(sums.take(), [9, 27]);
}

// case: core/test_timed_window_timedelta
// Durations are typed; text is read where a configuration is.
#[test]
fn a_time_that_was_read_from_text_is_a_duration_like_any_other() {
    let interval = humantime::parse_duration("10ms").unwrap();
    assert_eq!(interval, ms(10));
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let windows = source.timed_window(interval).sink_to_list();
    let delayed = source.delay(interval).sink_to_list();
    let limited = source.rate_limit(interval).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    time.advance(ms(9));
    assert!(windows.is_empty() && delayed.is_empty());
    assert_eq!(limited.take(), [1]);
    time.advance(ms(1));
    assert_eq!(windows.take(), [[1, 2]]);
    assert_eq!(delayed.take(), [1, 2]);
    assert_eq!(limited.take(), [2]);
}
