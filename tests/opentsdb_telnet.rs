//! The sink that speaks OpenTSDB's telnet protocol: what is on the wire, and what becomes of elements
//! when the wire breaks.
#![cfg(feature = "opentsdb")]

mod opentsdb;

use std::collections::HashMap;
use std::slice::from_ref;
use std::time::Duration;

use headwater::metrics::opentsdb::{Confirm, Resolution, Sanitize};
use headwater::metrics::{
    Delivery, Element, Metric, MetricSink, MetricsPipeline, OpenTsdbSink, Tags,
};
use headwater::prelude::*;
use opentsdb::{Fate, Front, Got, SECONDS, deliver, element, elements, failure, lines};
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// OpenTSDB answers `version` by two lines.
const VERSION: &str =
    "net.opentsdb.tools 2.4.0 built at revision abc (MINT)\nBuilt on 2018/12/16 by us\n";

/// A receiver that reads to the end, and closes then. Keeps what came, by connection.
async fn closing(got: &Got<(usize, String)>) -> Front {
    let got = got.clone();
    Front::new(move |n, mut stream| {
        let got = got.clone();
        async move {
            let mut text = String::new();
            if stream.read_to_string(&mut text).await.is_ok() {
                got.push((n, text));
            }
        }
    })
    .await
}

