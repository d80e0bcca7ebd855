//! The straight run, fed one element at a time from outside.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use futures::executor::block_on;
use futures::{SinkExt, StreamExt};
use rxrust::prelude::{Local, Observable, ObservableFactory, Observer};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::{Filter, Map};

use crate::outbox::outbox;
use crate::steps::{first, keep, running, second};
use crate::target::at_most;
use crate::timely_run;
use crate::workload::{Variant, Workload};

/// Room in the channels of the peers that are channels: never reached, since every element is taken out
/// before the next one goes in.
const ROOM: usize = 1024;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "the straight run, one element at a time from outside";
    Workload::new("one_by_one", what, Variant::hand("loop", by_hand))
        .variant(Variant::hand("mutex", mutex))
        .variant(Variant::peer("rxrust Subject", rxrust))
        .variant(Variant::peer("timely input, step each 1024", timely))
        .variant(Variant::peer("crossbeam, one thread", crossbeam))
        .variant(Variant::peer("futures mpsc, one thread", futures_mpsc))
        .variant(Variant::peer("tokio mpsc, one thread", tokio_mpsc))
        .target(at_most("headwater lock", 1.25, "loop"))
        .target(at_most("headwater emit", 1.5, "mutex"))
}

#[derive(Default)]
struct State {
    sum: u64,
    out: u64,
}

/// Not inlined: whoever pushes one element at a time pays a call, and so does the loop.
#[inline(never)]
fn step(state: &mut State, x: u64) {
    let x = first(x);
    if keep(&x) {
        state.sum = running(state.sum, second(x));
        state.out = state.out.wrapping_add(state.sum);
    }
}

fn by_hand(n: u64) -> u64 {
    let mut state = State::default();
    for x in 0..n {
        step(black_box(&mut state), x);
    }
    state.out
}

/// What any graph that many threads may push into has to pay at the least.
fn mutex(n: u64) -> u64 {
    let state = Mutex::new(State::default());
    for x in 0..n {
        let mut state = black_box(&state)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        step(&mut state, x);
    }
    state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .out
}

fn rxrust(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let mut subject = Local::subject::<u64, Infallible>();
    subject
        .clone()
        .map(first)
        .filter(keep)
        .map(second)
        .scan(0, running)
        .subscribe(move |x| out.add(x));
    for x in 0..n {
        subject.next(x);
    }
    subject.complete();
    total.take()
}

fn timely(n: u64) -> u64 {
    let (mut out, total) = outbox();
    timely_run::fed(0..n, move |elements| {
        let mut sum = 0;
        let sums = elements.map(first).filter(keep).map(second).map(move |x| {
            sum = running(sum, x);
            sum
        });
        sums.inspect(move |x| out.add(*x));
    });
    total.take()
}

fn crossbeam(n: u64) -> u64 {
    let (into, from) = crossbeam_channel::bounded(ROOM);
    let mut state = State::default();
    for x in 0..n {
        into.send(x).expect("the receiver lives");
        step(&mut state, from.recv().expect("the sender lives"));
    }
    state.out
}

fn futures_mpsc(n: u64) -> u64 {
    let (mut into, mut from) = futures::channel::mpsc::channel(ROOM);
    let mut state = State::default();
    block_on(async {
        for x in 0..n {
            into.send(x).await.expect("the receiver lives");
            step(&mut state, from.next().await.expect("the sender lives"));
        }
    });
    state.out
}

fn tokio_mpsc(n: u64) -> u64 {
    let (into, mut from) = tokio::sync::mpsc::channel(ROOM);
    let mut state = State::default();
    block_on(async {
        for x in 0..n {
            into.send(x).await.expect("the receiver lives");
            step(&mut state, from.recv().await.expect("the sender lives"));
        }
    });
    state.out
}
