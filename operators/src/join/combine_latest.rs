//! `combine_latest`: the latest elements of several flows, together.

use std::sync::Arc;

use super::latest::{Desk, Latest};
use crate::engine::{
    Cell, Cx, Entry, Graph, Label, Node, Plan, Port, PortCounts, Push, Role, Signal, Site, Tail,
    Token,
};
use crate::flow::{Flow, Forkable, InGraph, Run};

/// Joins the latest elements of two to eight flows: see [`Flow::combine_latest`] and
/// [`combine_latest`].
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
/// An input whose element failed keeps the latest one before. The failure goes on; the empty place of
/// one that was reported above goes on where the element would have made a tuple.
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
    /// One bit an input.
    triggers: u8,
    site: Site,
}

/// Joins the latest elements of the flows in a tuple of two to eight; see [`CombineLatest`].
///
/// # Panics
/// If the flows belong to two graphs.
#[doc(alias = "with_latest_from")]
#[track_caller]
pub fn combine_latest<F: Combinable>(flows: F) -> CombineLatest<F::Runs> {
    CombineLatest {
        runs: flows.into_runs(),
        inputs: F::INPUTS,
        triggers: u8::MAX,
        site: Site::new("combine_latest"),
    }
}

impl<Runs> CombineLatest<Runs> {
    /// Emits only when an element comes to one of these inputs, counted from 0: `emit_on(1)` or
    /// `emit_on([0, 2])`.
    ///
    /// # Panics
    /// If there is no such input, or if none is chosen.
    #[doc(alias = "with_latest_from")]
    #[track_caller]
    pub fn emit_on(mut self, inputs: impl Into<Inputs>) -> Self {
        let Inputs(chosen) = inputs.into();
        assert!(
            !chosen.is_empty(),
            "`emit_on` of no input would never emit: choose at least 1"
        );
        self.triggers = 0;
        for input in chosen {
            assert!(
                input < self.inputs,
                "`emit_on({input})` names no input: this `combine_latest` has inputs 0 to {}",
                self.inputs - 1
            );
            self.triggers |= 1 << input;
        }
        self
    }
}

/// Some inputs of a join, counted from 0: a number, or a list of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs(Vec<usize>);

impl From<usize> for Inputs {
    fn from(input: usize) -> Self {
        Inputs(vec![input])
    }
}

impl<const N: usize> From<[usize; N]> for Inputs {
    fn from(inputs: [usize; N]) -> Self {
        Inputs(inputs.to_vec())
    }
}

impl From<Vec<usize>> for Inputs {
    fn from(inputs: Vec<usize>) -> Self {
        Inputs(inputs)
    }
}

impl From<&[usize]> for Inputs {
    fn from(inputs: &[usize]) -> Self {
        Inputs(inputs.to_vec())
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

struct CombineNode<Slots, O> {
    desk: Desk,
    slots: Slots,
    batch: Vec<O>,
    next: Tail<O>,
}

/// For each arity: the number of inputs, then `flow letter, element letter, position`.
macro_rules! combine_arity {
    ($count:literal: $($F:ident $T:ident $P:tt),+) => {
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
                let label = plan.node(self.site, Role::OrderedJoin);
                let node: CombineNode<($(Latest<$F::Item>,)+), Self::Item> = CombineNode {
                    desk: Desk::new(label.clone(), $count, self.triggers),
                    slots: Default::default(),
                    batch: Vec::new(),
                    next: Box::new(next),
                };
                let cell: Arc<Cell<_>> = plan.cell(&label, node);
                $(
                    let label: &Label = &label;
                    plan.at_port(label, $P);
                    self.runs.$P.build(Port::<_, $P>(cell.clone()), plan);
                )+
            }
        }

        impl<$($T: Forkable + InGraph),+> Node for CombineNode<($(Latest<$T>,)+), ($($T,)+)> {
            fn inputs(&self) -> PortCounts {
                let held = [$(self.slots.$P.get().is_some()),+];
                held.into_iter().map(usize::from).collect()
            }
        }

        impl<$($T: Forkable + InGraph),+> CombineNode<($(Latest<$T>,)+), ($($T,)+)> {
            /// The latest elements, if every input has one.
            #[inline]
            #[expect(non_snake_case, reason = "a variable for each type, named alike")]
            fn row(&mut self) -> Option<($($T,)+)> {
                if $(self.slots.$P.get().is_none())||+ {
                    return None;
                }
                match ($(self.slots.$P.use_it(),)+) {
                    ($(Some($T),)+) => Some(($($T.clone(),)+)),
                    _ => None,
                }
            }

            /// The token of a row: of all that it is made of.
            fn token(&self) -> Token {
                Token::merge([$(self.slots.$P.token()),+])
            }

            fn has_all_but(&self, port: usize) -> bool {
                $((port == $P || self.slots.$P.get().is_some()))&&+
            }

            fn held(&self) -> usize {
                let held = [$(self.slots.$P.get().is_some()),+];
                held.into_iter().filter(|held| *held).count()
            }

            fn finish(&mut self, cx: &mut Cx) {
                let lost = [$(self.slots.$P.discard()),+].into_iter().filter(|lost| *lost);
                self.desk.unpaired(lost.count(), cx);
                self.next.signal(Signal::Close, cx);
            }
        }

        combine_arity!(@entries [$($T)+] $($T $P),+);
    };
    (@entries $all:tt $($T:ident $P:tt),+) => {
        $(combine_arity!(@entry $all $T $P);)+
    };
    (@entry [$($All:ident)+] $T:ident $P:tt) => {
        impl<$($All: Forkable + InGraph),+> Entry<$T, $P>
            for CombineNode<($(Latest<$All>,)+), ($($All,)+)>
        {
            #[inline]
            fn enter(&mut self, item: $T, cx: &mut Cx) {
                if self.desk.take(&mut self.slots.$P, item, cx) && self.desk.is_trigger($P) {
                    if let Some(row) = self.row() {
                        let token = self.token();
                        self.desk.emit(token, row, &mut self.next, cx);
                    }
                }
            }

            fn enter_batch(&mut self, items: &mut Vec<$T>, cx: &mut Cx) {
                // The token of all rows is the same: the batch's, and those of the other inputs.
                for item in items.drain(..) {
                    if self.desk.take(&mut self.slots.$P, item, cx) && self.desk.is_trigger($P) {
                        let row = self.row();
                        self.batch.extend(row);
                    }
                }
                if !self.batch.is_empty() {
                    let token = self.token();
                    self.desk.emit_batch(token, &mut self.batch, &mut self.next, cx);
                }
            }

            fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
                match signal {
                    Signal::Close => {
                        if self.desk.close($P, self.slots.$P.get().is_some()) {
                            self.finish(cx);
                        }
                    }
                    Signal::Hole => {
                        if self.desk.is_trigger($P) && self.has_all_but($P) {
                            self.next.signal(Signal::Hole, cx);
                        }
                    }
                    other => {
                        let held = self.held();
                        self.desk.signal(other, held, &mut self.next, cx);
                    }
                }
            }
        }
    };
}

combine_arity!(2: A0 T0 0, A1 T1 1);
combine_arity!(3: A0 T0 0, A1 T1 1, A2 T2 2);
combine_arity!(4: A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3);
combine_arity!(5: A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4);
combine_arity!(6: A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5);
combine_arity!(7: A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5, A6 T6 6);
combine_arity!(8: A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5, A6 T6 6, A7 T7 7);

impl<Runs> std::fmt::Debug for CombineLatest<Runs> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CombineLatest")
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}
