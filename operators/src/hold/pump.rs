//! `from_iter`: an iterator is pumped through the graph by the driver.

use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

use crate::engine::{BATCH, Cx, Graph, Label, Node, Plan, Push, Role, Signal, Site, Time};
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

type Lead<T> = Box<dyn Fn(&T) -> Time + Send>;

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
            site: Site {
                kind: "from_iter",
                at: Location::caller(),
            },
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
        let label = plan.node(self.site, Role::Source);
        plan.has_futures();
        plan.pump();
        if self.lead.is_some() {
            plan.led();
        }
        let pump = Pump {
            label: label.clone(),
            items: Some(self.items),
            lead: self.lead,
            passed: 0,
            batch: Vec::new(),
            next,
        };
        let _ = plan.cell(&label, pump);
        plan.start(&label);
    }
}

struct Pump<I: Iterator, N> {
    label: Arc<Label>,
    /// `None` once it has ended.
    items: Option<I>,
    lead: Option<Lead<I::Item>>,
    passed: u64,
    batch: Vec<I::Item>,
    next: N,
}

/// Batches pumped in one turn, so that other nodes get theirs.
const TURN: usize = 64;
/// Elements between two looks at the room that is left, where the run folds.
const STRIDE: usize = 4 * BATCH;

impl<I, N> Pump<I, N>
where
    I: Iterator<Item: InGraph> + InGraph,
    N: Push<I::Item>,
{
    fn end(&mut self, cx: &mut Cx) {
        if self.items.take().is_some() {
            cx.open_pumps -= 1;
            self.next.signal(Signal::Close, cx);
            self.count(cx);
        }
    }

    fn count(&mut self, cx: &mut Cx) {
        let passed = self.passed;
        cx.take_census(self.label.id(), |node| node.counts.passed = passed);
    }

    /// Pumps up to `room` elements; returns how many there were.
    fn stride(&mut self, room: usize, cx: &mut Cx) -> usize {
        let Some(items) = &mut self.items else {
            return 0;
        };
        if let Some(lead) = &self.lead {
            let Some(item) = items.next() else { return 0 };
            let time = lead(&item);
            if time > cx.now() {
                cx.advance_led(time);
                cx.begin(self.label.id());
            }
            self.next.push(item, cx);
            1
        } else if self.next.batches() {
            self.batch.extend(items.take(room.min(BATCH)));
            let count = self.batch.len();
            self.next.push_batch(&mut self.batch, cx);
            count
        } else {
            // The iterator and the run become one loop.
            let stride = room.min(STRIDE);
            let mut left = stride;
            let next = &mut self.next;
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

impl<I, N> Node for Pump<I, N>
where
    I: Iterator<Item: InGraph> + InGraph,
    N: Push<I::Item>,
{
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        let id = self.label.id();
        for _ in 0..TURN {
            if self.items.is_none() || cx.gated(id) || cx.is_stopped() {
                return;
            }
            let room = cx.room(&mut self.next);
            if room == 0 {
                // Whoever is full has somebody else wait. One element makes it know us too.
                let count = self.stride(1, cx);
                self.passed += count as u64;
                if count == 0 {
                    self.end(cx);
                }
                continue;
            }
            let count = self.stride(room, cx);
            self.passed += count as u64;
            if count == 0 {
                self.end(cx);
                return;
            }
        }
        cx.wake(id);
    }

    fn let_go(&mut self, cx: &mut Cx) -> bool {
        if let Some(items) = self.items.take() {
            cx.open_pumps -= 1;
            cx.let_go.push(Box::new(items));
        }
        true
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.begin(self.label.id());
        match signal {
            Signal::Close => self.end(cx),
            Signal::Census => {
                self.count(cx);
                self.next.signal(Signal::Census, cx);
            }
            other => self.next.signal(other, cx),
        }
    }
}

impl<I: Iterator> std::fmt::Debug for FromIter<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromIter(..)")
    }
}
