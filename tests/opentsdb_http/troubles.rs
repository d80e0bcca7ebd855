//! Receivers that are in trouble, break off and stay silent.

use std::time::{Duration, Instant};

use headwater::metrics::Element;

use super::{Reply, front, names, sink, status};
use crate::opentsdb::{Fate, Got, deliver, element, elements, failure};

#[tokio::test]
async fn a_receiver_in_trouble_is_tried_again_from_where_it_stopped() {
    for code in [408, 425, 429, 500, 502, 503, 504, 599] {
        let got = Got::default();
        let mut answers = vec![204, code, 204, 204].into_iter();
        let front = front(&got, move |_| status(answers.next().unwrap())).await;
        let mut sink = sink(&front).max_points(4);
        let batch = elements(10);
        let error = failure(&mut sink, &batch).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (4, 0, true)
        );
        assert!(
            error.to_string().contains(&format!("HTTP status {code}")),
            "{error}"
        );
        assert_eq!(deliver(&mut sink, &batch[4..]).await.delivered, 6);
        let requests = got.take();
        assert_eq!(requests[1].names(), requests[2].names());
    }
}

#[tokio::test]
async fn what_is_unfit_counts_with_the_part_that_is_done() {
    let got = Got::default();
    let mut answers = vec![204, 500, 204].into_iter();
    let front = front(&got, move |_| status(answers.next().unwrap())).await;
    let mut batch = elements(6);
    let unfit = element("", 0, 0);
    batch.insert(1, unfit.clone());
    batch.insert(5, unfit.clone());
    batch.push(unfit);
    let mut sink = sink(&front).max_points(3);
    let error = failure(&mut sink, &batch).await;
    // m.0, unfit, m.1, m.2; then m.3.
    assert_eq!((error.done_count(), error.rejected_count()), (4, 1));
    let fate = deliver(&mut sink, &batch[4..]).await;
    assert_eq!((fate.delivered, fate.rejected), (3, 2));
}

#[tokio::test]
async fn a_receiver_is_not_asked_before_the_time_it_names() {
    let got = Got::default();
    let mut first = true;
    let front = front(&got, move |_| match std::mem::take(&mut first) {
        true => Reply::Answer(429, "retry-after: 1\r\n", "slow down".to_owned()),
        false => status(204),
    })
    .await;
    let mut sink = sink(&front);
    let error = failure(&mut sink, &elements(1)).await;
    let refused = Instant::now();
    assert!(
        error.can_retry() && error.to_string().contains("429: slow down"),
        "{error}"
    );
    assert_eq!(deliver(&mut sink, &elements(1)).await.delivered, 1);
    assert!(refused.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn what_never_will_be_taken_is_fatal() {
    for (code, headers) in [
        (301, "location: http://127.0.0.1:1/\r\n"),
        (401, ""),
        (403, ""),
        (404, ""),
        (405, ""),
    ] {
        let got = Got::default();
        let mut answers = vec![204, code].into_iter();
        let front = front(&got, move |_| {
            Reply::Answer(answers.next().unwrap(), headers, String::new())
        })
        .await;
        let mut sink = sink(&front).max_points(4);
        let error = failure(&mut sink, &elements(10)).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (4, 0, false)
        );
        assert!(
            error.to_string().contains(&format!("HTTP status {code}")),
            "{error}"
        );
        assert_eq!(got.len(), 2);
    }
}

#[tokio::test]
async fn a_receiver_that_takes_points_and_breaks_off_gets_them_again() {
    let got = Got::default();
    let mut count = 0;
    let front = front(&got, move |_| {
        count += 1;
        match count % 2 {
            1 => Reply::Reset,
            _ => status(204),
        }
    })
    .await;
    let batch = elements(8);
    let fate = deliver(&mut sink(&front).max_points(4), &batch).await;
    assert_eq!(
        fate,
        Fate {
            delivered: 8,
            attempts: 3,
            ..Fate::default()
        }
    );
    let requests = got.take();
    let (first, second): (Vec<_>, Vec<_>) = (names(&requests[..2]), names(&requests[2..]));
    assert_eq!(
        (&first[0], &second[0]),
        (&first[1], &second[1]),
        "at least once: each came twice"
    );
    assert_eq!(
        [first[0].clone(), second[0].clone()].concat(),
        batch.iter().map(Element::name).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_receiver_that_stays_silent_is_given_up_after_the_timeout() {
    let got = Got::default();
    let front = front(&got, |_| Reply::Silence).await;
    let mut sink = sink(&front).timeout(Duration::from_millis(50));
    let error = failure(&mut sink, &elements(3)).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (0, 0, true)
    );
    assert_eq!(got.len(), 1);
}
