//! Metrics as lines of JSON: what is in them, and what a crash or a full disk does to a file.

#![cfg(feature = "json")]

mod writers;

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::time::{Duration, SystemTime};

use headwater::metrics::{
    Delivery, Element, JsonLinesSink, JsonTime, Metric, MetricSink, MetricsPipeline, NonFinite,
    Tags, Tail,
};
use headwater::prelude::*;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use writers::{Narrow, deliver};

/// 2023-11-14T22:13:20 and half a second.
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500)
}

fn elements(n: i64) -> Vec<Element> {
    (0..n)
        .map(|n| Element::new("m.sum", n).at(then()))
        .collect()
}

fn line(n: i64) -> String {
    format!("{{\"name\":\"m.sum\",\"value\":{n},\"tags\":{{}},\"time\":1700000000500}}\n")
}

/// How long such a line is.
const LINE: usize = 58;

fn block_on<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// What is written of elements, a value a line.
fn written(
    elements: &[Element],
    change: impl FnOnce(JsonLinesSink<Narrow>) -> JsonLinesSink<Narrow>,
) -> Vec<String> {
    let out = Narrow::new(1 << 20);
    out.more_room(1 << 20);
    let mut sink = change(JsonLinesSink::to(out.clone()));
    block_on(sink.deliver(elements)).unwrap();
    out.text().lines().map(str::to_owned).collect()
}

#[test]
fn tags_and_values_keep_their_types() {
    let tags = Tags::from([("text", "1")])
        .with("int", 1)
        .with("float", 1.0);
    let tags = tags
        .with("truth", true)
        .with("hostile \"\n", "a\\\"\u{0}\n\u{2028}ü");
    let all = [
        Element::new("a", 3).tagged(&tags).at(then()),
        Element::new("b", 3.0),
        Element::new("c", 1e300),
        Element::new("d", i64::MIN),
        Element::new("e", 5e-324),
    ];
    let lines = written(&all, |sink| sink);
    assert_eq!(
        lines[0],
        r#"{"name":"a","value":3,"tags":{"float":1.0,"hostile \"\n":"a\\\"\u0000\n"#.to_owned()
            + "\u{2028}ü"
            + r#"","int":1,"text":"1","truth":true},"time":1700000000500}"#
    );
    let values: Vec<Json> = lines[1..]
        .iter()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["value"].clone())
        .collect();
    assert_eq!(
        values,
        [json!(3.0), json!(1e300), json!(i64::MIN), json!(5e-324)]
    );
    assert!(lines[1].contains(r#""value":3.0,"#));
}

#[test]
fn times_and_what_json_has_no_number_for_are_written_as_chosen() {
    let infinite = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let all = infinite.map(|v| Element::new("m", v).at(then()).tagged([("t", v)]));
    let value = |line: &String| serde_json::from_str::<Json>(line).unwrap();
    let default: Vec<Json> = written(&all, |sink| sink).iter().map(value).collect();
    for line in default {
        let null =
            json!({"name": "m", "value": null, "tags": {"t": null}, "time": 1_700_000_000_500_u64});
        assert_eq!(line, null);
    }
    let lines = written(&all, |sink| {
        sink.time(JsonTime::Rfc3339).non_finite(NonFinite::Text)
    });
    let texts = ["NaN", "Infinity", "-Infinity"];
    for (line, text) in lines.iter().zip(texts) {
        let time = "2023-11-14T22:13:20.500000000Z";
        let expected = json!({"name": "m", "value": text, "tags": {"t": text}, "time": time});
        assert_eq!(value(line), expected);
    }
    // The last time that an element can have.
    let late = Element::new("m", 1).at(Time::from_nanos(u64::MAX));
    let late = written(&[late], |sink| sink.time(JsonTime::Rfc3339));
    assert!(
        late[0].contains("2554-07-21T23:34:33.709551615Z"),
        "{late:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_element_is_one_line_that_says_what_it_is(
        name in ".*",
        value in prop_oneof![any::<i64>().prop_map(headwater::metrics::Value::from),
                             any::<f64>().prop_map(headwater::metrics::Value::from)],
        tags in prop::collection::btree_map(".*", ".*", 0..4),
    ) {
        let element = Element::new(name.as_str(), value).tagged(tags.clone());
        let lines = written(&[element], |sink| sink);
        prop_assert_eq!(lines.len(), 1);
        let read: Json = serde_json::from_str(&lines[0]).unwrap();
        prop_assert_eq!(read["name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(&read["tags"], &json!(tags));
        match value.as_i64() {
            Some(int) => prop_assert_eq!(read["value"].as_i64(), Some(int)),
            None if value.is_finite() => {
                prop_assert!(!read["value"].is_i64());
                // `serde_json` reads floats roughly, by default.
                let before = format!("{{\"name\":{},\"value\":", json!(name));
                let (float, _) = lines[0][before.len()..].split_once(',').unwrap();
                prop_assert_eq!(float.parse::<f64>().unwrap(), value.as_f64());
            }
            None => prop_assert!(read["value"].is_null()),
        }
    }

    #[test]
    fn a_disk_that_is_full_now_and_then_doubles_and_loses_nothing(
        sizes in prop::collection::vec(1_i64..6, 1..4),
        rooms in prop::collection::vec(0_usize..90, 1..8),
        at_once in 1_usize..40,
        buffer in prop::option::of(1_usize..90),
    ) {
        let out = Narrow::new(at_once);
        let (more, mut rooms) = (out.clone(), rooms.into_iter().cycle());
        let mut again = move || more.more_room(rooms.next().unwrap() + 1);
        let batches: Vec<Vec<Element>> = sizes.iter().map(|n| elements(*n)).collect();
        block_on(async {
            let mut plain = JsonLinesSink::to(out.clone());
            let bytes = buffer.unwrap_or(1);
            let mut buffered = JsonLinesSink::to(BufWriter::with_capacity(bytes, out.clone()));
            for batch in &batches {
                match buffer {
                    None => deliver(&mut plain, batch, &mut again).await.unwrap(),
                    Some(_) => deliver(&mut buffered, batch, &mut again).await.unwrap(),
                }
                // Delivered is what was flushed.
                assert!(out.text().ends_with(&line(batch.len() as i64 - 1)));
            }
        });
        let expected: String = sizes.iter().flat_map(|n| (0..*n).map(line)).collect();
        prop_assert_eq!(out.text(), expected);
    }

    #[test]
    fn wherever_a_crash_cuts_a_file_it_goes_on_with_whole_lines(cut in 0_usize..=3 * LINE) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let whole: String = (0..3).map(line).collect();
        prop_assert_eq!(whole.len(), 3 * LINE);
        fs::write(&path, &whole[..cut]).unwrap();

        let mut sink = JsonLinesSink::append(&path).unwrap();
        block_on(sink.deliver(&elements(1))).unwrap();
        let lines = cut / LINE + usize::from(cut % LINE == LINE - 1);
        let expected: String = (0..lines as i64).map(line).chain([line(0)]).collect();
        prop_assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let tail = match cut % LINE {
            0 => Tail::Whole,
            torn if torn == LINE - 1 => Tail::Completed,
            torn => Tail::Cut(torn as u64),
        };
        prop_assert_eq!(sink.tail(), tail);
    }
}

#[test]
fn a_torn_line_is_found_however_long_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let long = "x".repeat(100_000);
    fs::write(&path, format!("{}{{\"name\":\"{long}", line(7))).unwrap();
    let sink = JsonLinesSink::append(&path).unwrap();
    assert_eq!(sink.tail(), Tail::Cut(100_009));
    assert_eq!(fs::read_to_string(&path).unwrap(), line(7));

    // Zeros, as some file systems leave them.
    fs::write(&path, line(7) + "\0\0\0").unwrap();
    assert_eq!(JsonLinesSink::append(&path).unwrap().tail(), Tail::Cut(3));
    assert_eq!(fs::read_to_string(&path).unwrap(), line(7));
}

#[test]
fn a_file_of_something_else_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    fs::write(&path, "Dear reader,\nbest regards").unwrap();
    let error = JsonLinesSink::append(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(error.path(), path);
    assert_eq!(
        error.to_string(),
        format!(
            "the file {path:?} for JSON lines cannot be gone on with: its last line is not a JSON \
             object, nor the beginning of one: it is left as it is"
        )
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "Dear reader,\nbest regards"
    );
    let sink = JsonLinesSink::truncate(&path).unwrap();
    assert_eq!(sink.tail(), Tail::Whole);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    let missing = folder.path().join("nowhere").join("metrics.jsonl");
    let error = JsonLinesSink::append(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("cannot be opened"), "{error}");
}

#[tokio::test]
async fn two_sinks_after_each_other_append_and_a_truncating_one_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    for _ in 0..2 {
        let mut sink = JsonLinesSink::append(&path).unwrap().fsync().unwrap();
        assert_eq!(sink.delivery(), Delivery::AtLeastOnce);
        sink.deliver(&elements(2)).await.unwrap();
        sink.close().await.unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        (line(0) + &line(1)).repeat(2)
    );
    let mut sink = JsonLinesSink::truncate(&path).unwrap();
    sink.deliver(&elements(1)).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), line(0));
}

