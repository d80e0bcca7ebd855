//! When an attempt is made, and policies that make no sense.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use headwater::Retry;
use headwater::prelude::*;

use super::{Flaky, MS};
use crate::words::quiet;

/// When, in milliseconds, the attempts at an element that always fails are made: the same for whoever
/// tries again.
fn moments(policy: Retry) -> Vec<u64> {
    let given = moments_of(|source, flaky| {
        let flow = source.try_map_async(1, flaky.step());
        flow.retry(policy.clone()).sink(drop);
    });
    let lent = moments_of(|source, flaky| {
        let flow = source.try_map_async_ref(1, flaky.lent());
        flow.retry(policy.clone()).sink(drop);
    });
    let sink = moments_of(|source, flaky| {
        let sink = source.try_sink_async(1, flaky.write());
        sink.retry(policy.clone());
    });
    let lent_sink = moments_of(|source, flaky| {
        let sink = source.try_sink_async_ref(1, flaky.lent_write());
        sink.retry(policy.clone());
    });
    assert_eq!((&lent, &sink, &lent_sink), (&given, &given, &given));
    given
}

fn moments_of(connect: impl FnOnce(&Source<u32>, &Flaky)) -> Vec<u64> {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(7, u32::MAX)]);
    connect(&source, &flaky);
    source.emit(7).unwrap();
    time.settle();
    let mut moments = vec![0; flaky.count()];
    for at in 1..5_000 {
        time.advance(MS);
        moments.resize(flaky.count(), at);
    }
    assert_eq!(graph.snapshot().unwrap().failed(), 1);
    moments
}

#[test]
fn delays_are_fixed_or_double_up_to_a_cap() {
    assert_eq!(moments(Retry::attempts(3)), [0, 0, 0]);
    assert_eq!(moments(Retry::attempts(1)), [0]);
    assert_eq!(moments(Retry::attempts(3).fixed(20 * MS)), [0, 20, 40]);
    let doubling = Retry::attempts(6).exponential(100 * MS);
    assert_eq!(moments(doubling.clone()), [0, 100, 300, 700, 1500, 3100]);
    assert_eq!(
        moments(doubling.max_delay(250 * MS)),
        [0, 100, 300, 550, 800, 1050]
    );
    let cut = Retry::attempts(2).fixed(20 * MS).max_delay(5 * MS);
    assert_eq!(moments(cut), [0, 5]);
}

#[test]
fn jitter_is_deterministic_and_leaves_half_of_each_delay() {
    let policy = Retry::attempts(20).fixed(100 * MS);
    let jittered = moments(policy.clone().jitter(1));
    assert_eq!(jittered.len(), 20);
    assert_eq!(jittered, moments(policy.clone().jitter(1)));
    assert_ne!(jittered, moments(policy.jitter(2)));
    let gaps: Vec<u64> = jittered.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (50..=101).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap < 75) && gaps.iter().any(|gap| *gap > 75));
}

#[test]
fn many_doublings_stop_at_the_cap() {
    let policy = Retry::attempts(u32::MAX).exponential(MS).max_delay(2 * MS);
    assert!(moments(policy.when(|error| !error.to_string().contains("attempt 100"))).len() == 100);
}

#[test]
fn futures_of_an_attempt_are_awaited_before_the_next_one_begins() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let answers = Arc::new(Mutex::new(Vec::<oneshot::Sender<bool>>::new()));
    let ask = answers.clone();
    let seen = source
        .try_map_async(1, move |x| {
            let (sender, answer) = oneshot::channel();
            ask.lock().unwrap().push(sender);
            async move {
                if answer.await? {
                    Ok(x)
                } else {
                    Err("no".into())
                }
            }
        })
        .retry(Retry::attempts(2).fixed(10 * MS))
        .sink_to_list();
    source.emit(7).unwrap();
    // The delay counts from when the attempt failed.
    time.advance(25 * MS);
    let first = answers.lock().unwrap().pop().unwrap();
    first.send(false).unwrap();
    time.advance(9 * MS);
    assert!(answers.lock().unwrap().is_empty());
    time.advance(MS);
    let second = answers.lock().unwrap().pop().unwrap();
    second.send(true).unwrap();
    time.settle();
    assert_eq!(seen.take(), [7]);
}

#[test]
#[should_panic(expected = "`Retry::attempts(0)` would never try at all")]
fn zero_attempts_are_rejected() {
    let _ = Retry::attempts(0);
}

#[test]
#[should_panic(expected = "`fixed` delay of zero is none")]
fn a_fixed_delay_of_zero_is_rejected() {
    let _ = Retry::attempts(1).fixed(Duration::ZERO);
}

#[test]
#[should_panic(expected = "`exponential` delay that begins at zero never grows")]
fn an_exponential_delay_from_zero_is_rejected() {
    let _ = Retry::attempts(1).exponential(Duration::ZERO);
}

#[test]
#[should_panic(expected = "`max_delay` of zero would leave no delay")]
fn a_cap_of_zero_is_rejected() {
    let _ = Retry::attempts(1).max_delay(Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn attempts_keep_tokio_s_time() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let source = graph.source::<u32>();
    let flow = source.try_map_async(1, Flaky::new([(7, 2)]).step());
    let policy = Retry::attempts(3).fixed(Duration::from_secs(3_600));
    let seen = flow
        .retry(policy.max_delay(Duration::from_secs(600)))
        .sink_to_list();
    let begun = tokio::time::Instant::now();
    let receipt = source.send_tracked(7).await.unwrap();
    receipt.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(1_200));
    assert_eq!(seen.take(), [7]);
    drop(driver);
}
