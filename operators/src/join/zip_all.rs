//! `zip_all`: elements of any number of like flows are lined up by position.

use std::sync::Arc;

use super::gate::{Gate, Heard, Limit};
use super::inputs::into_runs;
use super::row::RowCheck;
use crate::engine::{
    Cell, Cx, Fifo, Graph, Node, OnFull, Plan, PortCounts, Push, Role, Signal, Site, Tail, Waits,
};
use crate::flow::{Flow, InGraph, Run};

/// Lines up the elements of like flows by position: a `Vec` for each row. See [`zip_all`].
///
/// - **Emits** a `Vec` when every input has an element.
/// - **Holds**, **Waits**, **On close**, **Drops**: as [`Zip`](crate::Zip).
/// - **Panics** at construction if there is no flow, if the flows belong to two graphs, or if the
///   capacity is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::zip_all;
///
/// let graph = Graph::new();
/// let sources: Vec<_> = (0..3).map(|_| graph.source::<i32>()).collect();
/// let rows = zip_all(&sources).sink_to_list();
/// for (i, source) in (0..).zip(&sources) {
///     source.emit_all([i, 10 * i])?;
/// }
/// assert_eq!(rows.take(), [[0, 1, 2], [0, 10, 20]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct ZipAll<R> {
    runs: Vec<R>,
    limit: Limit,
    site: Site,
}

/// Lines up the elements of any number of like flows by position.
///
/// # Panics
/// If there is no flow, or if the flows belong to two graphs.
#[track_caller]
pub fn zip_all<F: Flow>(flows: impl IntoIterator<Item = F>) -> ZipAll<F::Run> {
    let runs = into_runs(flows, "zip_all");
    ZipAll {
        runs,
        limit: Limit::default(),
        site: Site::new("zip_all"),
    }
}

impl<R> ZipAll<R> {
    /// How many elements an input holds before its origin waits (1 024 by default).
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.limit.set_capacity(capacity, "zip_all");
        self
    }

    /// What to do with an element that comes to a full input: see [`Zip::on_full`](crate::Zip::on_full).
    pub fn on_full(mut self, policy: OnFull) -> Self {
        self.limit.on_full = policy;
        self
    }
}

impl<R: Run> Run for ZipAll<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.runs[0].graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Join);
        let node = ZipAllNode {
            gate: Gate::new(label.clone(), self.limit, self.runs.len()),
            queues: self.runs.iter().map(|_| Fifo::default()).collect(),
            held: vec![0; self.runs.len()],
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        for (port, run) in self.runs.into_iter().enumerate() {
            plan.at_port(&label, port as u32);
            let cell = cell.clone();
            run.build(ZipAllPort { cell, port }, plan);
        }
    }
}

struct ZipAllNode<T> {
    gate: Gate,
    queues: Vec<Fifo<T>>,
    /// How many places each queue holds, side by side so that nothing is allocated to look.
    held: Vec<usize>,
    next: Tail<Vec<T>>,
}

impl<T: InGraph> ZipAllNode<T> {
    fn rows(&mut self, cx: &mut Cx) {
        self.count();
        let rows = self.held.iter().copied().min().unwrap_or(0);
        for _ in 0..rows {
            let mut check = RowCheck::default();
            let mut row = Vec::with_capacity(self.queues.len());
            for queue in &mut self.queues {
                row.extend(check.take(queue.pop(), cx));
            }
            check.finish(Some(row), &self.gate, &mut self.next, cx);
        }
        if rows > 0 {
            self.gate.emitted(cx);
            self.count();
            if self.gate.finish_if_ended(&self.held) {
                self.finish(cx);
            }
        }
    }

    fn count(&mut self) {
        for (held, queue) in self.held.iter_mut().zip(&self.queues) {
            *held = queue.len();
        }
    }

    fn finish(&mut self, cx: &mut Cx) {
        for queue in &mut self.queues {
            self.gate.lose_rest(queue, cx);
        }
        self.next.signal(Signal::Close, cx);
    }

    fn signal(&mut self, port: usize, signal: Signal<'_>, cx: &mut Cx) {
        self.count();
        let items = self.queues.iter().map(Fifo::items).sum();
        let (queue, next) = (&mut self.queues[port], &mut self.next);
        match self
            .gate
            .hear(port, queue, signal, (&self.held, items), next, cx)
        {
            Heard::Nothing => {}
            Heard::Place => self.rows(cx),
            Heard::Ended => self.finish(cx),
        }
    }
}

impl<T: InGraph> Node for ZipAllNode<T> {
    fn starved(&mut self, still: bool, cx: &mut Cx) {
        self.count();
        self.gate.look_again(&self.held, still, cx);
    }

    fn waits(&self) -> Option<Waits> {
        let held: Vec<_> = self.queues.iter().map(Fifo::len).collect();
        self.gate.waits(&held)
    }

    fn inputs(&self) -> PortCounts {
        self.queues.iter().map(Fifo::len).collect()
    }
}

struct ZipAllPort<T> {
    cell: Arc<Cell<ZipAllNode<T>>>,
    port: usize,
}

impl<T: InGraph> Push<T> for ZipAllPort<T> {
    fn push(&mut self, item: T, cx: &mut Cx) {
        let mut node = self.cell.take(cx);
        node.count();
        let ZipAllNode {
            gate, queues, held, ..
        } = &mut *node;
        gate.keep(self.port, &mut queues[self.port], item, held, cx);
        node.rows(cx);
        self.cell.put(cx, node);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let mut node = self.cell.take(cx);
        node.signal(self.port, signal, cx);
        self.cell.put(cx, node);
    }

    fn batches(&self) -> bool {
        true
    }
}

impl<R> std::fmt::Debug for ZipAll<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZipAll")
            .field("inputs", &self.runs.len())
            .finish_non_exhaustive()
    }
}
