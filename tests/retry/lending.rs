//! Elements that are lent: each attempt sees the same one, and nobody needs a clone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::channel::oneshot;
use headwater::prelude::*;
use headwater::{BoxFuture, Lost, Retry};

use super::{Flaky, MS};
use crate::words::quiet;

/// Neither `Clone` nor small.
struct Request {
    id: u32,
    body: [u8; 100],
    asked: AtomicU32,
}

impl Request {
    fn new(id: u32) -> Request {
        Request {
            id,
            body: [id as u8; 100],
            asked: AtomicU32::new(0),
        }
    }
}

/// Where the attempts at each element found it.
type Places = Arc<Mutex<HashMap<u32, Vec<usize>>>>;

#[test]
fn each_attempt_sees_the_same_element_at_the_same_address() {
    for order in 0..3 {
        let (graph, time) = quiet();
        let (source, requests) = graph.pipe::<Request>();
        let places = Places::default();
        let note = places.clone();
        let flow = requests
            .try_map_async_ref(3, move |request: &Request| {
                assert!(request.body.iter().all(|byte| *byte == request.id as u8));
                let address = std::ptr::from_ref(request).addr();
                let mut places = note.lock().unwrap();
                places.entry(request.id).or_default().push(address);
                Box::pin(async move {
                    match request.asked.fetch_add(1, Ordering::Relaxed) {
                        nth if nth < request.id % 4 => Err(format!("{nth}").into()),
                        nth => Ok((request.id, nth)),
                    }
                })
            })
            .retry(Retry::attempts(4).exponential(MS));
        let seen = match order {
            0 => flow.sink_to_list(),
            1 => flow.unordered().sink_to_list(),
            _ => flow.by_key(|request| request.id % 2).sink_to_list(),
        };
        let mut left = 0..20;
        while !left.is_empty() {
            if source.emit(Request::new(left.start)).is_ok() {
                left.next();
            }
            time.advance(MS);
        }
        time.advance(100 * MS);
        let mut seen = seen.take();
        if order > 0 {
            seen.sort_unstable();
        }
        // What an attempt left in the element is there for the next one.
        assert!(seen.into_iter().eq((0..20).map(|id| (id, id % 4))));
        let places = places.lock().unwrap();
        for (id, places) in &*places {
            assert_eq!(places.len() as u32, id % 4 + 1);
            assert!(places.iter().all(|place| *place == places[0]));
        }
        assert_eq!(places.len(), 20);
    }
}

#[test]
fn futures_borrow_the_element_as_long_as_they_live() {
    let (graph, time) = quiet();
    let (source, requests) = graph.pipe::<Request>();
    let answers = Arc::new(Mutex::new(Vec::<oneshot::Sender<bool>>::new()));
    let ask = answers.clone();
    let seen = requests
        .try_map_async_ref(1, move |request| {
            let (sender, answer) = oneshot::channel();
            ask.lock().unwrap().push(sender);
            async move {
                match answer.await? {
                    true => Ok(request.id + u32::from(request.body[99])),
                    false => Err("no".into()),
                }
            }
            .boxed()
        })
        .retry(Retry::attempts(2).fixed(10 * MS))
        .sink_to_list();
    source.emit(Request::new(7)).unwrap();
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
    assert_eq!(seen.take(), [14]);
}

async fn post(request: &Request, port: u16) -> Result<u32, BoxError> {
    match request.id {
        13 => Err(format!("refused at {port}").into()),
        id => Ok(id),
    }
}

fn boxed_post(request: &Request) -> BoxFuture<'_, Result<u32, BoxError>> {
    Box::pin(post(request, 81))
}

#[test]
fn closures_async_functions_and_functions_of_boxed_futures_are_lent_elements() {
    let (graph, time) = quiet();
    let (source, requests) = graph.pipe::<Request>();
    let ports = Arc::new([80, 443]);
    let seen = requests
        .try_map_async_ref(1, move |request| {
            let ports = ports.clone();
            Box::pin(async move {
                let mut sum = 0;
                for port in *ports {
                    sum += post(request, port).await?;
                }
                Ok(Request::new(sum))
            })
        })
        .try_map_async_ref(1, |request| Box::pin(post(request, 80)))
        .map(Request::new)
        .try_map_async_ref(1, boxed_post)
        .sink_to_list();
    source.emit(Request::new(4)).unwrap();
    time.settle();
    assert_eq!(seen.take(), [8]);
}

