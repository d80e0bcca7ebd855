//! `combine_latest`: the latest elements of several flows, together.

use std::sync::Arc;

use super::desk::Desk;
use super::inputs::{Inputs, into_runs};
use super::latest::{Keeper, Latest, NthPort, Slots, TuplePort};
use crate::engine::{
    Cell, Cx, Graph, Label, Loss, Node, Plan, PortCounts, Push, Role, Signal, Site, Tail,
};
use crate::flow::{Flow, Forkable, Run};

/// Joins the latest elements of several flows: see [`Flow::combine_latest`], [`combine_latest`] and
/// [`combine_latest_all`].
///
/// - **Emits** a tuple for each element, once every input has had one. With
///   [`emit_on`](CombineLatest::emit_on) only for elements of the chosen inputs; the others update.
/// - **Holds** the latest element of each input. Its receipt stays open until it is replaced.
/// - **Waits** never.
/// - **On close** it closes when no tuple can follow: all inputs closed (or all of those chosen by
///   `emit_on`), or one closed that never had an element.
/// - **Drops** an element that is replaced before any tuple had it, counted as superseded; one that
///   no tuple had when it closes, as unpaired; what comes after that, as unheard.
/// - **Panics** at construction if the flows belong to two graphs.
///
/// An input whose element failed keeps the latest one before. The failure, or the empty place of one
/// that was reported above, goes on where the element would have made a tuple; where it would have
/// made none the failure has no place further down, and is reported.
///
/// Over two branches of one source it emits mixed tuples in between (the new element of one branch
/// with the old one of the other): [`zip`](crate::zip) does not.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let (price, amount) = (graph.source::<u32>(), graph.source::<u32>());
/// let both = price.combine_latest(&amount).sink_to_list();
/// let sales = price.combine_latest(&amount).emit_on(1).map(|(p, n)| p * n).sink_to_list();
/// price.emit(10)?;
/// amount.emit(3)?;
/// price.emit(20)?;
/// amount.emit(4)?;
/// assert_eq!(both.take(), [(10, 3), (20, 3), (20, 4)]);
/// assert_eq!(sales.take(), [30, 80]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct CombineLatest<Runs> {
    runs: Runs,
    inputs: usize,
    /// The inputs that it emits on; `None`: all.
    triggers: Option<Vec<usize>>,
    site: Site,
}

/// Joins the latest elements of the flows in a tuple of two to eight; see [`CombineLatest`].
///
/// # Panics
/// If the flows belong to two graphs.
#[track_caller]
pub fn combine_latest<F: Combinable>(flows: F) -> CombineLatest<F::Runs> {
    CombineLatest {
        runs: flows.into_runs(),
        inputs: F::INPUTS,
        triggers: None,
        site: Site::new("combine_latest"),
    }
}

/// Joins the latest elements of any number of like flows: a `Vec` for each; see [`CombineLatest`].
///
/// # Panics
/// If there is no flow, or if the flows belong to two graphs.
#[track_caller]
pub fn combine_latest_all<F: Flow<Item: Forkable>>(
    flows: impl IntoIterator<Item = F>,
) -> CombineLatest<Vec<F::Run>> {
    let runs = into_runs(flows, "combine_latest_all");
    CombineLatest {
        inputs: runs.len(),
        runs,
        triggers: None,
        site: Site::new("combine_latest_all"),
    }
}

impl<Runs> CombineLatest<Runs> {
    /// Emits only when an element comes to one of these inputs, counted from 0: `emit_on(1)` or
    /// `emit_on([0, 2])`.
    ///
    /// # Panics
    /// If there is no such input, or if none is chosen.
    #[track_caller]
    pub fn emit_on(mut self, inputs: impl Into<Inputs>) -> Self {
        let Inputs(chosen) = inputs.into();
        assert!(
            !chosen.is_empty(),
            "`emit_on` of no input would never emit: choose at least 1"
        );
        for input in &chosen {
            assert!(
                *input < self.inputs,
                "`emit_on({input})` names no input: this `{}` has inputs 0 to {}",
                self.site.kind,
                self.inputs - 1
            );
        }
        self.triggers = Some(chosen);
        self
    }
}

/// Tuples of two to eight flows of elements that are `Clone`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of two to eight flows of elements that are `Clone`",
    note = "sources and shared nodes are flows by reference: write `(&a, &b)`"
)]
pub trait Combinable {
    /// The flows as runs.
    type Runs;
    /// How many flows there are.
    const INPUTS: usize;

    /// Detaches all flows, and checks that they belong to one graph.
    fn into_runs(self) -> Self::Runs;
}

struct CombineNode<S: Slots> {
    desk: Desk,
    slots: S,
    batch: Vec<S::Row>,
    next: Tail<S::Row>,
}

impl<S: Slots> Node for CombineNode<S> {
    fn inputs(&self) -> PortCounts {
        self.slots.filled()
    }
}

impl<S: Slots> CombineNode<S> {
    /// Adds the node to the graph; its inputs are built by the caller.
    fn build<Runs>(
        join: &CombineLatest<Runs>,
        slots: S,
        next: impl Push<S::Row>,
        plan: &mut Plan,
    ) -> (Arc<Label>, Arc<Cell<Self>>) {
        let label = plan.node(join.site, Role::OrderedJoin);
        let triggers = join.triggers.as_deref();
        let node = CombineNode {
            desk: Desk::new(label.clone(), join.inputs, triggers),
            slots,
            batch: Vec::new(),
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        (label, cell)
    }
}

impl<S: Slots> Keeper for CombineNode<S> {
    type Slots = S;

