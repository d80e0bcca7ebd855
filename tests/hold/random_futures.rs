//! Futures and streams that end in any order, against what was promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Lost, zip};
use proptest::prelude::*;

use super::{Jobs, acked};

#[derive(Clone, Debug)]
enum Act {
    Emit,
    Fail,
    Finish(prop::sample::Index),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Emit),
        3 => any::<prop::sample::Index>().prop_map(Act::Finish),
        1 => Just(Act::Fail),
    ];
    prop::collection::vec(act, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever finishes when: n in flight whenever n wait, never more; order as promised; each
    /// receipt resolves once its future is through, and not before.
    #[test]
    fn map_async_runs_as_many_as_it_may_and_keeps_its_promise_of_order(
        n in 1usize..5,
        ordered in any::<bool>(),
        acts in acts(),
    ) {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let jobs = Jobs::<Result<u32, BoxError>>::new();
        let start = jobs.clone();
        let flow = source.try_map_async(n, move |x| start.start(x));
        let seen = if ordered {
            flow.sink_to_list()
        } else {
            flow.unordered().sink_to_list()
        };
        let (mut next, mut finished, mut held) = (0, Vec::new(), 0);
        let mut receipts = Vec::new();
        let mut failing = std::collections::HashSet::new();
        for act in &acts {
            match act {
                Act::Emit | Act::Fail => match source.emit_tracked(next) {
                    Ok(receipt) => {
                        prop_assert!(held < n);
                        if matches!(act, Act::Fail) {
                            failing.insert(next);
                        }
                        receipts.push(receipt);
                        next += 1;
                        held += 1;
                    }
                    Err(EmitError::Full(x)) => {
                        prop_assert_eq!((x, held), (next, n));
                    }
                    Err(other) => panic!("{other:?}"),
                },
                Act::Finish(at) if jobs.running() > 0 => {
                    let x = jobs.finish(at.index(jobs.running()), |x| match failing.contains(&x) {
                        true => Err("no".into()),
                        false => Ok(x),
                    });
                    finished.push(x);
                    held -= 1;
                }
                Act::Finish(_) => {}
            }
            time.settle();
            prop_assert_eq!(jobs.running(), held.min(n));
            let out: Vec<u32> = if ordered {
                (0..next).take_while(|x| finished.contains(x)).collect()
            } else {
                finished.clone()
            };
            for (x, receipt) in receipts.iter().enumerate() {
                let x = x as u32;
                let expected = out.contains(&x).then(|| match failing.contains(&x) {
                    true => Err(Lost::Failed),
                    false => Ok(()),
                });
                prop_assert_eq!(receipt.outcome(), expected);
            }
            let good: Vec<u32> = out.into_iter().filter(|x| !failing.contains(x)).collect();
            prop_assert_eq!(seen.get(), good);
        }
    }

    /// Whatever finishes when, in front of an end that takes one at a time: never more held than
    /// the capacity says, in flight never more than n, and nothing lost.
    #[test]
    fn map_async_never_holds_more_than_its_capacity(
        n in 1usize..5,
        reorder in 1usize..4,
        ordered in any::<bool>(),
        acts in prop::collection::vec((0u8..3, any::<prop::sample::Index>()), 0..200),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let jobs = Jobs::new();
        let start = jobs.clone();
        let flow = source.map_async(n, move |x| start.start(x)).reorder(reorder);
        let flow = if ordered { flow } else { flow.unordered() };
        let mut out = flow.into_stream(1);
        let early = if ordered { reorder } else { 0 };
        let (mut next, mut seen) = (0, Vec::new());
        for (act, at) in acts {
            match act {
                0 => next += u32::from(source.emit(next).is_ok()),
                1 if jobs.running() > 0 => drop(jobs.finish(at.index(jobs.running()), |x| x)),
                _ => seen.extend(futures::FutureExt::now_or_never(out.next()).flatten()),
            }
            time.settle();
            prop_assert!(jobs.running() <= n);
            let snapshot = graph.snapshot().unwrap();
            let counts = &snapshot.named("map_async").unwrap().counts;
            prop_assert_eq!(counts.capacity, n as u64, "what the user wrote");
            prop_assert!(counts.out_of_turn <= early as u64, "{:?}", counts);
            let in_turn = counts.held - counts.out_of_turn;
            prop_assert!(in_turn <= counts.capacity, "{:?}", counts);
        }
        while seen.len() < next as usize {
            while jobs.running() > 0 {
                jobs.finish(0, |x| x);
            }
            time.settle();
            seen.extend(futures::FutureExt::now_or_never(out.next()).flatten());
            time.settle();
        }
        if !ordered {
            seen.sort_unstable();
        }
        prop_assert!(seen.into_iter().eq(0..next));
    }

    /// Across a fork, a join, failures and a sink that finishes as it likes: each handle once.
    #[test]
    fn every_item_of_an_acked_stream_is_acknowledged_exactly_once(
        failing in prop::collection::vec(any::<bool>(), 0..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 60),
        (n, writes) in (1usize..5, 1usize..5),
        ordered in any::<bool>(),
    ) {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let (flow, acks) = acked(&graph, 0..failing.len() as u32);
        let fails = failing.clone();
        let flow = flow.try_map_async(n, move |x| {
            let fails = fails[x as usize];
            async move { if fails { Err("no".into()) } else { Ok(x) } }
        });
        let shared = if ordered { flow.share() } else { flow.unordered().share() };
        let jobs = Jobs::new();
        let start = jobs.clone();
        shared.map_async(3, |x| async move { x }).sink_async(writes, move |x| start.start(x));
        let rows = zip((&shared, shared.buffer(3))).sink_to_list();
        let mut order = order.into_iter();
        let mut written = Vec::new();
        time.settle();
        while jobs.running() > 0 {
            prop_assert!(jobs.running() <= writes);
            let told: Vec<_> = acks.lock().unwrap().iter().map(|(x, _)| *x).collect();
            prop_assert!(told.iter().all(|x| written.contains(x) || failing[*x as usize]));
            written.push(jobs.finish(order.next().unwrap().index(jobs.running()), |_| ()));
            time.settle();
        }
        prop_assert_eq!(rows.len(), failing.iter().filter(|fails| !**fails).count());
        let mut acks = std::mem::take(&mut *acks.lock().unwrap());
        acks.sort_by_key(|(handle, _)| *handle);
        let expected = failing.iter().enumerate().map(|(x, fails)| match fails {
            true => (x as u32, Err(Lost::Failed)),
            false => (x as u32, Ok(())),
        });
        prop_assert!(acks.into_iter().eq(expected));
    }

    /// Pumped, in batches or not, through any limit: the same elements in the same order.
    #[test]
    fn map_async_in_order_is_map(
        items in prop::collection::vec(any::<u32>(), 0..600),
        n in 1usize..40,
        reorder in 1usize..4,
    ) {
        let graph = Graph::new();
        let out = graph
            .from_iter(items.clone())
            .map_async(n, |x| async move { x ^ 1 })
            .reorder(reorder)
            .sink_to_list();
        graph.run().unwrap();
        prop_assert_eq!(out.take(), items.iter().map(|x| x ^ 1).collect::<Vec<_>>());
    }

    /// Room counts every element in flight, so a pump is stopped at the limit.
    #[test]
    fn from_stream_asks_for_no_more_than_there_is_room(n in 1usize..600, len in 0usize..2_000) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let stream = futures::stream::iter(0..len).inspect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut out = graph.from_stream(stream).into_stream(n);
        time.settle();
        prop_assert_eq!(asked.load(Ordering::Relaxed), len.min(n));
        let mut seen = Vec::new();
        while seen.len() < len {
            seen.push(block_on(out.next()).unwrap());
            time.settle();
            prop_assert!(asked.load(Ordering::Relaxed) <= seen.len() + n);
        }
        prop_assert_eq!(block_on(out.next()), None);
        prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
    }
}
