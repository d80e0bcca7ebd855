//! What stands in one place of a zip's rows: the elements of a flow, or a literal.

use std::ops::Deref;

use super::row::RowCheck;
use crate::engine::{Cx, Fifo, Graph, Label, Plan, Push};
use crate::flow::{Flow, InGraph, Run};

/// What a [`zip`](crate::zip()) takes at each place: a flow, or a [`literal`](crate::literal).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a flow nor a literal",
    label = "not a flow",
    note = "sources and shared nodes are flows by reference: write `&source`",
    note = "a value that is the same in each row of a `zip` is a literal: write `literal(value)`"
)]
pub trait ZipInput {
    /// What it puts into a row.
    type Item: InGraph;
    /// Without a borrow: a flow's run, or the literal itself.
    type Run;

    /// Detaches a flow, and checks that it belongs to the same graph as those before it.
    fn into_place(self, graph: &mut Option<Graph>) -> Self::Run;
}

#[diagnostic::do_not_recommend]
impl<F: Flow> ZipInput for F {
    type Item = F::Item;
    type Run = F::Run;

    #[track_caller]
    fn into_place(self, graph: &mut Option<Graph>) -> F::Run {
        let run = self.into_run();
        match graph {
            Some(graph) => graph.assert_same(run.graph(), "zip"),
            None => *graph = Some(run.graph().clone()),
        }
        run
    }
}

/// The graph of the flows among what was given to a zip.
///
/// # Panics
/// If there were literals only.
#[track_caller]
pub(crate) fn graph_of_flows(graph: Option<Graph>) -> Graph {
    let Some(graph) = graph else {
        panic!("`zip` of literals only would never come to an end: give it at least 1 flow");
    };
    graph
}

/// What [`ZipInput`] becomes.
pub(crate) trait Place: ZipInput + InGraph {
    type Queue: Queue<Item = Self::Item>;

    fn queue(&self) -> Self::Queue;

    /// Builds a run that leads to the next input of the node by `next`.
    fn lead<N: Push<Self::Item>>(self, next: N, at: (&Label, &mut u32), plan: &mut Plan);
}

impl<R: Run> Place for R {
    type Queue = Fifo<<R as Run>::Item>;

    fn queue(&self) -> Self::Queue {
        Fifo::default()
    }

    fn lead<N: Push<<R as Run>::Item>>(
        self,
        next: N,
        (node, input): (&Label, &mut u32),
        plan: &mut Plan,
    ) {
        plan.at_port(node, *input);
        *input += 1;
        self.build(next, plan);
    }
}

/// Where a row's elements for one place come from: the queue of an input, or a literal that is always
/// ready. It is known when a zip is compiled which of them it is, and costs nothing when it runs.
pub(crate) trait Queue: InGraph {
    type Item: InGraph;
    /// The elements of an input while some are drained.
    type Plain;
    /// How many inputs of the zip this is: 1, or 0.
    const INPUTS: usize;

    /// The queue, if it is an input's.
    fn input(&self) -> Option<&Fifo<Self::Item>>;

    /// As [`input`](Queue::input).
    fn input_mut(&mut self) -> Option<&mut Fifo<Self::Item>>;

    /// How many rows there is something for.
    #[inline]
    fn rows(&self) -> usize {
        self.input().map_or(usize::MAX, Fifo::len)
    }

    /// Elements held.
    #[inline]
    fn items(&self) -> usize {
        self.input().map_or(0, Fifo::items)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.input().is_some_and(Fifo::is_empty)
    }

    #[inline]
    fn is_plain(&self) -> bool {
        self.input().is_none_or(Fifo::is_plain)
    }

    /// Takes the element in front. Only of a literal, or while the queue [`is_ready`](Fifo::is_ready).
    fn pop_plain(&mut self) -> Option<Self::Item>;

    /// Takes what stands in front into a row.
    fn take(&mut self, row: &mut RowCheck, cx: &mut Cx) -> Option<Self::Item>;

    /// Takes all elements out, to [`drain`](Queue::drain) some, and to give back the rest. Only while
    /// it [`is_plain`](Queue::is_plain).
    fn take_plain(&mut self) -> Self::Plain;

    /// The first `rows` elements of what was taken out.
    fn drain<'a>(
        &'a self,
        plain: &'a mut Self::Plain,
        rows: usize,
    ) -> impl Iterator<Item = Self::Item>;

    fn give_back(&mut self, rest: Self::Plain);
}

impl<T: InGraph> Queue for Fifo<T> {
    type Item = T;
    type Plain = Vec<T>;
    const INPUTS: usize = 1;

    #[inline]
    fn input(&self) -> Option<&Fifo<T>> {
        Some(self)
    }

    #[inline]
    fn input_mut(&mut self) -> Option<&mut Fifo<T>> {
        Some(self)
    }

    #[inline]
    fn pop_plain(&mut self) -> Option<T> {
        Fifo::pop_plain(self)
    }

    #[inline]
    fn take(&mut self, row: &mut RowCheck, cx: &mut Cx) -> Option<T> {
        row.take(self.pop(), cx)
    }

    #[inline]
    fn take_plain(&mut self) -> Vec<T> {
        Fifo::take_plain(self)
    }

    #[inline]
    fn drain<'a>(&'a self, plain: &'a mut Vec<T>, rows: usize) -> impl Iterator<Item = T> {
        plain.drain(..rows)
    }

    #[inline]
    fn give_back(&mut self, rest: Vec<T>) {
        Fifo::give_back(self, rest);
    }
}

/// How many places each input holds. Literals among up to `N` are none.
pub(crate) struct Held<const N: usize> {
    places: [usize; N],
    inputs: usize,
}

impl<const N: usize> Default for Held<N> {
    #[inline]
    fn default() -> Self {
        Held {
            places: [0; N],
            inputs: 0,
        }
    }
}

impl<const N: usize> Held<N> {
    #[inline]
    pub(crate) fn look_at(&mut self, queue: &impl Queue) {
        if let Some(queue) = queue.input() {
            self.places[self.inputs] = queue.len();
            self.inputs += 1;
        }
    }
}

impl<const N: usize> Deref for Held<N> {
    type Target = [usize];

    #[inline]
    fn deref(&self) -> &[usize] {
        &self.places[..self.inputs]
    }
}
