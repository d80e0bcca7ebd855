//! Errors that the receiver sends back.

use headwater::metrics::MetricSink;
use headwater::metrics::opentsdb::Confirm;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{VERSION, answering, sink};
use crate::opentsdb::{Fate, Front, Got, deliver, element, elements, failure};

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
