//! What a slow consumer changes, and what it does not.

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{List, Lost, Outcome, Receipt, Speed};
use proptest::prelude::*;

use super::{Act, acts};
use crate::naps::Night;
use crate::words::ms;

/// What came through `build`'s operator and a consumer that takes `nap` for each element, after a
/// close at a moment when it is busy.
fn play_slowly<O: Send + 'static>(
    acts: &[Act],
    nap: u64,
    build: impl FnOnce(&Source<u32>, &Night) -> List<O>,
) -> (Vec<O>, Vec<(u32, Outcome)>, u64) {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    let source = graph.source::<u32>();
    let list = build(&source, &night);
    let (mut receipts, mut next) = (Vec::<(u32, Receipt)>::new(), 0);
    // Naps that begin on the way of a longer step would begin too early.
    let sleep = |by: u64| (0..by).for_each(|_| night.advance(1));
    for act in acts {
        match *act {
            Act::Emit | Act::Fail | Act::EmitAll(_) => match source.emit_tracked(next) {
                Ok(receipt) => {
                    receipts.push((next, receipt));
                    next += 1;
                }
                Err(error) => assert!(error.is_full(), "{error:?}"),
            },
            Act::Advance(by) => sleep(by.into()),
            Act::Settle => night.settle(),
        }
    }
    source.close();
    // More than enough for all of them, one after the other.
    sleep(100 + u64::from(next) * (nap + 20));
    let outcomes = receipts
        .iter()
        .map(|(x, receipt)| (*x, receipt.outcome().expect("all is done")))
        .collect();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.held(), 0);
    let shutdown = block_on(graph.shutdown()).unwrap();
    assert!(shutdown.complete);
    (list.take(), outcomes, snapshot.dropped())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Behind them somebody is busy: those that lose nothing lose nothing, in order; of those that
    /// do, each loss is counted and told, and the newest arrives.
    #[test]
    fn a_slow_consumer_changes_when_but_not_what_is_promised(
        acts in acts(),
        nap in 1u64..60,
        which in 0usize..8,
        capacity in 1usize..5,
    ) {
        let (out, outcomes, dropped) = play_slowly(&acts, nap, |source, night| {
            let flow = match which {
                0 => source.delay(ms(20)).capacity(capacity).boxed(),
                1 => source.rate_limit(ms(10)).capacity(capacity).boxed(),
                2 => source.pace(|x| Time::from_millis(u64::from(*x) * 7), 1.0).capacity(capacity).boxed(),
                3 => source.pace(|x| Time::from_millis(u64::from(*x)), Speed::Max).capacity(capacity).boxed(),
                4 => source.latest().boxed(),
                5 => source.sample(ms(10)).boxed(),
                6 => source.debounce(ms(10)).boxed(),
                _ => source.throttle(ms(10)).boxed(),
            };
            let clock = night.clock.clone();
            flow.map_async(1, move |x| {
                let work = clock.sleep(nap);
                async move {
                    work.await;
                    x
                }
            })
            .sink_to_list()
        });
        prop_assert!(out.is_sorted());
        prop_assert_eq!(out.len() as u64 + dropped, outcomes.len() as u64);
        for (x, outcome) in &outcomes {
            let expected = if out.contains(x) { Ok(()) } else { Err(Lost::Discarded) };
            prop_assert_eq!(*outcome, expected);
        }
        if which < 4 {
            prop_assert_eq!(dropped, 0);
        } else if which < 7 {
            prop_assert_eq!(out.last().copied(), outcomes.last().map(|(x, _)| *x));
        }
    }

    #[test]
    fn conflate_loses_nothing_to_a_slow_consumer(acts in acts(), nap in 1u64..60) {
        let (out, outcomes, dropped) = play_slowly(&acts, nap, |source, night| {
            let clock = night.clock.clone();
            source
                .map(|x| vec![x])
                .conflate(|waiting, mut more| waiting.append(&mut more))
                .map_async(1, move |xs| {
                    let work = clock.sleep(nap);
                    async move {
                        work.await;
                        xs
                    }
                })
                .sink_to_list()
        });
        let merged: Vec<u32> = out.concat();
        prop_assert!(merged.iter().copied().eq(0..outcomes.len() as u32));
        prop_assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
        prop_assert_eq!(dropped, 0);
    }
}
