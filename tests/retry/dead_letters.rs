//! What fails for good can go where somebody looks at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Lost, Retry};

use super::Flaky;
use crate::words::quiet;

fn odd(x: &u32) -> Result<bool, BoxError> {
    if x % 2 == 1 {
        Ok(true)
    } else {
        Err("even".into())
    }
}

#[test]
fn dead_letters_leave_with_their_element_and_the_emitter_hears_of_no_failure() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let letters = dead
        .map(|f| (f.node().to_owned(), f.element::<u32>()))
        .sink_to_list();
    let source = graph.source::<u32>();
    let seen = source
        .try_filter(odd)
        .named("odd")
        .dead_letter(&dead)
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    assert_eq!(source.emit_all([3, 4]).unwrap(), 2);
    assert_eq!(seen.take(), [1, 3]);
    let letter = |x| ("odd".to_owned(), Some(x));
    assert_eq!(letters.take(), [letter(2), letter(4)]);
    assert_eq!(graph.snapshot().unwrap().failed(), 0);
}

#[test]
fn a_dead_letter_carries_the_lineage_until_it_is_delivered() {
    let (graph, time) = quiet();
    let dead = graph.source::<Failure>();
    dead.buffer(4).try_sink(|f| match f.element() {
        Some(2u32) => Ok(()),
        _ => Err("undeliverable".into()),
    });
    let source = graph.source::<u32>();
    source.try_filter(odd).dead_letter(&dead).sink(drop);
    let (two, four) = (
        source.emit_tracked(2).unwrap(),
        source.emit_tracked(4).unwrap(),
    );
    assert_eq!((two.outcome(), four.outcome()), (None, None));
    time.settle();
    assert_eq!(two.outcome(), Some(Ok(())));
    assert_eq!(four.outcome(), Some(Err(Lost::Failed)));
}

#[test]
fn several_flows_share_one_source_of_dead_letters() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let letters = dead.map(|f| f.kind()).sink_to_list();
    let source = graph.source::<u32>();
    source.try_filter(odd).dead_letter(&dead).sink(drop);
    source.try_map(|x| odd(&x)).dead_letter(&dead).sink(drop);
    source.emit(2).unwrap();
    assert_eq!(letters.take(), ["try_filter", "try_map"]);
}

#[test]
fn dead_letters_that_nobody_takes_any_more_are_failures_again() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let source = graph.source::<u32>();
    let seen = source.try_filter(odd).dead_letter(&dead).sink_to_list();
    dead.close();
    assert!(matches!(source.emit(2), Err(EmitError::Failed(_))));
    source.emit(3).unwrap();
    assert_eq!(seen.take(), [3]);
}

#[test]
fn a_dead_letter_takes_the_failures_that_no_catch_above_it_took() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let letters = dead.map(|f| f.kind()).sink_to_list();
    let source = graph.source::<u32>();
    let seen = source
        .try_filter(odd)
        .catch(|_| Some(0))
        .try_map(|x| if x == 0 { Err("zero".into()) } else { Ok(x) })
        .dead_letter(&dead)
        .try_map(|x| if x == 5 { Err("five".into()) } else { Ok(x) })
        .sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert!(source.emit(5).is_err());
    assert_eq!((seen.take(), letters.take()), (vec![1, 3], vec!["try_map"]));
}

#[test]
fn dead_letters_may_be_mended_and_come_round() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let source = graph.source::<u32>();
    let seen = source.try_filter(odd).dead_letter(&dead).sink_to_list();
    dead.filter_map(|f| f.take_element::<u32>())
        .map(|x| x + 1)
        .connect(&source);
    source.emit_all([1, 2, 4]).unwrap();
    assert_eq!(seen.take(), [1, 3, 5]);
}

#[test]
fn at_a_shutdown_dead_letters_are_delivered() {
    let (graph, time) = quiet();
    let dead = graph.source::<Failure>();
    let letters = dead.filter_map(|f| f.element::<u32>()).sink_to_list();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 9), (1, 1)]);
    let flow = source.try_map_async(4, flaky.step());
    let seen = flow
        .retry(Retry::attempts(2))
        .dead_letter(&dead)
        .sink_to_list();
    source.emit_all([0, 1]).unwrap();
    assert!(block_on(graph.shutdown()).is_ok());
    assert_eq!((seen.take(), letters.take()), (vec![1], vec![0]));
    drop(time);
}

#[test]
fn more_dead_letters_than_a_source_has_room_for_are_all_delivered() {
    const MANY: u32 = 3 * headwater::INBOX_CAPACITY as u32;
    for slow in [false, true] {
        let graph = Graph::new();
        let dead = graph.source::<Failure>();
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let count_one = move |_: Failure| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        match slow {
            true => drop(dead.buffer(7).sink(count_one)),
            false => drop(dead.sink(count_one)),
        }
        let seen = graph
            .from_iter(0..MANY)
            .try_filter(|x| {
                if x % 8 == 0 {
                    Ok(true)
                } else {
                    Err("no".into())
                }
            })
            .dead_letter(&dead)
            .sink_to_list();
        graph.run().unwrap();
        assert_eq!(seen.len() as u32, MANY / 8);
        assert_eq!(count.load(Ordering::Relaxed), MANY - MANY / 8);
        let snapshot = graph.snapshot().unwrap();
        assert_eq!((snapshot.failed(), snapshot.dropped()), (0, 0));
    }
}

#[test]
#[should_panic(expected = "dead_letter")]
fn dead_letters_stay_in_their_graph() {
    let other = Graph::new().source::<Failure>();
    let source = Source::<u32>::new();
    let _ = source.try_filter(odd).dead_letter(&other);
}
