//! `from_iter`: an iterator is pumped through the graph by the driver.

use std::ops::ControlFlow;
use std::task::Waker;

use super::pump::{self, Lead, Pump};
use crate::engine::{BATCH, BATCHES_IN_TURN, Cx, Graph, Node, Plan, Push, Signal, Site, Time};
use crate::flow::{InGraph, Run};

/// A flow of an iterator's elements: see [`Graph::from_iter`].
///
/// - **Emits** as fast as the driver runs, while nobody downstream is full.
/// - **Holds** nothing.
/// - **Waits** while an operator downstream is full.
/// - **On close** (the iterator ends, or the graph shuts down) it closes.
/// - **Drops** nothing: at a shutdown the rest stays in the iterator.
/// - **Panics** where the iterator does; that poisons the graph. The graph needs a driver.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let evens = graph.from_iter(1..=3).map(|x| 2 * x).sink_to_list();
/// graph.run()?;
/// assert_eq!(evens.take(), [2, 4, 6]);
/// # Ok::<(), GraphError>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FromIter<I: Iterator> {
    graph: Graph,
    items: I,
    lead: Option<Lead<I::Item>>,
    site: Site,
}

impl Graph {
    /// A flow of the elements of `items`, pumped by the graph's driver or by
    /// [`run`](Graph::run), and paused while an operator downstream is full. The iterator is asked
    /// under the graph's lock, so it must not block: for one that does, send from a thread.
    #[track_caller]
    pub fn from_iter<I>(&self, items: I) -> FromIter<I::IntoIter>
    where
        I: IntoIterator<Item: InGraph, IntoIter: InGraph>,
    {
        FromIter {
            graph: self.clone(),
            items: items.into_iter(),
            lead: None,
            site: Site::new("from_iter"),
        }
    }
}

impl<I: Iterator> FromIter<I> {
    /// The graph's clock follows the elements: see [`Source::lead_clock`](crate::Source::lead_clock).
    pub fn lead_clock(mut self, timestamp: impl Fn(&I::Item) -> Time + Send + 'static) -> Self {
        self.lead = Some(Box::new(timestamp));
        self
    }
}

impl<I> Run for FromIter<I>
where
    I: Iterator<Item: InGraph> + InGraph,
{
    type Item = I::Item;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<I::Item>>(self, next: N, plan: &mut Plan) {
        let what = (self.items, self.lead, self.site);
        let node = |pump| IterPump {
            pump,
            batch: Vec::new(),
        };
        pump::build(what, next, node, plan);
    }
}

struct IterPump<I: Iterator, N> {
    pump: Pump<I, I::Item, N>,
    batch: Vec<I::Item>,
}

/// Elements between two looks at the room that is left, where the run folds.
const STRIDE: usize = 4 * BATCH;

impl<I, N> IterPump<I, N>
where
    I: Iterator<Item: InGraph> + InGraph,
    N: Push<I::Item>,
{
    /// Pumps up to `room` elements; returns how many there were. A function of its own, so that the
    /// loop has the registers for itself.
    #[inline(never)]
    fn stride(&mut self, room: usize, cx: &mut Cx) -> usize {
        let Some(items) = &mut self.pump.input else {
            return 0;
        };
        if self.pump.lead.is_some() {
            let Some(item) = items.next() else { return 0 };
            self.pump.push_led(item, cx);
            1
        } else if self.pump.next.batches() {
            self.batch.extend(items.take(room.min(BATCH)));
            let count = self.batch.len();
            self.pump.next.push_batch(&mut self.batch, cx);
            count
        } else {
            // The iterator and the run become one loop.
            let stride = room.min(STRIDE);
            let mut left = stride;
            let next = &mut self.pump.next;
            let _ = items.try_for_each(|item| {
                next.push(item, cx);
                left -= 1;
                if left == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            stride - left
        }
    }
}

impl<I, N> Node for IterPump<I, N>
where
    I: Iterator<Item: InGraph> + InGraph,
    N: Push<I::Item>,
{
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        for _ in 0..BATCHES_IN_TURN {
            if self.pump.rests(cx) {
                return;
            }
            // Without room, whoever is full has somebody else wait: one element makes it know us
            // too.
            let room = cx.room(&mut self.pump.next).max(1);
            let count = self.stride(room, cx);
            self.pump.passed += count as u64;
            if count == 0 {
                return self.pump.end(cx);
            }
        }
        cx.wake(self.pump.id());
    }

    fn let_go(&mut self, cx: &mut Cx) -> bool {
        self.pump.let_go(cx)
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.pump.root(signal, cx);
    }
}

impl<I: Iterator> std::fmt::Debug for FromIter<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromIter(..)")
    }
}
