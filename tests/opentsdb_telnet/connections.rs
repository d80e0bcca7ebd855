//! Connections that are slow, silent, closed and broken.

use std::collections::HashMap;
use std::time::Duration;

use headwater::metrics::opentsdb::Confirm;
use headwater::metrics::{Delivery, Element, Metric, MetricSink, MetricsPipeline, OpenTsdbSink};
use headwater::prelude::*;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{VERSION, answer_lines, answering, closing, points, sink};
use crate::opentsdb::{Fate, Front, Got, deliver, elements, failure, lines};

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
