//! Points and requests that are refused.

use headwater::metrics::Element;
use headwater::metrics::opentsdb::Answers;
use serde_json::{Value, json};

use super::{Reply, Request, body, front, names, sink, status};
use crate::opentsdb::{Fate, Got, deliver, element, elements, failure};

fn point_error(element: &Element, why: &str) -> Value {
    let tags: serde_json::Map<String, Value> = element
        .tags()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_string().into()))
        .collect();
    // OpenTSDB makes a text of the value.
    let value = element.value().to_string();
    let datapoint = json!({
        "metric": element.name(), "timestamp": element.millis(), "value": value, "tags": tags,
    });
    json!({ "error": why, "datapoint": datapoint })
}

#[tokio::test]
async fn points_that_the_receiver_calls_wrong_are_rejected_and_named() {
    let got = Got::default();
    let batch = elements(4);
    let errors = [
        point_error(&batch[1], "Unknown metric"),
        point_error(&batch[3], "Unable to parse value to a number"),
    ];
    let report = json!({ "success": 2, "failed": 2, "errors": errors });
    let front = front(&got, move |_| body(400, &report)).await;
    let error = failure(&mut sink(&front), &batch).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (4, 2, false)
    );
    assert_eq!(
        error.to_string(),
        "2 of 4 points were rejected, the first one: \"m.1\": Unknown metric"
    );
    assert_eq!(got.len(), 1, "what is wrong for good is not sent again");
}

#[tokio::test]
async fn two_points_that_are_alike_are_two() {
    let got = Got::default();
    let one = element("m", 1, 0);
    let errors = [
        point_error(&one, "Unknown metric"),
        point_error(&one, "Unknown metric"),
    ];
    let report = json!({ "success": 0, "failed": 2, "errors": errors });
    let front = front(&got, move |_| body(400, &report)).await;
    let fate = deliver(&mut sink(&front), &[one.clone(), one]).await;
    assert_eq!((fate.delivered, fate.rejected), (0, 2));
}

#[tokio::test]
async fn a_report_of_no_failure_is_success() {
    let got = Got::default();
    let front = front(&got, |_| {
        body(200, &json!({ "success": 4, "failed": 0, "errors": [] }))
    })
    .await;
    assert_eq!(
        deliver(&mut sink(&front), &elements(4)).await,
        Fate {
            delivered: 4,
            attempts: 1,
            ..Fate::default()
        }
    );
}

#[tokio::test]
async fn a_summary_is_counted_though_it_names_nobody() {
    let got = Got::default();
    // 200 as well: OpenTSDB answers so where only its storage failed.
    for status in [200, 400] {
        let front = front(&got, move |_| {
            body(status, &json!({ "success": 3, "failed": 1 }))
        })
        .await;
        let error = failure(&mut sink(&front).answers(Answers::Summary), &elements(4)).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (4, 1, false)
        );
        assert!(
            error.to_string().contains("the receiver does not say why"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_point_whose_storage_failed_is_tried_again_with_those_behind_it() {
    for why in [
        "Storage exception: region is moving",
        "Please throttle",
        "Timeout exception",
        "Write timedout",
    ] {
        let got = Got::default();
        let batch = elements(5);
        let mut reports = vec![
            Some(json!({ "success": 3, "failed": 2, "errors": [point_error(&batch[3], why), point_error(&batch[1], "Unknown metric")] })),
            None,
        ]
        .into_iter();
        let front = front(&got, move |_| match reports.next().unwrap() {
            Some(report) => body(400, &report),
            None => status(204),
        })
        .await;
        let mut sink = sink(&front);
        let error = failure(&mut sink, &batch).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (3, 1, true),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(deliver(&mut sink, &batch[3..]).await.delivered, 2);
        assert_eq!(got.take()[1].names(), ["m.3", "m.4"]);
    }
}

#[tokio::test]
async fn points_that_were_not_written_in_time_are_tried_again() {
    let got = Got::default();
    let mut first = true;
    let front = front(&got, move |_| match std::mem::take(&mut first) {
        true => body(400, &json!({ "success": 1, "failed": 0, "timeouts": 2 })),
        false => status(204),
    })
    .await;
    let fate = deliver(&mut sink(&front), &elements(3)).await;
    assert_eq!(
        fate,
        Fate {
            delivered: 3,
            attempts: 2,
            ..Fate::default()
        }
    );
    assert_eq!(got.take()[1].points().len(), 3);
}

#[tokio::test]
async fn a_request_that_is_refused_is_halved_until_the_bad_point_is_found() {
    let got = Got::default();
    let front = front(&got, |request| match request.names().iter().any(|name| name == "m.33") {
        true => body(400, &json!({ "error": { "code": 400, "message": "Unable to parse the given JSON", "details": "at m.33" } })),
        false => status(204),
    })
    .await;
    let error = failure(&mut sink(&front), &elements(50)).await;
    assert_eq!((error.done_count(), error.rejected_count()), (50, 1));
    let text = error.to_string();
    assert!(
        text.contains("\"m.33\": HTTP status 400: Unable to parse the given JSON (at m.33)"),
        "{text}"
    );
    assert!(got.len() <= 1 + 2 * 6);
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_is_not_flooded() {
    let got = Got::default();
    let front = front(&got, |_| Reply::Answer(400, "", "go away".to_owned())).await;
    let error = failure(
        &mut sink(&front).max_points(1000).max_bytes(1 << 20),
        &elements(1000),
    )
    .await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (1000, 1000, false)
    );
    assert!(
        error.to_string().contains("HTTP status 400: go away"),
        "{error}"
    );
    assert!(got.len() <= 65, "{} requests", got.len());
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved_and_later_ones_stay_smaller() {
    // OpenTSDB has words of its own for it.
    let chunked = json!({ "error": { "code": 400, "message": "Chunked request not supported." } });
    for refusal in [(413, String::new()), (400, chunked.to_string())] {
        let got = Got::default();
        let front = front(&got, move |request| match request.body.len() > 1000 {
            true => Reply::Answer(refusal.0, "", refusal.1.clone()),
            false => status(204),
        })
        .await;
        let mut sink = sink(&front);
        let batch = elements(50);
        let fate = deliver(&mut sink, &batch).await;
        assert_eq!((fate.delivered, fate.attempts), (50, 1));
        let requests = got.take().into_iter();
        let taken: Vec<Request> = requests
            .filter(|request| request.body.len() <= 1000)
            .collect();
        assert_eq!(
            names(&taken).concat(),
            batch.iter().map(Element::name).collect::<Vec<_>>()
        );
        assert_eq!(deliver(&mut sink, &batch).await.delivered, 50);
        assert!(got.take().iter().all(|request| request.body.len() <= 1000));
    }
}

#[tokio::test]
async fn a_single_point_that_is_too_large_is_rejected() {
    let got = Got::default();
    let front = front(&got, |_| status(413)).await;
    let fate = deliver(&mut sink(&front), &elements(3)).await;
    assert_eq!((fate.delivered, fate.rejected, fate.attempts), (0, 3, 1));
}