/// Does as OpenTSDB does: keeps lines, answers `version`, and has errors for values called `bad`.
async fn answer_lines(n: usize, stream: TcpStream, got: Got<(usize, String)>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        let answer = match line.as_str() {
            "version" => VERSION.to_owned(),
            bad if bad.contains("bad") => "put: unknown metric: No such name\n".to_owned(),
            _ => String::new(),
        };
        got.push((n, line));
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn answering(got: &Got<(usize, String)>) -> Front {
    let got = got.clone();
    Front::new(move |n, stream| answer_lines(n, stream, got.clone())).await
}

fn sink(front: &Front) -> OpenTsdbSink {
    OpenTsdbSink::connect(front.address.to_string()).timeout(Duration::from_secs(20))
}

/// All lines that came, on whatever connection.
fn all_lines(got: &Got<(usize, String)>) -> Vec<String> {
    let texts = got.take().into_iter().map(|(_, text)| text);
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The points among them.
fn points(got: &Got<(usize, String)>) -> Vec<String> {
    all_lines(got)
        .into_iter()
        .filter(|line| line.starts_with("put "))
        .collect()
}

/// What goes over the wire for these elements.
async fn wire(
    configure: impl FnOnce(OpenTsdbSink) -> OpenTsdbSink,
    batch: &[Element],
) -> (String, Fate) {
    let got = Got::default();
    let front = closing(&got).await;
    let mut sink = configure(sink(&front).confirm(Confirm::Close));
    let fate = deliver(&mut sink, batch).await;
    let texts = got.take().into_iter().map(|(_, text)| text);
    (texts.collect(), fate)
}

#[tokio::test]
async fn a_point_is_one_line_with_name_time_value_and_tags() {
    let batch = [
        element("requests.sum", 3, 0),
        element("latency.mean", 0, 999).tagged(Tags::from([("route", "/home")]).with("code", 200)),
    ];
    let (text, fate) = wire(|sink| sink, &batch).await;
    let expected = "put requests.sum 1700000000 3 host=a\n\
                    put latency.mean 1700000000 0 code=200 route=/home\n";
    assert_eq!(text, expected);
    assert_eq!((fate.delivered, fate.rejected, fate.attempts), (2, 0, 1));
}

#[tokio::test]
async fn integers_stay_integers_and_floats_have_a_point() {
    let values = [
        (Element::new("m", i64::MIN), "-9223372036854775808"),
        (Element::new("m", i64::MAX), "9223372036854775807"),
        (Element::new("m", 3.0), "3.0"),
        (Element::new("m", -0.0), "-0.0"),
        (Element::new("m", 0.1), "0.1"),
        (Element::new("m", 1e300), "1.0e300"),
        (Element::new("m", -1e-7), "-1.0e-7"),
        (Element::new("m", f64::MAX), "1.7976931348623157e308"),
        (Element::new("m", true), "1"),
    ];
    let at = element("m", 0, 0);
    let batch: Vec<Element> = values
        .iter()
        .map(|(element, _)| element.clone().at(at.time()))
        .collect();
    let (text, _) = wire(|sink| sink.default_tag("h", "a"), &batch).await;
    let expected: Vec<String> = values
        .iter()
        .map(|(_, value)| format!("put m {SECONDS} {value} h=a"))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn times_are_in_seconds_or_in_milliseconds() {
    let batch = [element("m", 1, 999)];
    let (text, _) = wire(|sink| sink.resolution(Resolution::Milliseconds), &batch).await;
    assert_eq!(text, "put m 1700000000999 1 host=a\n");
    let (text, _) = wire(|sink| sink.resolution(Resolution::Seconds), &batch).await;
    assert_eq!(text, "put m 1700000000 1 host=a\n");
}

#[tokio::test]
async fn a_time_that_would_be_read_in_the_other_unit_is_rejected() {
    let at = |millis: u64| {
        Element::new("m", 1)
            .tagged([("h", "a")])
            .at(headwater::Time::ZERO + Duration::from_millis(millis))
    };
    let second = 1 << 32;
    let batch = [
        at(0),
        at(999),
        at(1000),
        at((second - 1) * 1000),
        at(second * 1000),
    ];
    let (text, fate) = wire(|sink| sink, &batch).await;
    assert_eq!(text, format!("put m 1 1 h=a\nput m {} 1 h=a\n", second - 1));
    assert_eq!((fate.delivered, fate.rejected), (2, 3));
    let batch = [at(0), at(second - 1), at(second)];
    let (text, fate) = wire(|sink| sink.resolution(Resolution::Milliseconds), &batch).await;
    assert_eq!(text, format!("put m {second} 1 h=a\n"));
    assert_eq!((fate.delivered, fate.rejected), (1, 2));
}

#[tokio::test]
async fn what_is_no_point_is_rejected_and_counted_and_the_rest_arrives() {
    let got = Got::default();
    let front = closing(&got).await;
    let good = element("good", 1, 0);
    let batch = [
        element("", 1, 0),
        Element::new("nan", f64::NAN).at(good.time()),
        good.clone(),
        Element::new("up", f64::INFINITY).at(good.time()),
        Element::new("down", f64::NEG_INFINITY).at(good.time()),
        good.clone().tagged([("", "a")]),
        good.clone().tagged([("a", "")]),
    ];
    let error = failure(&mut sink(&front).confirm(Confirm::Close), &batch).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (7, 6, false)
    );
    let text = error.to_string();
    assert_eq!(
        text,
        "6 of 7 points were rejected, the first one: \"\": the name is empty"
    );
    assert_eq!(points(&got), ["put good 1700000000 1 host=a"]);

    let error = failure(&mut sink(&front), &batch[1..2]).await;
    assert_eq!(
        error.to_string(),
        "1 of 1 points was rejected: \"nan\": OpenTSDB has no NaN"
    );
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
    assert_eq!(got.len(), 0, "nobody is asked about a batch without points");
}

#[tokio::test]
async fn a_point_without_tags_gets_one() {
    let bare = element("m", 1, 0).tagged(());
    let (text, _) = wire(|sink| sink.default_tag("serv ice", "a\nb"), from_ref(&bare)).await;
    assert_eq!(text, "put m 1700000000 1 serv_x20_ice=a_xa_b\n");
    let (text, _) = wire(|sink| sink, from_ref(&bare)).await;
    let host = text
        .strip_prefix("put m 1700000000 1 host=")
        .unwrap()
        .trim_end();
    assert!(!host.is_empty());
    let (text, fate) = wire(|sink| sink.default_tag("host", ""), &[bare]).await;
    assert_eq!((text.as_str(), fate.rejected), ("", 1));
}

#[tokio::test]
async fn a_line_that_is_too_long_is_rejected() {
    let long = element("m", 1, 0).tagged([("a", "b".repeat(1024 - "put m 1700000000 1 a=".len()))]);
    let longer = element("mm", 1, 0).tagged(long.tags().clone());
    let (text, fate) = wire(|sink| sink, &[longer.clone(), long.clone()]).await;
    assert_eq!((text.len(), fate.delivered, fate.rejected), (1025, 1, 1));
    let (text, fate) = wire(|sink| sink.max_line(1025), &[longer, long]).await;
    assert_eq!(
        (text.len(), fate.delivered, fate.rejected),
        (1025 + 1026, 2, 0)
    );
}

#[tokio::test]
async fn tag_names_that_come_to_the_same_are_rejected() {
    let batch = [element("m", 1, 0).tagged([("a b", "1"), ("a_b", "2")])];
    let (text, fate) = wire(|sink| sink.sanitize(Sanitize::replace('_')), &batch).await;
    assert_eq!((text.as_str(), fate.rejected), ("", 1));
    let (text, fate) = wire(|sink| sink, &batch).await;
    assert_eq!(text, "put m 1700000000 1 a_x20_b=1 a_b=2\n");
    assert_eq!(fate.delivered, 1);
}

#[test]
fn only_opentsdbs_characters_are_kept() {
    let (escape, dot) = (Sanitize::escape(), Sanitize::replace('.'));
    // Letters of 16 bits; neither marks, nor numbers, nor letters beyond.
    assert_eq!(escape.apply("aZ09-_./"), "aZ09-_./");
    assert_eq!(escape.apply("äßЖ語ǅʰ"), "äßЖ語ǅʰ");
    assert_eq!(escape.apply("e\u{301}"), "e_x301_");
    assert_eq!(escape.apply("Ⅷⓐ٣"), "_x2167__x24d0__x663_");
    assert_eq!(escape.apply("𝒳😀"), "_x1d4b3__x1f600_");
    assert_eq!(
        escape.apply(" \n\r\t\0=:\u{2028}"),
        "_x20__xa__xd__x9__x0__x3d__x3a__x2028_"
    );
    assert_eq!(escape.ascii().apply("ä"), "_xe4_");
    assert_eq!(dot.apply("ä b=c"), "ä.b.c");
    assert_eq!(dot.ascii().apply("ä b"), "..b");
    // Underscores stay, unless what follows would read as an escape.
    assert_eq!(escape.apply("_x_xml__x20_x20_"), "_x_xml__x5f_x20_x5f_x20_");
    assert_eq!(escape.apply("_x5 "), "_x5f_x5_x20_");
    // What is no escape is left as it is.
    assert_eq!(
        Sanitize::restore("_x_ _xg_ _x1234567_ _xd800_ _x41"),
        "_x_ _xg_ _x1234567_ _xd800_ _x41"
    );
    assert_eq!(Sanitize::restore("_x41_x42_"), "Ax42_");
}

#[test]
#[should_panic(expected = "OpenTSDB does not take this character either")]
fn a_replacement_has_to_be_allowed_itself() {
    let _ = Sanitize::replace(' ');
}

/// Text that tries: breaks, separators, commands, underscores and escapes, all sorts of letters.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\nput m 1 1 a=b\n".to_owned()),
        Just(" ".to_owned()),
        Just("=".to_owned()),
        Just("_x".to_owned()),
        Just("_".to_owned()),
        Just("_x20_".to_owned()),
        Just("5f".to_owned()),
        Just("x5f_".to_owned()),
        "[a-f0-9x_]{1,4}",
        any::<char>().prop_map(String::from),
        "[a-zA-Z0-9./-]{1,8}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn allowed(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    text.chars()
        .all(|c| plain(c) || (c.is_alphabetic() && (c as u32) < 0x1_0000))
}

proptest! {
    #[test]
    fn escaped_text_is_allowed_and_comes_back_equal(text in hostile()) {
        let (letters, ascii) = (Sanitize::escape(), Sanitize::escape().ascii());
        let (letters, ascii) = (letters.apply(&text), ascii.apply(&text));
        prop_assert!(allowed(&letters));
        prop_assert!(ascii.is_ascii() && allowed(&ascii));
        prop_assert_eq!(Sanitize::restore(&letters), text.as_str());
        prop_assert_eq!(Sanitize::restore(&ascii), text.as_str());
    }

    #[test]
    fn replaced_text_is_allowed_and_has_as_many_characters(text in hostile()) {
        let replaced = Sanitize::replace('-').apply(&text).into_owned();
        prop_assert!(allowed(&replaced));
        prop_assert_eq!(replaced.chars().count(), text.chars().count());
    }

    #[test]
    fn hostile_characters_do_not_break_out_of_a_line(
        texts in prop::collection::vec((hostile(), hostile(), hostile()), 1..20),
    ) {
        let batch: Vec<Element> = texts
            .iter()
            .map(|(name, key, value)| element(name, 1, 0).tagged([(key.as_str(), value.as_str())]))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (text, fate) = runtime.block_on(wire(|sink| sink.max_line(1 << 20), &batch));
        prop_assert_eq!((fate.delivered, fate.rejected), (texts.len(), 0));
        prop_assert_eq!(text.split('\n').count(), texts.len() + 1);
        for (line, (name, key, value)) in text.lines().zip(&texts) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [put, metric, time, one, tag] = fields[..] else { panic!("{line}") };
            let (tag, its_value) = tag.split_once('=').unwrap();
            prop_assert_eq!((put, time, one), ("put", "1700000000", "1"));
            prop_assert_eq!(&Sanitize::restore(metric), name);
            prop_assert_eq!(&Sanitize::restore(tag), key);
            prop_assert_eq!(&Sanitize::restore(its_value), value);
        }
    }
}

