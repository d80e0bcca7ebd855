//! A stream shared, mapped twice, zipped and summed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::rc::Rc;

use futures::channel::mpsc;
use futures::executor::block_on;
use futures::future::join;
use futures::{SinkExt, StreamExt};
use rxrust::prelude::{Local, Observable, ObservableFactory, Observer};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Inspect, Operator};

use crate::outbox::outbox;
use crate::target::at_most;
use crate::timely_run::{self, Time};
use crate::workload::{Variant, Workload};

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "share, two maps, zip, sum, in bulk";
    Workload::new("diamond", what, Variant::hand("loop", by_hand))
        .variant(Variant::hand("boxed callbacks, one by one", boxed))
        .variant(Variant::peer("rxrust Subject", rxrust))
        .variant(Variant::peer("timely binary", timely))
        .variant(Variant::peer("futures channels", futures))
        .target(at_most("headwater batches", 5.0, "loop"))
        .target(at_most(
            "headwater one by one",
            1.3,
            "boxed callbacks, one by one",
        ))
}

/// The map of the first branch.
#[inline]
pub(crate) fn left(x: u64) -> u64 {
    x.wrapping_add(0x5851_f42d)
}

/// The map of the second branch.
#[inline]
pub(crate) fn right(x: u64) -> u64 {
    x ^ 0x1405_7b7e
}

#[inline(never)]
fn by_hand(n: u64) -> u64 {
    (0..n).fold(0, |out, x| out.wrapping_add(left(x).wrapping_add(right(x))))
}

type Callback<T> = Box<dyn FnMut(T)>;

/// The two ports of a zip and what follows it.
struct Zip {
    left: VecDeque<u64>,
    right: VecDeque<u64>,
    next: Callback<(u64, u64)>,
}

impl Zip {
    fn take_left(&mut self, x: u64) {
        match self.right.pop_front() {
            Some(mate) => (self.next)((x, mate)),
            None => self.left.push_back(x),
        }
    }

    fn take_right(&mut self, x: u64) {
        match self.left.pop_front() {
            Some(mate) => (self.next)((mate, x)),
            None => self.right.push_back(x),
        }
    }
}

/// The same diamond as a careful user would wire it from callbacks: one virtual call a junction.
fn boxed(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let zip = Rc::new(RefCell::new(Zip {
        left: VecDeque::new(),
        right: VecDeque::new(),
        next: Box::new(move |(left, right)| out.add(left.wrapping_add(right))),
    }));
    let other = zip.clone();
    let mut fork: Vec<Callback<u64>> = vec![
        Box::new(move |x| zip.borrow_mut().take_left(left(x))),
        Box::new(move |x| other.borrow_mut().take_right(right(x))),
    ];
    for x in 0..n {
        for branch in black_box(&mut fork) {
            branch(x);
        }
    }
    drop(fork);
    total.take()
}

fn rxrust(n: u64) -> u64 {
    let (mut out, total) = outbox();
    // A subject that is completed while it emits unsubscribes by a task, and wants somewhere to put it.
    let tasks = tokio::task::LocalSet::new();
    let entered = tasks.enter();
    let mut subject = Local::subject::<u64, Infallible>();
    let rights = subject.clone().map(right);
    subject
        .clone()
        .map(left)
        .zip(rights)
        .subscribe(move |(left, right)| out.add(left.wrapping_add(right)));
    for x in 0..n {
        subject.next(x);
    }
    subject.complete();
    drop(entered);
    total.take()
}

fn timely(n: u64) -> u64 {
    let (mut out, total) = outbox();
    timely_run::pulled(0..n, move |elements| {
        let lefts = elements.clone().map(left);
        let rights = elements.map(right);
        zipped(lefts, rights).inspect(move |(left, right)| out.add(left.wrapping_add(*right)));
    });
    total.take()
}

type Pairs<'scope> = StreamVec<'scope, Time, (u64, u64)>;

/// timely has no zip; this is the one its users write.
fn zipped<'scope>(
    lefts: StreamVec<'scope, Time, u64>,
    rights: StreamVec<'scope, Time, u64>,
) -> Pairs<'scope> {
    lefts.binary(rights, Pipeline, Pipeline, "zip", |_, _| {
        let (mut held, mut mates) = (VecDeque::new(), VecDeque::new());
        move |lefts, rights, output| {
            lefts.for_each_stamp(|capability, data| {
                held.extend(data.flat_map(|data| data.drain(..)));
                let pairs = held.len().min(mates.len());
                let pairs = held.drain(..pairs).zip(mates.drain(..pairs));
                output.session(&capability).give_iterator(pairs);
            });
            rights.for_each_stamp(|capability, data| {
                mates.extend(data.flat_map(|data| data.drain(..)));
                let pairs = held.len().min(mates.len());
                let pairs = held.drain(..pairs).zip(mates.drain(..pairs));
                output.session(&capability).give_iterator(pairs);
            });
        }
    })
}

/// futures cannot share a stream, so a channel a branch it is.
fn futures(n: u64) -> u64 {
    let (mut into_left, lefts) = mpsc::channel(1024);
    let (mut into_right, rights) = mpsc::channel(1024);
    let feed = async move {
        for x in 0..n {
            into_left.feed(x).await.expect("the receiver lives");
            into_right.feed(x).await.expect("the receiver lives");
        }
    };
    let pairs = lefts.map(left).zip(rights.map(right));
    let sum = pairs.fold(0u64, |out, (left, right)| {
        ready(out.wrapping_add(left.wrapping_add(right)))
    });
    block_on(join(feed, sum)).1
}
