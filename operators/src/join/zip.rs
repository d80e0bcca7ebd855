//! `zip`: elements of several flows are paired by position.

use std::sync::Arc;

use super::gate::{Gate, Heard, Limit};
use super::place::{Held, Place, Queue, ZipInput, graph_of_flows};
use super::row::RowCheck;
use crate::engine::{
    Cell, Cx, Entry, Graph, Node, OnFull, Plan, Port, PortCounts, Push, Role, Signal, Site, Tail,
    Waits, taken_twice,
};
use crate::flow::Run;

/// Pairs the elements of two to eight flows by position: see [`Flow::zip`](crate::Flow::zip) and
/// [`zip`]. A [`literal`](crate::literal) among them is the same in each row, and no input.
///
/// - **Emits** a tuple when every input has an element.
/// - **Holds** up to 1 024 elements per input ([`capacity`](Zip::capacity)) that wait for their mates.
/// - **Waits**: under [`OnFull::Wait`](crate::OnFull), the default, the origin of the element that
///   fills an input waits until a row is emitted. Where the empty input could be fed by that very
///   origin only, or by one that waits for it in turn at another join, waiting would be for ever: the
///   element fails with [`Starved`](crate::Starved).
///   Other [policies](Zip::on_full) drop or fail what comes to a full input. In any case the place
///   stays empty, so that later pairs do not shift.
/// - **On close** of an input that holds nothing more it closes, as no row can follow.
/// - **Drops** what is left without a mate then or comes later, and the mates of elements that failed
///   or were dropped: counted as unpaired. Under [`OnFull::DropOldest`] and [`OnFull::DropNewest`] what
///   does not fit, counted as overflow; under [`OnFull::Fail`] that element fails, which is reported at
///   once: no `catch` below sees it.
/// - **Panics** at construction if the flows belong to two graphs, if there are literals only, or if the
///   capacity is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::zip;
///
/// let graph = Graph::new();
/// let (a, b, c) = (graph.source::<i32>(), graph.source::<&str>(), graph.source::<bool>());
/// let rows = zip((&a, &b, &c)).sink_to_list();
/// a.emit_all([1, 2])?;
/// b.emit_all(["one", "two"])?;
/// c.emit(true)?;
/// assert_eq!(rows.take(), [(1, "one", true)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Zip<Runs> {
    graph: Graph,
    runs: Runs,
    limit: Limit,
    site: Site,
}

/// Pairs the elements of the flows in a tuple by position; see [`Zip`]. Among them may stand a
/// [`literal`](crate::literal). For a `Vec` of like flows there is [`zip_all`](crate::zip_all).
///
/// # Panics
/// If the flows belong to two graphs, or if there are literals only.
#[track_caller]
pub fn zip<F: Zippable>(flows: F) -> Zip<F::Runs> {
    let (graph, runs) = flows.into_runs();
    Zip {
        graph,
        runs,
        limit: Limit::default(),
        site: Site::new("zip"),
    }
}

impl<Runs> Zip<Runs> {
    /// How many elements an input holds before its origin waits (1 024 by default).
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.limit.set_capacity(capacity, "zip");
        self
    }

    /// What to do with an element that comes to a full input. What is dropped leaves its place
    /// empty: its mate is dropped too when it comes, and the pairs after it do not shift.
    pub fn on_full(mut self, policy: OnFull) -> Self {
        self.limit.on_full = policy;
        self
    }
}

/// Tuples of two to eight flows, and literals among them.
pub trait Zippable {
    /// The flows as runs.
    type Runs;

    /// Detaches all flows, and checks that they belong to one graph: this one.
    fn into_runs(self) -> (Graph, Self::Runs);
}

impl<Runs> std::fmt::Debug for Zip<Runs> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zip")
            .field("capacity", &self.limit.capacity)
            .finish_non_exhaustive()
    }
}

/// Between calls at least one queue is empty: `rows` emits until one is. So an element whose mates
/// all stand ready is itself next in its own queue, which is empty.
struct ZipNode<Queues, O> {
    gate: Gate,
    queues: Queues,
    batch: Vec<O>,
    next: Tail<O>,
}

/// An input. Nearly every element comes without a token, at a time when nobody waits: it is kept, or
/// completes a row, without taking the node out of its cell.
struct ZipPort<N, const P: usize>(Port<N, P>);

/// What became of such an element.
enum Quickly<T> {
    Kept,
    /// Its mates stand ready, and there is nothing beside any of them.
    Completes(T),
    /// There is more to do about it.
    No(T),
}

trait Quick<T, const P: usize>: Entry<T, P> {
    fn quick(&mut self, item: T) -> Quickly<T>;

    /// Makes a row of an element that completes one, and emits it.
    fn complete(&mut self, item: T, cx: &mut Cx);
}

impl<N, const P: usize> ZipPort<N, P> {
    #[inline(never)]
    fn push_slowly<T: 'static>(&mut self, item: T, cx: &mut Cx)
    where
        N: Entry<T, P>,
    {
        self.0.push(item, cx);
    }