#[tokio::test]
async fn a_receiver_that_answers_version_is_sent_all_batches_on_one_connection() {
    let got = Got::default();
    let front = answering(&got).await;
    let mut sink = sink(&front);
    let batch = elements(3);
    for one in &batch {
        assert_eq!(deliver(&mut sink, from_ref(one)).await.delivered, 1);
    }
    let came = got.take();
    // It is asked twice on a connection without points: what is always the same is an answer.
    let first: Vec<&str> = came
        .iter()
        .filter(|(n, _)| *n == 0)
        .map(|(_, line)| line.as_str())
        .collect();
    assert_eq!(first, ["version", "version"]);
    let second: Vec<String> = came
        .iter()
        .filter(|(n, _)| *n == 1)
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    let expected: Vec<String> = batch
        .iter()
        .map(|one| lines(from_ref(one)) + "version\n")
        .collect();
    assert_eq!(second.concat(), expected.concat());
    assert_eq!(came.len(), 2 + 6);
    assert_eq!(sink.delivery(), Delivery::AtMostOnce);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_gets_a_connection_for_each_batch() {
    let got = Got::default();
    let front = closing(&got).await;
    let mut sink = sink(&front);
    for one in elements(3) {
        assert_eq!(deliver(&mut sink, &[one]).await.delivered, 1);
    }
    let expected = [
        (0, "version\nversion\n".to_owned()),
        (1, lines(&elements(3)[..1])),
        (2, lines(&elements(3)[1..2])),
        (3, lines(&elements(3)[2..])),
    ];
    assert_eq!(got.take(), expected);
}

#[tokio::test]
async fn a_port_that_takes_the_question_for_http_is_confirmed_by_closing() {
    let got = Got::default();
    let to_front = got.clone();
    // As VictoriaMetrics: what does not begin with a `p` is HTTP.
    let front = Front::new(move |n, mut stream| {
        let got = to_front.clone();
        async move {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            if !text.starts_with('p') {
                let answer =
                    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request";
                stream.write_all(answer).await.unwrap();
            }
            got.push((n, text));
        }
    })
    .await;
    assert_eq!(deliver(&mut sink(&front), &elements(5)).await.delivered, 5);
    assert_eq!(points(&got).len(), 5);
}

#[tokio::test]
async fn an_answer_that_changes_confirms_nothing() {
    let got = Got::default();
    let to_front = got.clone();
    let front = Front::new(move |n, stream| {
        let got = to_front.clone();
        async move {
            let (reader, mut writer) = stream.into_split();
            let mut reader = BufReader::new(reader).lines();
            let mut count = 0;
            while let Ok(Some(line)) = reader.next_line().await {
                count += 1;
                if line == "version" {
                    writer
                        .write_all(format!("version {n}.{count}\n").as_bytes())
                        .await
                        .unwrap();
                }
                got.push((n, line));
            }
        }
    })
    .await;
    assert_eq!(deliver(&mut sink(&front), &elements(5)).await.delivered, 5);
    assert_eq!(points(&got).len(), 5);
    let error = failure(&mut sink(&front).confirm(Confirm::Version), &elements(1)).await;
    assert!(error.can_retry() && error.done_count() == 0);
    assert!(
        error.to_string().contains("does not answer `version`"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_a_line_break_is_an_answer() {
    let got = Got::default();
    let to_front = got.clone();
    // As InfluxDB answers.
    let front = Front::new(move |n, stream| {
        let got = to_front.clone();
        async move {
            let (reader, mut writer) = stream.into_split();
            let mut reader = BufReader::new(reader).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                if line == "version" {
                    writer.write_all(b"InfluxDB TSDB proxy").await.unwrap();
                }
                got.push((n, line));
            }
        }
    })
    .await;
    let mut sink = sink(&front).confirm(Confirm::Version);
    for one in elements(3) {
        assert_eq!(deliver(&mut sink, &[one]).await.delivered, 1);
    }
    assert_eq!(
        got.take().last().map(|(connection, _)| *connection),
        Some(1)
    );
}

#[tokio::test]
async fn errors_that_the_receiver_sends_back_are_counted() {
    let got = Got::default();
    let front = answering(&got).await;
    let mut sink = sink(&front);
    let batch = [
        element("good", 1, 0),
        element("bad.1", 1, 0),
        element("good", 2, 0),
        element("bad.2", 1, 0),
    ];
    let error = failure(&mut sink, &batch).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (4, 2, false)
    );
    assert!(
        error.to_string().starts_with("2 of 4 points were rejected"),
        "{error}"
    );
    // The connection is fine.
    assert_eq!(
        deliver(&mut sink, &batch[..1]).await,
        Fate {
            delivered: 1,
            attempts: 1,
            ..Fate::default()
        }
    );
    assert_eq!(
        got.take().last().map(|(connection, _)| *connection),
        Some(1)
    );
}

#[tokio::test]
async fn errors_are_counted_where_a_close_confirms_too_and_other_lines_are_not() {
    let front = Front::new(|_, mut stream| async move {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let answer = b"put: invalid value: x\nsome remark\nput: illegal argument: cut off";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let mut sink = sink(&front).confirm(Confirm::Close);
    let error = failure(&mut sink, &elements(3)).await;
    assert_eq!((error.done_count(), error.rejected_count()), (3, 2));
    // More errors than points are not more lost points; they are owed.
    let error = failure(&mut sink, &elements(1)).await;
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
}

#[tokio::test]
async fn an_error_that_comes_late_is_counted_with_a_later_batch_or_at_the_close() {
    // Says of each batch, when the next one comes, that a point of it could not be stored.
    let front = Front::new(|_, stream| async move {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader).lines();
        let mut owed = false;
        while let Ok(Some(line)) = reader.next_line().await {
            let answer = match line == "version" {
                true => VERSION,
                false if owed => "put: HBase error: too late\n",
                false => "",
            };
            owed |= line.starts_with("put");
            writer.write_all(answer.as_bytes()).await.unwrap();
        }
        if owed {
            writer
                .write_all(b"put: HBase error: at last\nnot an error line\n")
                .await
                .unwrap();
        }
    })
    .await;
    let mut sink = sink(&front);
    let mut fate = Fate::default();
    for one in elements(3) {
        let one = deliver(&mut sink, &[one]).await;
        fate.delivered += one.delivered;
        fate.rejected += one.rejected;
    }
    assert_eq!((fate.delivered, fate.rejected), (1, 2));
    let error = sink.close().await.expect_err("there is one more");
    assert!(error.to_string().contains("sent back 1 errors"), "{error}");
    sink.close().await.expect("it is closed already");
}

#[tokio::test]
async fn a_receiver_that_reads_slowly_gets_everything() {
    for answers in [true, false] {
        let got = Got::default();
        let to_front = got.clone();
        let front = Front::new(move |n, mut stream| {
            let got = to_front.clone();
            async move {
                let (mut text, mut piece) = (String::new(), [0; 7000]);
                while let Ok(count @ 1..) = stream.read(&mut piece).await {
                    text.push_str(std::str::from_utf8(&piece[..count]).unwrap());
                    tokio::task::yield_now().await;
                    if answers && text.ends_with("version\n") {
                        let answer = VERSION.repeat(text.matches("version").count());
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        got.push((n, std::mem::take(&mut text)));
                    }
                }
                got.push((n, text));
            }
        })
        .await;
        // Twenty megabytes are more than the system buffers.
        let tag = "x".repeat(900);
        let batch: Vec<Element> = elements(20_000)
            .iter()
            .map(|e| e.clone().tagged([("a", tag.as_str())]))
            .collect();
        let fate = deliver(&mut sink(&front), &batch).await;
        assert_eq!((fate.delivered, fate.attempts), (20_000, 1));
        let points = points(&got);
        let names = points.iter().map(|line| line.split(' ').nth(1).unwrap());
        assert!(names.eq(batch.iter().map(Element::name)));
    }
}

#[tokio::test]
async fn nobody_there_is_tried_again_and_nothing_is_lost() {
    let got = Got::default();
    let front = closing(&got).await;
    let address = front.address;
    drop(front);
    let mut sink = OpenTsdbSink::connect(format!("localhost:{}", address.port()));
    let error = failure(&mut sink, &elements(3)).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (0, 0, true)
    );
    assert!(
        error
            .to_string()
            .contains("no points could be sent to localhost:"),
        "{error}"
    );

    let to_front = got.clone();
    let _front = Front::at(address, move |n, stream| {
        answer_lines(n, stream, to_front.clone())
    })
    .await;
    assert_eq!(deliver(&mut sink, &elements(3)).await.delivered, 3);
    assert_eq!(points(&got).len(), 3);
}

#[tokio::test]
async fn what_is_no_address_is_fatal() {
    let error = failure(&mut OpenTsdbSink::connect("no-port"), &elements(3)).await;
    assert!(!error.can_retry());
    assert_eq!((error.done_count(), error.rejected_count()), (0, 0));
    assert!(error.to_string().contains("no-port"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_stays_silent_is_given_up_and_the_points_count_as_lost() {
    let front = Front::new(|n, mut stream| async move {
        let mut text = [0; 1024];
        match n {
            // It answers when it is asked first, and never again.
            0 => stream
                .write_all(VERSION.repeat(2).as_bytes())
                .await
                .unwrap(),
            _ => while !matches!(stream.read(&mut text).await, Ok(0) | Err(_)) {},
        }
        let _ = stream.read(&mut text).await;
    })
    .await;
    let mut sink =
        OpenTsdbSink::connect(front.address.to_string()).timeout(Duration::from_millis(50));
    let error = failure(&mut sink, &elements(3)).await;
    assert_eq!((error.done_count(), error.rejected_count()), (3, 0));
    assert_eq!(error.unknown_count(), 3);
    assert!(
        error
            .to_string()
            .contains("nothing moved for 50ms; 3 points may have arrived"),
        "{error}"
    );
}

#[tokio::test]
async fn without_confirmation_a_batch_is_delivered_when_it_is_written() {
    let got = Got::default();
    let to_front = got.clone();
    let front = Front::new(move |n, stream| {
        let got = to_front.clone();
        async move {
            let mut reader = BufReader::new(stream).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                got.push((n, line));
            }
        }
    })
    .await;
    let mut sink = sink(&front).confirm(Confirm::Nothing);
    for one in elements(3) {
        assert_eq!(deliver(&mut sink, &[one]).await.delivered, 1);
    }
    sink.close().await.unwrap();
    assert_eq!(
        got.take()
            .into_iter()
            .map(|(n, line)| (n, line + "\n"))
            .collect::<Vec<_>>(),
        [
            (0, lines(&elements(3)[..1])),
            (0, lines(&elements(3)[1..2])),
            (0, lines(&elements(3)[2..])),
        ]
    );
}

#[tokio::test]
async fn a_connection_that_was_closed_between_batches_costs_nothing() {
    let got = Got::default();
    let to_front = got.clone();
    // Closes each connection after the first batch.
    let front = Front::new(move |n, stream| {
        let got = to_front.clone();
        async move {
            let (reader, mut writer) = stream.into_split();
            let mut reader = BufReader::new(reader).lines();
            let mut batches = 0;
            while batches == 0 {
                let Ok(Some(line)) = reader.next_line().await else {
                    return;
                };
                if line == "version" {
                    writer.write_all(VERSION.as_bytes()).await.unwrap();
                    batches += usize::from(!matches!(n % 2, 0));
                }
                got.push((n, line));
            }
        }
    })
    .await;
    let mut sink = sink(&front);
    for one in elements(20) {
        assert_eq!(deliver(&mut sink, &[one]).await.delivered, 1);
        // The end is under way when the answer is; wait until it is there.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(points(&got).len(), 20);
}

#[tokio::test]
async fn a_delivery_that_is_dropped_half_way_leaves_no_half_line() {
    let end = Got::default();
    let to_front = end.clone();
    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (resume, resumed) = tokio::sync::watch::channel(false);
    let front = Front::new(move |_, mut stream| {
        let (end, begin, mut resumed) = (to_front.clone(), begin.clone(), resumed.clone());
        async move {
            begin.send(()).unwrap();
            resumed.wait_for(|resumed| *resumed).await.unwrap();
            let mut text = Vec::new();
            let result = stream.read_to_end(&mut text).await.map(drop);
            end.push((result.map_err(|error| error.kind()), text));
        }
    })
    .await;
    let tag = "x".repeat(900);
    let batch: Vec<Element> = elements(20_000)
        .iter()
        .map(|e| e.clone().tagged([("a", tag.as_str())]))
        .collect();
    let mut sink = sink(&front).confirm(Confirm::Close);
    tokio::select! {
        outcome = sink.deliver(&batch) => panic!("the receiver does not read: {outcome:?}"),
        _ = begun.recv() => {
            // Until the system takes no more.
            let filled = tokio::time::timeout(Duration::from_millis(200), sink.deliver(&batch));
            assert!(filled.await.is_err());
        }
    }
    drop(sink);
    resume.send(true).unwrap();
    while end.len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut cut = 0;
    for (result, text) in end.take() {
        match result {
            Ok(()) => assert!(
                text.is_empty() || text.ends_with(b"\n"),
                "half a line would be read as one"
            ),
            Err(kind) => {
                assert_eq!(kind, std::io::ErrorKind::ConnectionReset);
                cut += 1;
            }
        }
    }
    assert!(cut > 0);
}

/// A receiver that breaks its connections off after so many bytes each, and keeps whole lines.
async fn breaking(cuts: Vec<usize>, answers: bool, got: &Got<(usize, String)>) -> Front {
    let got = got.clone();
    Front::new(move |n, stream| {
        // Questions are not cut off: they carry no points, and so use none of the cuts up.
        let cut = match n % 2 {
            _ if !answers => cuts.get(n).copied(),
            0 => None,
            _ => cuts.get(n / 2).copied(),
        };
        let got = got.clone();
        async move {
            let (mut stream, mut text, mut left) = (stream, Vec::new(), cut.unwrap_or(usize::MAX));
            let mut answered = 0;
            while left > 0 {
                let mut piece = vec![0; left.min(1000)];
                let Ok(count @ 1..) = stream.read(&mut piece).await else {
                    break;
                };
                left -= count;
                text.extend_from_slice(&piece[..count]);
                let questions = String::from_utf8_lossy(&text).matches("version\n").count();
                if answers && questions > answered && left > 0 {
                    let _ = stream
                        .write_all(VERSION.repeat(questions - answered).as_bytes())
                        .await;
                    answered = questions;
                }
            }
            let text = String::from_utf8(text).unwrap();
            let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
            // Kept before the connection goes, as a receiver that was killed has kept it.
            got.push((n, whole.to_owned()));
            if left == 0 {
                let _ = stream.set_zero_linger();
            }
        }
    })
    .await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The promise: nothing twice, what counts as delivered has arrived, and everything is counted.
    #[test]
    fn however_a_connection_breaks_nothing_arrives_twice_and_everything_is_counted(
        cuts in prop::collection::vec(0_usize..6000, 1..6),
        batches in prop::collection::vec(1_usize..80, 1..5),
        answers in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let got = Got::default();
            let front = breaking(cuts, answers, &got).await;
            let how = if answers { Confirm::Version } else { Confirm::Close };
            let mut sink = sink(&front).confirm(how);
            let (mut fate, mut sent) = (Fate::default(), 0);
            let all = elements(batches.iter().sum());
            for size in batches {
                let one = deliver(&mut sink, &all[sent..sent + size]).await;
                fate.delivered += one.delivered;
                fate.rejected += one.rejected;
                fate.unknown += one.unknown;
                prop_assert_eq!(one.given_up, 0);
                sent += size;
            }
            sink.close().await.unwrap();
            drop(sink);
            let mut came: HashMap<String, usize> = HashMap::new();
            for line in points(&got) {
                *came.entry(line).or_default() += 1;
            }
            prop_assert!(came.values().all(|&count| count == 1), "something came twice");
            let ours = lines(&all);
            prop_assert!(came.keys().all(|line| ours.contains(&format!("{line}\n"))), "half a line");
            prop_assert_eq!(fate.delivered + fate.unknown, sent);
            prop_assert_eq!(fate.rejected, 0);
            prop_assert!(came.len() >= fate.delivered, "{} came of {:?}", came.len(), fate);
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_delivers_by_it_and_counts() {
    let got = Got::default();
    let front = answering(&got).await;
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("requests").agg("sum", Sum).batch(2))
        .sink(sink(&front))
        .spawn()
        .unwrap();
    for value in 1..=6 {
        metrics.send("requests", value).unwrap();
    }
    let snapshot = metrics
        .shutdown_within(Duration::from_secs(20))
        .await
        .unwrap();
    let counts = snapshot.sink("OpenTsdbSink").unwrap();
    assert_eq!((counts.delivered, counts.rejected), (3, 0));
    assert_eq!(counts.delivery, Delivery::AtMostOnce);
    let sums: Vec<String> = points(&got)
        .iter()
        .map(|line| line.split(' ').nth(3).unwrap().to_owned())
        .collect();
    assert_eq!(sums, ["3", "7", "11"]);
}
