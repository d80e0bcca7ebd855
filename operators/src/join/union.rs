//! `union`: the elements of several flows, in the order in which they come.

use std::sync::Arc;

use super::inputs::into_runs;
use super::relay::{Below, pass_once};
use crate::engine::{Cell, Cx, Graph, Label, Node, Plan, Push, Role, Signal, Site};
use crate::flow::{Flow, InGraph, Run};

/// Merges flows of the same type into one: see [`Flow::union`], [`union`] and [`union_all`].
///
/// - **Emits** each element of each flow, at once.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** of the last of its flows it closes.
/// - **Drops** nothing. Failures go on, and so do the empty places of those reported above.
/// - **Panics** at construction if the flows belong to two graphs.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::{union, union_all};
///
/// let graph = Graph::new();
/// let (a, b, c) = (graph.source::<i32>(), graph.source::<i32>(), graph.source::<i32>());
/// let two = a.union(&b).sink_to_list();
/// let three = union((&a, b.map(|x| -x), &c)).sink_to_list();
/// let many = union_all([&a, &b, &c]).sink_to_list();
/// a.emit(1)?;
/// b.emit(2)?;
/// c.emit(3)?;
/// assert_eq!(two.take(), [1, 2]);
/// assert_eq!(three.take(), [1, -2, 3]);
/// assert_eq!(many.take(), [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Union<Runs> {
    runs: Runs,
    site: Site,
}

/// Merges the flows in a tuple of two to eight; see [`Union`].
///
/// # Panics
/// If the flows belong to two graphs.
#[doc(alias = "merge")]
#[doc(alias = "or")]
#[track_caller]
pub fn union<F: Mergeable>(flows: F) -> Union<F::Runs> {
    Union {
        runs: flows.into_runs(),
        site: Site::new("union"),
    }
}

/// Merges any number of flows of one type; see [`Union`].
///
/// # Panics
/// If there is no flow, or if the flows belong to two graphs.
#[doc(alias = "merge")]
#[track_caller]
pub fn union_all<F: Flow>(flows: impl IntoIterator<Item = F>) -> Union<Vec<F::Run>> {
    let runs = into_runs(flows, "union_all");
    Union {
        runs,
        site: Site::new("union_all"),
    }
}

/// Tuples of two to eight flows of one type of elements.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of two to eight flows of the same type of elements",
    note = "sources and shared nodes are flows by reference: write `(&a, &b)`; for a `Vec` there is `union_all`"
)]
pub trait Mergeable {
    /// The flows as runs.
    type Runs;

    /// Detaches all flows, and checks that they belong to one graph.
    fn into_runs(self) -> Self::Runs;
}

struct UnionNode<N> {
    label: Arc<Label>,
    /// Inputs that have not closed.
    open: usize,
    passed: u64,
    below: Below,
    next: N,
}

impl<N: Send + 'static> Node for UnionNode<N> {}

impl<N: Send + 'static> UnionNode<N> {
    /// The node in its cell, with that many inputs.
    fn build(site: Site, inputs: usize, next: N, plan: &mut Plan) -> (Arc<Label>, Arc<Cell<Self>>) {
        let label = plan.node(site, Role::OrderedJoin);
        let node = UnionNode {
            label: label.clone(),
            open: inputs,
            passed: 0,
            below: Below::default(),
            next,
        };
        let cell = plan.cell(&label, node);
        (label, cell)
    }

    fn signal<T>(&mut self, signal: Signal<'_>, cx: &mut Cx)
    where
        N: Push<T>,
        T: 'static,
    {
        let id = self.label.id();
        match signal {
            Signal::Close => {
                self.open -= 1;
                if self.open == 0 {
                    self.next.signal(Signal::Close, cx);
                }
            }
            Signal::Fail(_) | Signal::Hole => self.next.signal(signal, cx),
            Signal::Room(room) => self.below.lower(id, room, &mut self.next, cx),
            Signal::Settle | Signal::Census => {
                let passed = self.passed;
                pass_once(id, signal, &mut self.next, cx, |node| {
                    node.counts.passed = passed
                });
            }
        }
    }
}

/// An input.
struct UnionPort<N> {
    cell: Arc<Cell<UnionNode<N>>>,
    closed: bool,
}

impl<N> UnionPort<N> {
    fn new(cell: &Arc<Cell<UnionNode<N>>>) -> Self {
        UnionPort {
            cell: cell.clone(),
            closed: false,
        }
    }
}

impl<T: InGraph, N: Push<T>> Push<T> for UnionPort<N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        let mut node = self.cell.take(cx);
        node.passed += 1;
        node.next.push(item, cx);
        self.cell.put(cx, node);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        let mut node = self.cell.take(cx);
        node.passed += items.len() as u64;
        node.next.push_batch(items, cx);
        self.cell.put(cx, node);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        if matches!(signal, Signal::Close) && std::mem::replace(&mut self.closed, true) {
            return;
        }
        let mut node = self.cell.take(cx);
        node.signal(signal, cx);
        self.cell.put(cx, node);
    }

    fn batches(&self) -> bool {
        true
    }
}

impl<R: Run> Run for Union<Vec<R>> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.runs[0].graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let (label, cell) = UnionNode::build(self.site, self.runs.len(), next, plan);
        for (port, run) in (0..).zip(self.runs) {
            plan.at_port(&label, port);
            run.build(UnionPort::new(&cell), plan);
        }
    }
}

/// For each arity: the first flow, then `flow letter, position` of the others.
macro_rules! union_arity {
    ($First:ident $count:literal $(, $F:ident $P:tt)+) => {
        impl<$First: Flow, $($F: Flow<Item = $First::Item>),+> Mergeable for ($First, $($F),+) {
            type Runs = ($First::Run, $($F::Run),+);

            #[track_caller]
            fn into_runs(self) -> Self::Runs {
                let runs = (self.0.into_run(), $(self.$P.into_run()),+);
                $(runs.0.graph().assert_same(runs.$P.graph(), "union");)+
                runs
            }
        }

        impl<$First: Run, $($F: Run<Item = $First::Item>),+> Run for Union<($First, $($F),+)> {
            type Item = $First::Item;

            fn graph(&self) -> &Graph {
                self.runs.0.graph()
            }

            fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
                let (label, cell) = UnionNode::build(self.site, $count, next, plan);
                plan.at_port(&label, 0);
                self.runs.0.build(UnionPort::new(&cell), plan);
                $(
                    plan.at_port(&label, $P);
                    self.runs.$P.build(UnionPort::new(&cell), plan);
                )+
            }
        }
    };
}

union_arity!(A0 2, A1 1);
union_arity!(A0 3, A1 1, A2 2);
union_arity!(A0 4, A1 1, A2 2, A3 3);
union_arity!(A0 5, A1 1, A2 2, A3 3, A4 4);
union_arity!(A0 6, A1 1, A2 2, A3 3, A4 4, A5 5);
union_arity!(A0 7, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6);
union_arity!(A0 8, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7);

impl<Runs> std::fmt::Debug for Union<Runs> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Union(..)")
    }
}