    /// Apart, so that who only keeps an element saves no registers.
    #[inline(never)]
    fn push_row<T>(&mut self, item: T, mut node: Box<N>, cx: &mut Cx)
    where
        N: Quick<T, P>,
    {
        node.complete(item, cx);
        (self.0).0.put(cx, node);
    }
}

impl<T: 'static, const P: usize, N: Quick<T, P>> Push<T> for ZipPort<N, P> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        if cx.token.is_some() {
            return self.push_slowly(item, cx);
        }
        let place = (self.0).0.place(cx);
        let Some(node) = place else { taken_twice() };
        match node.quick(item) {
            Quickly::Kept => {}
            Quickly::Completes(item) => {
                if let Some(node) = place.take() {
                    self.push_row(item, node, cx);
                }
            }
            Quickly::No(item) => self.push_slowly(item, cx),
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.0.push_batch(items, cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.0.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

/// Makes tuples of the first `rows` elements of each queue that was taken out.
macro_rules! zip_rows {
    ($queues:expr, $batch:expr, $rows:expr, $A:ident $P:tt $B:ident $Q:tt) => {
        $batch.extend($queues.$P.drain(&mut $A, $rows).zip($queues.$Q.drain(&mut $B, $rows)));
    };
    ($queues:expr, $batch:expr, $rows:expr, $($T:ident $P:tt)+) => {{
        $(let mut $T = $queues.$P.drain(&mut $T, $rows);)+
        while let ($(Some($T),)+) = ($($T.next(),)+) {
            $batch.push(($($T,)+));
        }
    }};
}

/// A macro, so that it stays a branch where it is asked: the compiler would make arithmetic of a method.
macro_rules! is_ready {
    ($queue:expr) => {
        match $queue.input() {
            Some(queue) => queue.is_ready(),
            None => true,
        }
    };
}

/// For each arity: `letter of what is joined, of its queue, position`.
macro_rules! zip_arity {
    ($($F:ident $T:ident $P:tt),+) => {
        impl<$($F: ZipInput),+> Zippable for ($($F,)+) {
            type Runs = ($($F::Run,)+);

            #[track_caller]
            fn into_runs(self) -> (Graph, Self::Runs) {
                let mut graph = None;
                let runs = ($(self.$P.into_place(&mut graph),)+);
                (graph_of_flows(graph), runs)
            }
        }

        impl<$($F: Place),+> Run for Zip<($($F,)+)> {
            type Item = ($($F::Item,)+);

            fn graph(&self) -> &Graph {
                &self.graph
            }

            fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
                let label = plan.node(self.site, Role::Join);
                let inputs = 0 $(+ <$F::Queue as Queue>::INPUTS)+;
                let node: ZipNode<($($F::Queue,)+), Self::Item> = ZipNode {
                    gate: Gate::new(label.clone(), self.limit, inputs),
                    queues: ($(self.runs.$P.queue(),)+),
                    batch: Vec::new(),
                    next: Box::new(next),
                };
                let cell: Arc<Cell<_>> = plan.cell(&label, node);
                let mut input = 0;
                $(
                    let next = ZipPort::<_, $P>(Port(cell.clone()));
                    self.runs.$P.lead(next, (&label, &mut input), plan);
                )+
            }
        }

        impl<$($T: Queue),+> ZipNode<($($T,)+), ($($T::Item,)+)> {
            fn held(&self) -> Held<{ [$($P),+].len() }> {
                let mut held = Held::default();
                $(held.look_at(&self.queues.$P);)+
                held
            }

            /// Emits all rows that are complete.
            #[expect(non_snake_case, reason = "a variable for each type, named alike")]
            fn rows(&mut self, cx: &mut Cx) {
                let rows = [$(self.queues.$P.rows()),+].into_iter().min().unwrap_or(0);
                if rows == 0 {
                    return;
                }
                if rows > 1 && $(self.queues.$P.is_plain())&&+ && !cx.token.is_some() {
                    $(let mut $T = self.queues.$P.take_plain();)+
                    self.batch.reserve(rows);
                    zip_rows!(self.queues, self.batch, rows, $($T $P)+);
                    $(self.queues.$P.give_back($T);)+
                    self.next.push_batch(&mut self.batch, cx);
                } else {
                    for _ in 0..rows {
                        let mut check = RowCheck::default();
                        $(let $T = self.queues.$P.take(&mut check, cx);)+
                        let row = match ($($T,)+) {
                            ($(Some($T),)+) => Some(($($T,)+)),
                            _ => None,
                        };
                        check.finish(row, &self.gate, &mut self.next, cx);
                    }
                }
                self.emitted(cx);
            }

            /// After rows were emitted: inputs have room again, and a closed one may be empty now.
            #[inline]
            fn emitted(&mut self, cx: &mut Cx) {
                self.gate.emitted(cx);
                if !self.gate.is_quiet() {
                    let held = self.held();
                    if self.gate.finish_if_ended(&held) {
                        self.finish(cx);
                    }
                }
            }

            fn finish(&mut self, cx: &mut Cx) {
                $(
                    if let Some(queue) = self.queues.$P.input_mut() {
                        self.gate.lose_rest(queue, cx);
                    }
                )+
                self.next.signal(Signal::Close, cx);
            }
        }

        impl<$($T: Queue),+> Node for ZipNode<($($T,)+), ($($T::Item,)+)> {
            fn starved(&mut self, still: bool, cx: &mut Cx) {
                let held = self.held();
                self.gate.look_again(&held, still, cx);
            }

            fn waits(&self) -> Option<Waits> {
                self.gate.waits(&self.held())
            }

            fn inputs(&self) -> PortCounts {
                self.held().iter().copied().collect()
            }
        }

        zip_arity!(@entries [$($T)+] [] $($T $P),+);
    };
    // For each place: those before it, and those after. Only an input's is entered.
    (@entries $all:tt [$($B:tt)*] $T:ident $P:tt $(, $A:ident $Q:tt)*) => {
        zip_arity!(@entry $all [$($B)*] $T $P [$(($A $Q))*]);
        zip_arity!(@entries $all [$($B)* ($T $P)] $($A $Q),*);
    };
    (@entries $all:tt [$($B:tt)*]) => {};
    (@entry [$($All:ident)+] [$(($B:ident $O:tt))*] $T:ident $P:tt [$(($A:ident $Q:tt))*]) => {
        impl<$($All: Queue),+> Quick<$T::Item, $P> for ZipNode<($($All,)+), ($($All::Item,)+)> {
            #[inline]
            fn quick(&mut self, item: $T::Item) -> Quickly<$T::Item> {
                let completes = $(is_ready!(self.queues.$O) &&)* $(is_ready!(self.queues.$Q) &&)* true;
                if completes && self.gate.is_quiet() {
                    return Quickly::Completes(item);
                }
                let waits = $(self.queues.$O.is_empty() ||)* $(self.queues.$Q.is_empty() ||)* false;
                if waits
                    && let Some(queue) = self.queues.$P.input_mut()
                    && self.gate.has_quiet_room(queue.items())
                {
                    return match queue.push_plain(item) {
                        Ok(()) => {
                            self.gate.count(1);
                            Quickly::Kept
                        }
                        Err(item) => Quickly::No(item),
                    };
                }
                Quickly::No(item)
            }

            /// The mates are there: the element need not be kept to be taken out again.
            #[inline]
            #[expect(non_snake_case, reason = "a variable for each type, named alike")]
            fn complete(&mut self, item: $T::Item, cx: &mut Cx) {
                if let ($(Some($B),)* Some($T), $(Some($A),)*) = (
                    $(self.queues.$O.pop_plain(),)* Some(item), $(self.queues.$Q.pop_plain(),)*
                ) {
                    self.gate.count(1);
                    self.next.push(($($All,)+), cx);
                }
            }
        }

        impl<$($All: Queue),+> Entry<$T::Item, $P> for ZipNode<($($All,)+), ($($All::Item,)+)> {
            #[inline]
            fn enter(&mut self, item: $T::Item, cx: &mut Cx) {
                let held = self.held();
                if let Some(queue) = self.queues.$P.input_mut() {
                    let input = 0 $(+ $B::INPUTS)*;
                    self.gate.keep(input, queue, item, &held, cx);
                    self.rows(cx);
                }
            }

            fn enter_batch(&mut self, items: &mut Vec<$T::Item>, cx: &mut Cx) {
                let held = self.held();
                let input = 0 $(+ $B::INPUTS)*;
                let Some(queue) = self.queues.$P.input_mut() else {
                    return;
                };
                if self.gate.keep_batch(input, queue, items, &held, cx) {
                    self.rows(cx);
                } else {
                    for item in items.drain(..) {
                        self.enter(item, cx);
                    }
                }
            }

            fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
                let held = self.held();
                let here = self.queues.$P.items();
                let items = [$(self.queues.$O.items(),)* here, $(self.queues.$Q.items()),*];
                let held = (&held[..], items.into_iter().sum());
                let input = 0 $(+ $B::INPUTS)*;
                let Some(queue) = self.queues.$P.input_mut() else {
                    return;
                };
                match self.gate.hear(input, queue, signal, held, &mut self.next, cx) {
                    Heard::Nothing => {}
                    Heard::Place => self.rows(cx),
                    Heard::Ended => self.finish(cx),
                }
            }
        }
    };
}

zip_arity!(A0 T0 0, A1 T1 1);
zip_arity!(A0 T0 0, A1 T1 1, A2 T2 2);
zip_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3);
zip_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4);
zip_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5);
zip_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5, A6 T6 6);
zip_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5, A6 T6 6, A7 T7 7);
