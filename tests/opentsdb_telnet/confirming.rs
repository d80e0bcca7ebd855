//! How it is found out that a batch was read.

use std::slice::from_ref;

use headwater::metrics::opentsdb::Confirm;
use headwater::metrics::{Delivery, MetricSink};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{answering, closing, points, sink};
use crate::opentsdb::{Front, Got, deliver, elements, failure, lines};

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