#[test]
fn a_failure_brings_its_element_along_with_a_policy_and_without() {
    for attempts in [None, Some(1), Some(3)] {
        let (graph, time) = quiet();
        let dead = graph.source::<Failure>();
        let letters = dead
            .map(|failure| {
                let request = failure.take_element::<Request>().unwrap();
                (failure.kind(), failure.error().to_string(), request)
            })
            .sink_to_list();
        let (source, requests) = graph.pipe::<Request>();
        let flow = requests.try_map_async_ref(1, |request| {
            let nth = request.asked.fetch_add(1, Ordering::Relaxed) + 1;
            Box::pin(async move { Err::<(), _>(format!("{nth} at {}", request.id).into()) })
        });
        match attempts {
            None => drop(flow.dead_letter(&dead).sink(drop)),
            Some(n) => drop(flow.retry(Retry::attempts(n)).dead_letter(&dead).sink(drop)),
        }
        let attempts = attempts.unwrap_or(1);
        let receipt = source.emit_tracked(Request::new(7)).unwrap();
        time.settle();
        let (kind, error, request) = letters.take().pop().unwrap();
        assert_eq!(kind, "try_map_async_ref");
        assert_eq!(error, format!("{attempts} at 7"), "the last error");
        assert_eq!(request.asked.into_inner(), attempts);
        assert_eq!(receipt.outcome(), Some(Ok(())), "the letter was delivered");
    }
}

#[test]
fn only_errors_that_the_predicate_holds_for_are_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<&str>();
    let tries = Arc::new(AtomicU32::new(0));
    let count = tries.clone();
    source
        .try_map_async_ref(1, move |text| {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if text.is_empty() {
                    return Err("empty".into());
                }
                Ok(text.parse::<u32>()?)
            })
        })
        .retry(Retry::attempts(3).when(|error| error.is::<std::num::ParseIntError>()))
        .sink(drop);
    for (text, attempts) in [("", 1), ("x", 3)] {
        let receipt = source.emit_tracked(text).unwrap();
        time.settle();
        assert_eq!(tries.swap(0, Ordering::Relaxed), attempts);
        assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
        assert_eq!(receipt.failure().unwrap().element::<&str>(), Some(text));
    }
}

#[test]
fn one_that_waits_for_its_next_attempt_keeps_its_place_and_its_slot() {
    for ordered in [true, false] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 1)]);
        let flow = source
            .try_map_async_ref(2, flaky.lent())
            .retry(Retry::attempts(2).fixed(10 * MS));
        let seen = match ordered {
            true => flow.reorder(1).sink_to_list(),
            false => flow.unordered().sink_to_list(),
        };
        source.emit_all([0, 1]).unwrap();
        time.settle();
        let early: &[u32] = if ordered { &[] } else { &[1] };
        assert_eq!(seen.get(), early);
        source.emit(2).unwrap();
        time.settle();
        assert_eq!(flaky.attempts_at(2), usize::from(!ordered));
        assert_eq!(source.emit(3).is_err(), ordered);
        time.advance(10 * MS);
        let expected: &[u32] = if ordered { &[0, 1, 2] } else { &[1, 2, 3, 0] };
        assert_eq!(seen.take(), expected);
    }
}

#[test]
fn of_a_key_nobody_passes_one_that_is_tried_again_and_other_keys_go_on() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2), (11, 9)]);
    let seen = source
        .try_map_async_ref(3, flaky.lent())
        .retry(Retry::attempts(3).fixed(10 * MS))
        .by_key(|x| x / 10)
        .sink_to_list();
    // 1 and 2 wait behind 0 without a place, and 12 behind 11.
    for x in [0, 1, 2, 10, 11, 12] {
        source.emit(x).unwrap();
        time.settle();
    }
    assert_eq!(seen.take(), [10]);
    time.advance(19 * MS);
    assert_eq!((flaky.attempts_at(0), flaky.attempts_at(1)), (2, 0));
    assert!(seen.is_empty());
    time.advance(MS);
    let mut rest = seen.take();
    rest.sort_unstable();
    assert_eq!(rest, [0, 1, 2, 12]);
    assert_eq!(flaky.attempts_at(11), 3);
}

#[test]
fn nothing_is_tried_again_while_somebody_downstream_is_full() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(1, 1)]);
    let mut out = source
        .try_map_async_ref(2, flaky.lent())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .unordered()
        .into_stream(1);
    source.emit_all([0, 1]).unwrap();
    time.advance(50 * MS);
    assert_eq!(flaky.attempts_at(1), 1);
    let mut next = || futures::executor::block_on(futures::StreamExt::next(&mut out));
    assert_eq!(next(), Some(0));
    time.settle();
    assert_eq!(flaky.attempts_at(1), 2);
    assert_eq!(next(), Some(1));
}
