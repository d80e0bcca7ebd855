//! Zips of three to seven.

use headwater::prelude::*;
use headwater::{BoxFlow, Loss, Lost, zip, zip_all};
use proptest::prelude::*;

use super::{held, lost, unless};

#[derive(Clone, Debug)]
enum Event {
    Emit(usize, Vec<u32>),
    Close(usize),
}

/// Rows of `n` inputs by position, and how many elements were left without mates.
fn naive_zip(n: usize, events: &[Event]) -> (Vec<Vec<u32>>, u64) {
    let (mut queues, mut closed) = (vec![Vec::new(); n], vec![false; n]);
    let (mut taken, mut late, mut finished) = (0, 0, false);
    let mut rows = Vec::new();
    for event in events {
        match event {
            Event::Emit(i, items) if *i < n && !closed[*i] => {
                for x in items {
                    if finished {
                        late += 1;
                        continue;
                    }
                    queues[*i].push(*x);
                    if queues.iter().all(|queue| queue.len() > taken) {
                        rows.push(queues.iter().map(|queue| queue[taken]).collect());
                        taken += 1;
                        finished = (0..n).any(|p| closed[p] && queues[p].len() == taken);
                    }
                }
            }
            Event::Close(i) if *i < n => {
                closed[*i] = true;
                finished |= queues[*i].len() == taken;
            }
            _ => {}
        }
    }
    let left: usize = queues.iter().map(|queue| queue.len() - taken).sum();
    let unpaired = if finished { left as u64 + late } else { 0 };
    (rows, unpaired)
}

/// A zip of `n` sources, whose rows are vectors.
fn zip_of(n: usize, s: &[Source<u32>]) -> BoxFlow<Vec<u32>> {
    match n {
        2 => s[0].zip(&s[1]).map(|(a, b)| vec![a, b]).boxed(),
        3 => zip((&s[0], &s[1], &s[2]))
            .map(|r| vec![r.0, r.1, r.2])
            .boxed(),
        4 => zip((&s[0], &s[1], &s[2], &s[3]))
            .map(|r| vec![r.0, r.1, r.2, r.3])
            .boxed(),
        5 => zip((&s[0], &s[1], &s[2], &s[3], &s[4]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4])
            .boxed(),
        6 => zip((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4, r.5])
            .boxed(),
        7 => zip((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4, r.5, r.6])
            .boxed(),
        8 => zip((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6], &s[7]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4, r.5, r.6, r.7])
            .boxed(),
        _ => unreachable!("no such arity"),
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let items = prop::collection::vec(0..100u32, 0..12);
    let event = prop_oneof![
        15 => (0..8usize, items).prop_map(|(i, items)| Event::Emit(i, items)),
        1 => (0..8usize).prop_map(Event::Close),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn zips_of_every_arity_pair_by_position(
        n in 2..=8usize,
        events in events(),
        tracked in any::<bool>(),
        (batch, all) in any::<(bool, bool)>(),
    ) {
        let graph = Graph::new();
        let sources: Vec<_> = (0..8).map(|_| graph.source::<u32>()).collect();
        let rows = if all {
            zip_all(&sources[..n]).named("zip").sink_to_list()
        } else {
            // Not named: the name would go to the map behind it.
            zip_of(n, &sources).sink_to_list()
        };
        let mut receipts = Vec::new();
        for event in &events {
            match event {
                Event::Emit(i, items) if tracked => {
                    receipts.extend(items.iter().filter_map(|x| sources[*i].emit_tracked(*x).ok()));
                }
                Event::Emit(i, items) if batch => {
                    let _ = sources[*i].emit_all(items.iter().copied());
                }
                Event::Emit(i, items) => {
                    items.iter().for_each(|x| drop(sources[*i].emit(*x)));
                }
                Event::Close(i) => sources[*i].close(),
            }
        }
        let (expected, unpaired) = naive_zip(n, &events);
        prop_assert_eq!(rows.take(), expected);
        prop_assert_eq!(lost(&graph, "zip", Loss::Unpaired), unpaired);
        sources.iter().for_each(Source::close);
        prop_assert_eq!(held(&graph, "zip"), 0);
        prop_assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
    }
}

#[test]
fn a_failure_that_waits_for_its_mate_at_the_close_is_reported() {
    let graph = Graph::new();
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = seen.clone();
    graph.on_error(OnError::Call(Box::new(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    })));
    let [a, b, c] = [(); 3].map(|()| graph.source::<u32>());
    zip((a.try_filter(|_| unless(false)), &b)).sink(drop);
    zip_all([
        a.try_filter(|_| unless(false)).boxed(),
        b.into_run().boxed(),
    ])
    .sink(drop);
    a.try_filter(|_| unless(false)).zip_latest(&c).sink(drop);
    let receipt = a.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), None);
    b.close();
    c.close();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn a_failure_that_comes_to_a_zip_that_has_ended_takes_no_place_below() {
    let graph = Graph::new();
    let (ended, source) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = ended
        .zip(source.try_filter(|x| unless(x % 3 != 0)))
        .map(|(a, _)| a)
        .union(&source)
        .zip(&source)
        .sink_to_list();
    ended.close();
    assert!(matches!(source.emit(3), Err(EmitError::Failed(_))));
    source.emit(4).unwrap();
    assert_eq!(rows.take(), [(3, 3), (4, 4)]);
}