/// Syncs at every other call.
struct Disk {
    out: Narrow,
    syncs: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn at_least_once_a_batch_that_could_not_be_synced_is_written_again() {
    let out = Narrow::new(1000);
    out.more_room(1000);
    let disk = Disk {
        out: out.clone(),
        syncs: 0,
    };
    let mut sink = JsonLinesSink::to(disk).sync_with(|disk| {
        disk.syncs += 1;
        match disk.syncs % 2 {
            0 => Ok(()),
            _ => Err(io::Error::other("the disk is gone")),
        }
    });
    let mut errors = 0;
    deliver(&mut sink, &elements(2), || errors += 1)
        .await
        .unwrap();
    assert_eq!(errors, 1);
    assert_eq!(out.text(), (line(0) + &line(1)).repeat(2));
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_synced_is_refused() {
    let sink = JsonLinesSink::append("/dev/null").unwrap();
    let error = sink.fsync().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(r#"the file "/dev/null" for JSON lines cannot be synced: "#),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_tried_again() {
    let mut sink = JsonLinesSink::append("/dev/full").unwrap();
    let error = sink.deliver(&elements(2)).await.unwrap_err();
    assert!(error.can_retry());
    assert_eq!(error.done_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_writes_its_elements_into_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(2))
        .epoch(then())
        .sink(JsonLinesSink::append(&path).unwrap())
        .spawn()
        .unwrap();
    for n in 0..2000 {
        metrics.send_tagged("m", n, [("parity", n % 2)]).unwrap();
        if n % 100 == 99 {
            metrics.flush().await.unwrap();
        }
    }
    let end = metrics.shutdown().await.unwrap();
    assert_eq!(end.sink("JsonLinesSink").unwrap().delivered, 2000);
    let text = fs::read_to_string(&path).unwrap();
    let sum: i64 = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Json>(line).unwrap()["value"]
                .as_i64()
                .unwrap()
        })
        .sum();
    assert_eq!(sum, 1999 * 1000);
}