    fn slots(&mut self) -> &mut S {
        &mut self.slots
    }

    #[inline]
    fn arrive<T>(
        &mut self,
        port: usize,
        slot: impl Fn(&mut S) -> &mut Latest<T>,
        item: T,
        cx: &mut Cx,
    ) {
        self.desk.count(1);
        if self.desk.is_finished() {
            return cx.lose_current(self.desk.label.id(), Loss::Unheard);
        }
        slot(&mut self.slots).replace(item, &self.desk.label, cx);
        if self.desk.is_trigger(port)
            && let Some(row) = self.slots.row()
        {
            let token = self.slots.token();
            self.desk.emit(token, row, &mut self.next, cx);
        }
    }

    fn arrive_all<T>(
        &mut self,
        port: usize,
        slot: impl Fn(&mut S) -> &mut Latest<T>,
        items: &mut Vec<T>,
        cx: &mut Cx,
    ) {
        if self.desk.is_finished() || !self.desk.is_trigger(port) {
            for item in items.drain(..) {
                self.arrive(port, &slot, item, cx);
            }
            return;
        }
        self.desk.count(items.len());
        let mut rest = items.drain(..);
        self.batch.reserve(rest.len());
        while let Some(item) = rest.next() {
            slot(&mut self.slots).replace(item, &self.desk.label, cx);
            if let Some(row) = self.slots.row() {
                // All of this batch make rows from here on.
                self.batch.push(row);
                for item in rest.by_ref() {
                    slot(&mut self.slots).renew(item);
                    self.batch.extend(self.slots.row());
                }
            }
        }
        drop(rest);
        if !self.batch.is_empty() {
            // The token of all rows is the same: the batch's, and those of the other inputs.
            let token = self.slots.token();
            self.desk
                .emit_batch(token, &mut self.batch, &mut self.next, cx);
        }
    }

    fn hear(&mut self, port: usize, has_element: bool, signal: Signal<'_>, cx: &mut Cx) {
        let makes_row = || {
            let others_missing = self.slots.missing() - usize::from(!has_element);
            !self.desk.is_finished() && self.desk.is_trigger(port) && others_missing == 0
        };
        match signal {
            Signal::Close => {
                if self.desk.close(port, has_element) {
                    let lost = self.slots.discard();
                    self.desk.unpaired(lost, cx);
                    self.next.signal(Signal::Close, cx);
                }
            }
            Signal::Hole | Signal::Fail(_) if makes_row() => self.next.signal(signal, cx),
            // It would take the place of a row that there never was, and shift what comes after it.
            Signal::Fail(failure) => cx.report(failure),
            Signal::Hole => {}
            other => {
                let held = self.slots.held();
                self.desk.signal(other, held, &mut self.next, cx);
            }
        }
    }
}

impl<R: Run<Item: Forkable>> Run for CombineLatest<Vec<R>> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.runs[0].graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        let slots: Vec<Latest<R::Item>> = self.runs.iter().map(|_| Latest::default()).collect();
        let (label, cell) = CombineNode::build(&self, slots, next, plan);
        for (port, run) in self.runs.into_iter().enumerate() {
            plan.at_port(&label, port as u32);
            let cell = cell.clone();
            run.build(NthPort { cell, port }, plan);
        }
    }
}

/// For each arity: the number of inputs, then `flow letter, position`.
macro_rules! combine_arity {
    ($count:literal: $($F:ident $P:tt),+) => {
        impl<$($F: Flow<Item: Forkable>),+> Combinable for ($($F,)+) {
            type Runs = ($($F::Run,)+);
            const INPUTS: usize = $count;

            #[track_caller]
            fn into_runs(self) -> Self::Runs {
                let runs = ($(self.$P.into_run(),)+);
                $(runs.0.graph().assert_same(runs.$P.graph(), "combine_latest");)+
                runs
            }
        }

        impl<$($F: Run<Item: Forkable>),+> Run for CombineLatest<($($F,)+)> {
            type Item = ($($F::Item,)+);

            fn graph(&self) -> &Graph {
                self.runs.0.graph()
            }

            fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
                let slots: ($(Latest<$F::Item>,)+) = Default::default();
                let (label, cell) = CombineNode::build(&self, slots, next, plan);
                $(
                    plan.at_port(&label, $P);
                    self.runs.$P.build(TuplePort::<_, $P>(cell.clone()), plan);
                )+
            }
        }
    };
}

combine_arity!(2: A0 0, A1 1);
combine_arity!(3: A0 0, A1 1, A2 2);
combine_arity!(4: A0 0, A1 1, A2 2, A3 3);
combine_arity!(5: A0 0, A1 1, A2 2, A3 3, A4 4);
combine_arity!(6: A0 0, A1 1, A2 2, A3 3, A4 4, A5 5);
combine_arity!(7: A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6);
combine_arity!(8: A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7);

impl<Runs> std::fmt::Debug for CombineLatest<Runs> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CombineLatest")
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}
