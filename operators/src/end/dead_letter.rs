//! `dead_letter`: failures leave for a source of their own, and the elements go on.

use std::sync::Arc;

use super::feed::Feed;
use crate::engine::{
    Cx, Failure, Graph, Label, Plan, Push, Role, Signal, Site, Source, SourceCell,
};
use crate::flow::Run;

/// Emits failures into a source of the same graph: see [`Flow::dead_letter`](crate::Flow::dead_letter).
///
/// - **Emits** each element unchanged, and each failure that comes from above into the source: it
///   runs there once the element (or batch) under way has finished. Its place among the elements
///   stays empty, so that a zip downstream drops the mate instead of shifting.
/// - **Holds** nothing; the source's queue has room for
///   [`INBOX_CAPACITY`](crate::INBOX_CAPACITY) elements.
/// - **Waits**: while that queue is full the origin waits.
/// - **On close** passes it on. The source stays open, and this operator does not keep it open; at a
///   shutdown the source closes after all flows whose failures it takes.
/// - **Drops** nothing. A failure that the source took is counted
///   ([`dead_lettered`](crate::Counts#structfield.dead_lettered)) and handled: nobody else reports it, and the
///   lineage of a tracked element goes on beside it. One that it can't take (it is closed, or a
///   cycle's queue is full) goes down as if this operator were not there.
/// - **Panics** at construction if the source belongs to another graph.
///
/// It sees failures of the operators above it, up to the next `catch` and up to a fork, and brings
/// them to any number of flows: several `dead_letter`s may share one source. The element comes with
/// its failure where the operator that failed still had it: see
/// [`Failure::element`](crate::Failure::element). An asynchronous or blocking step has it under
/// [`retry`](crate::TryMapAsync::retry), and one that lends it always.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::Retry;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let dead = graph.source::<Failure>();
/// let letters = dead
///     .filter_map(|failure| failure.element::<&str>())
///     .sink_to_list();
/// let texts = graph.source::<&str>();
/// let numbers = texts
///     .try_map_async(4, |text| async move { Ok(text.parse::<u32>()?) })
///     .retry(Retry::attempts(2))
///     .dead_letter(&dead)
///     .sink_to_list();
/// texts.emit_all(["1", "two", "3"])?;
/// time.settle();
/// assert_eq!(numbers.take(), [1, 3]);
/// assert_eq!(letters.take(), ["two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct DeadLetter<R> {
    upstream: R,
    target: Arc<SourceCell<Failure>>,
    site: Site,
}

impl<R: Run> DeadLetter<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, source: &Source<Failure>) -> Self {
        upstream.graph().assert_same(&source.graph(), "dead_letter");
        DeadLetter {
            upstream,
            target: source.cell().clone(),
            site: Site::new("dead_letter"),
        }
    }
}

impl<R: Run> Run for DeadLetter<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let feed = Feed::new(&label, &self.target, plan);
        self.upstream
            .build(DeadLetterPush { label, feed, next }, plan);
    }
}

struct DeadLetterPush<N> {
    label: Arc<Label>,
    feed: Feed<Failure>,
    next: N,
}

impl<N> DeadLetterPush<N> {
    #[cold]
    fn address<T>(&mut self, failure: Failure, cx: &mut Cx)
    where
        N: Push<T>,
    {
        let handled = self.feed.give(failure.clone(), cx).is_ok();
        let place = match handled {
            true => {
                if let Some(counts) = cx.counts(self.label.id()) {
                    counts.dead_lettered += 1;
                }
                Signal::Hole
            }
            false => Signal::Fail(failure),
        };
        self.next.signal(place, cx);
    }
}

impl<T, N: Push<T>> Push<T> for DeadLetterPush<N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.next.push(item, cx);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.next.push_batch(items, cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Fail(failure) => self.address(failure, cx),
            Signal::Room(room) => {
                *room = (*room).min(self.feed.room());
                self.next.signal(Signal::Room(room), cx);
            }
            Signal::Close => {
                self.next.signal(Signal::Close, cx);
                self.feed.close(cx);
            }
            other => self.next.signal(other, cx),
        }
    }

    #[inline]
    fn batches(&self) -> bool {
        self.next.batches()
    }
}

impl<R> std::fmt::Debug for DeadLetter<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").finish_non_exhaustive()
    }
}
