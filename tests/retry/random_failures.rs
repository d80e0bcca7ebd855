//! Random failures: each element goes on once, in order, and its lineage resolves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{BoxFlow, Lost, Outcome, Retry, zip};
use proptest::prelude::*;

use super::{Flaky, MS};
use crate::words::quiet;

type Acks = Arc<Mutex<Vec<(u32, Outcome)>>>;

fn acked(graph: &Graph, items: impl IntoIterator<Item = u32>) -> (BoxFlow<u32>, Acks) {
    let acks = Acks::default();
    let told = acks.clone();
    let items: Vec<_> = items.into_iter().map(|x| (x, x)).collect();
    let flow = graph
        .from_acked_stream(futures::stream::iter(items), move |handle, outcome| {
            told.lock().unwrap().push((handle, outcome));
        })
        .boxed();
    (flow, acks)
}

/// A policy with or without delays, and how long it lasts at most.
fn policies() -> impl Strategy<Value = (Retry, u32)> {
    (1u32..5, 0u8..4, any::<u64>()).prop_map(|(attempts, kind, seed)| {
        let policy = Retry::attempts(attempts);
        let policy = match kind {
            0 => policy,
            1 => policy.fixed(3 * MS),
            2 => policy.exponential(2 * MS).max_delay(5 * MS),
            _ => policy.exponential(4 * MS).jitter(seed),
        };
        (policy, attempts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However often what fails, and however it comes in: the order is kept, each element goes on
    /// once or fails once, and is attempted as often as it needs.
    #[test]
    fn retried_elements_go_on_once_and_in_order(
        failures in prop::collection::vec(0u32..6, 0..40),
        (policy, attempts) in policies(),
        (n, ordered) in (1usize..6, any::<bool>()),
        cuts in prop::collection::vec(0usize..6, 1..20),
        close in any::<bool>(),
    ) {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new((0..).zip(failures.iter().copied()));
        let flow = source.try_map_async(n, flaky.step()).retry(policy);
        let flow = if ordered { flow } else { flow.unordered() };
        let seen = flow.sink_to_list();
        let mut items = 0..failures.len() as u32;
        let mut cuts = cuts.into_iter().cycle();
        while !items.is_empty() {
            match cuts.next().unwrap() {
                0 => {
                    if source.emit(items.start).is_ok() {
                        items.next();
                    }
                }
                cut => drop(source.emit_all(items.by_ref().take(cut)).or_else(|error| {
                    // What was drawn and refused comes again.
                    let refused = error.cause.into_element();
                    let drawn = u32::from(refused.is_some()) + error.drawn.len() as u32;
                    items.start -= drawn;
                    Ok::<_, ()>(0)
                })),
            }
            prop_assert!(graph.snapshot().unwrap().held() <= n as u64 + 1_024);
            time.advance(MS);
        }
        if close {
            source.close();
        }
        time.advance(Duration::from_secs(10));
        let good = |x: &u32| failures[*x as usize] < attempts;
        let expected: Vec<u32> = (0..failures.len() as u32).filter(good).collect();
        let mut seen = seen.take();
        if !ordered {
            seen.sort_unstable();
        }
        prop_assert_eq!(&seen, &expected);
        for (x, failures) in (0..).zip(&failures) {
            prop_assert_eq!(flaky.attempts_at(x), attempts.min(failures + 1) as usize);
        }
        let failed = failures.len() - expected.len();
        prop_assert_eq!(graph.snapshot().unwrap().failed(), failed as u64);
        prop_assert_eq!(graph.snapshot().unwrap().held(), 0);
    }

    /// Each handle is told once, by key or not, and a dead letter takes its lineage along.
    #[test]
    fn the_lineage_of_retried_elements_resolves_once(
        failures in prop::collection::vec(0u32..5, 0..40),
        (policy, attempts) in policies(),
        n in 1usize..6,
        (order, letters) in (0u8..3, any::<bool>()),
    ) {
        let (graph, time) = quiet();
        let dead = graph.source::<Failure>();
        let lost = dead.map(|failure| failure.element::<u32>().unwrap()).sink_to_list();
        let (flow, acks) = acked(&graph, 0..failures.len() as u32);
        let flaky = Flaky::new((0..).zip(failures.iter().copied()));
        let flow = flow.try_map_async(n, flaky.step()).retry(policy);
        let flow = match order {
            0 => flow,
            1 => flow.unordered(),
            _ => flow.by_key(|x| x % 3),
        };
        let seen = match letters {
            true => flow.dead_letter(&dead).sink_to_list(),
            false => flow.sink_to_list(),
        };
        time.advance(Duration::from_secs(10));
        let fails = |x: u32| failures[x as usize] >= attempts;
        let mut acks = std::mem::take(&mut *acks.lock().unwrap());
        acks.sort_by_key(|(x, _)| *x);
        let expected = (0..failures.len() as u32).map(|x| match fails(x) && !letters {
            true => (x, Err(Lost::Failed)),
            false => (x, Ok(())),
        });
        prop_assert_eq!(acks, expected.collect::<Vec<_>>());
        let mut lost = lost.take();
        lost.sort_unstable();
        let expected: Vec<u32> = (0..failures.len() as u32).filter(|x| fails(*x) && letters).collect();
        prop_assert_eq!(lost, expected);
        prop_assert_eq!(
            seen.len(),
            (0..failures.len() as u32).filter(|x| !fails(*x)).count()
        );
    }

    /// Beside an element that never fails, whatever is tried again leaves a zip's mates in step.
    #[test]
    fn a_zip_pairs_no_wrong_mates_after_retries(
        failures in prop::collection::vec(0u32..4, 0..30),
        attempts in 1u32..4,
    ) {
        let (graph, time) = quiet();
        let dead = graph.source::<Failure>();
        let source = graph.source::<u32>();
        let flaky = Flaky::new((0..).zip(failures.iter().copied()));
        let flow = source
            .try_map_async(100, flaky.step())
            .retry(Retry::attempts(attempts).fixed(MS))
            .dead_letter(&dead);
        let rows = zip((flow, &source)).sink_to_list();
        source.emit_all(0..failures.len() as u32).unwrap();
        time.advance(Duration::from_secs(1));
        let rows = rows.take();
        prop_assert!(rows.iter().all(|(left, right)| left == right));
        prop_assert_eq!(rows.len(), failures.iter().filter(|f| **f < attempts).count());
    }
}
