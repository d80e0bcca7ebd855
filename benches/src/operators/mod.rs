//! Every operator beside its work written out by hand: a row each, a table a room.
//!
//! A row is `pair(name, by_hand, ours)`. Both get how many elements there are and return a digest of
//! what came out, in its order; what feeds ours is one of the functions below.

mod ends;
mod group;
mod hold;
mod join;
mod shape;

use std::iter::once;
use std::ops::Range;
use std::time::Duration;

use futures::executor::block_on;
use headwater::prelude::*;

use crate::outbox::{Inbox, Outbox, outbox};
use crate::workload::Workload;

/// The rows of all rooms.
pub(crate) fn workloads() -> Vec<Workload> {
    let rooms = [
        ("shape_operators", shape::rows()),
        ("group_operators", group::rows()),
        ("join_operators", join::rows()),
        ("hold_operators", hold::rows()),
        ("end_operators", ends::rows()),
    ];
    let named = rooms.into_iter().flat_map(|(table, rows)| {
        rows.into_iter().map(move |row| Workload {
            table: Some(table),
            ..row
        })
    });
    named.collect()
}

/// What an element adds to the digest.
trait Digest {
    fn digest(&self) -> u64;
}

impl Digest for u64 {
    #[inline]
    fn digest(&self) -> u64 {
        *self
    }
}

impl<A: Digest, B: Digest> Digest for (A, B) {
    #[inline]
    fn digest(&self) -> u64 {
        self.0.digest() ^ self.1.digest().rotate_left(32)
    }
}

impl<T: Digest> Digest for Vec<T> {
    #[inline]
    fn digest(&self) -> u64 {
        let digests = self.iter().map(Digest::digest);
        digests.fold(0, u64::wrapping_add)
    }
}

/// The sink of what is written by hand.
#[derive(Default)]
struct Out(u64);

impl Out {
    /// As [`Outbox::mix`], with which headwater's flows end.
    #[inline]
    fn put(&mut self, x: impl Digest) {
        self.0 = self.0.rotate_left(1) ^ x.digest();
    }
}

/// What the work by hand leaves in its sink.
#[inline]
fn by_hand(work: impl FnOnce(&mut Out)) -> u64 {
    let mut out = Out::default();
    work(&mut out);
    out.0
}

/// As [`by_hand`], for work that awaits.
#[inline]
fn awaited(work: impl AsyncFnOnce(&mut Out)) -> u64 {
    let mut out = Out::default();
    block_on(work(&mut out));
    out.0
}

/// Elements that come at once where something happens between: a tick, or a turn of the driver.
const LUMP: u64 = 100;

/// `0..n` in lumps.
fn lumps(n: u64) -> impl Iterator<Item = Range<u64>> {
    (0..n / LUMP).map(|at| at * LUMP..(at + 1) * LUMP)
}

/// Ends a flow in the digest.
fn end(flow: impl Flow<Item: Digest>, mut out: Outbox) {
    flow.sink(move |x| out.mix(x.digest()));
}

/// A source with a flow from it to the digest.
fn sourced<T, F>(flow: impl FnOnce(&Source<T>) -> F) -> (Source<T>, Inbox)
where
    T: Clone + Send + 'static,
    F: Flow<Item: Digest>,
{
    let (out, total) = outbox();
    let source = Source::new();
    end(flow(&source), out);
    (source, total)
}

/// Emits all in bulk, and closes nothing: what is held then is held by hand, too.
fn bulk<T, F>(items: impl Iterator<Item = T>, flow: impl FnOnce(&Source<T>) -> F) -> u64
where
    T: Clone + Send + std::fmt::Debug + 'static,
    F: Flow<Item: Digest>,
{
    let (source, total) = sourced(flow);
    source.emit_all(items).expect("nothing fails");
    drop(source);
    total.take()
}

/// As [`bulk`], where each element brings its time along: `time` says its milliseconds.
fn led<F>(n: u64, time: fn(u64) -> u64, flow: impl FnOnce(&Source<u64>) -> F) -> u64
where
    F: Flow<Item: Digest>,
{
    bulk(0..n, |source| {
        source.lead_clock(move |x| Time::from_millis(time(*x)));
        flow(source)
    })
}

/// Emits a lump, then lets the driver do what is due within `step`, and so on.
fn driven<F>(n: u64, step: Duration, flow: impl FnOnce(&Source<u64>) -> F) -> u64
where
    F: Flow<Item: Digest>,
{
    let (out, total) = outbox();
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source();
    end(flow(&source), out);
    for lump in lumps(n) {
        source.emit_all(lump).expect("nothing fails");
        time.advance(step);
    }
    drop((time, source, graph));
    total.take()
}

/// Lets the graph pump all that `items` has, and run until it is done.
fn pumped<F>(items: Range<u64>, flow: impl FnOnce(headwater::FromIter<Range<u64>>) -> F) -> u64
where
    F: Flow<Item: Digest>,
{
    let (out, total) = outbox();
    let graph = Graph::new();
    end(flow(graph.from_iter(items)), out);
    graph.run().expect("nothing fails");
    drop(graph);
    total.take()
}

/// Emits into the first source, with an element into the second before each lump.
fn beside<F>(n: u64, flow: impl FnOnce(&Source<u64>, &Source<u64>) -> F) -> u64
where
    F: Flow<Item: Digest>,
{
    let (many, few, total) = two_sourced(flow);
    for lump in lumps(n) {
        few.emit_all(once(!lump.start)).expect("nothing fails");
        many.emit_all(lump).expect("nothing fails");
    }
    drop((many, few));
    total.take()
}

/// Two sources with a flow from both to the digest.
fn two_sourced<F>(
    flow: impl FnOnce(&Source<u64>, &Source<u64>) -> F,
) -> (Source<u64>, Source<u64>, Inbox)
where
    F: Flow<Item: Digest>,
{
    let (out, total) = outbox();
    let graph = Graph::new();
    let (left, right) = (graph.source(), graph.source());
    end(flow(&left, &right), out);
    (left, right, total)
}
