//! `zip_latest`: each element of one flow, together with the latest ones of others.

use std::sync::Arc;

use super::gate::{Gate, Heard, Limit};
use super::inputs::{LatestOf, Lossless, into_runs};
use super::latest::{Keeper, Latest, NthPort, Slots, TuplePort};
use super::relay::Below;
use crate::engine::{
    Cell, Cx, Entry, Fifo, Graph, Label, Loss, Node, OnFull, Plan, Port, PortCounts, Push, Role,
    Signal, Site, Slot, Tail, Token, Waits,
};
use crate::flow::{Flow, Forkable, InGraph, Run};

/// Joins each element of a lossless flow with the latest ones of others: see [`Flow::zip_latest`],
/// [`zip_latest`] and [`zip_latest_all`].
///
/// - **Emits** a tuple for each lossless element, once each of the others has had an element: those
///   that waited for that first, all with the same ones of the others. For elements of the others
///   alone it emits nothing.
/// - **Holds** the latest element of each of the others, whose receipt stays open until it is
///   replaced, and up to 1 024 lossless elements ([`capacity`](ZipLatest::capacity)) that wait for
///   the first ones.
/// - **Waits**: under [`OnFull::Wait`](crate::OnFull), the default, the origin of the lossless element
///   that fills it waits until each of the others has had an element. Where nobody else could bring
///   one, waiting would be for ever: the element fails with [`Starved`](crate::Starved). Other
///   [policies](ZipLatest::on_full) drop or fail what comes when it is full.
/// - **On close** of the lossless flow it closes, as soon as nothing of that waits any more; and when
///   one of the others closes that never had an element.
/// - **Drops** an element of the others that is replaced before any tuple had it, counted as
///   superseded; at its close what no tuple had, as unpaired; what comes after that, as unpaired
///   from the lossless flow and as unheard from the others. Of the lossless flow nothing else by
///   default; under [`OnFull::DropOldest`] and [`OnFull::DropNewest`] what does not fit, counted as
///   overflow; under [`OnFull::Fail`] that element fails, which is reported at once: no `catch` below
///   sees it.
/// - **Panics** at construction if there is no other flow, if the flows belong to two graphs, or if the
///   capacity is 0.
///
/// Where flows hang from one source, the others are connected first: an element finds them up to date.
///
/// A failure keeps its place among the lossless elements. One in the other flows has no place here: it
/// is reported, and the latest element before it stays.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::zip_latest;
///
/// let graph = Graph::new();
/// let (orders, price, rate) = (graph.source::<u32>(), graph.source::<u32>(), graph.source::<f64>());
/// let priced = orders.zip_latest(&price).sink_to_list();
/// let abroad = zip_latest(&orders, (&price, &rate)).sink_to_list();
/// orders.emit_all([1, 2])?;
/// price.emit(10)?;
/// price.emit(20)?;
/// rate.emit(0.5)?;
/// orders.emit(3)?;
/// assert_eq!(priced.take(), [(1, 10), (2, 10), (3, 20)]);
/// assert_eq!(abroad.take(), [(1, 20, 0.5), (2, 20, 0.5), (3, 20, 0.5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct ZipLatest<R, Runs> {
    lossless: R,
    runs: Runs,
    limit: Limit,
    site: Site,
}

/// Joins each element of `lossless` with the latest ones of `others`: a flow, or a tuple of two to
/// seven; see [`ZipLatest`].
///
/// Of a tuple of flows as `lossless` no element is lost either: they are paired by position first, as
/// by [`zip`](crate::zip()), and come as one tuple.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::zip_latest;
///
/// let graph = Graph::new();
/// let (a, b, unit) = (graph.source::<i32>(), graph.source::<i32>(), graph.source::<&str>());
/// let sums = zip_latest((&a, &b), &unit).map(|((a, b), unit)| format!("{} {unit}", a + b));
/// let sums = sums.sink_to_list();
/// unit.emit("m")?;
/// a.emit_all([1, 2])?;
/// b.emit_all([10, 20])?;
/// assert_eq!(sums.take(), ["11 m", "22 m"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// If the flows belong to two graphs.
#[track_caller]
pub fn zip_latest<L: Lossless, O: LatestOf>(lossless: L, others: O) -> ZipLatest<L::Run, O::Runs> {
    let lossless = lossless.into_lossless();
    ZipLatest {
        runs: others.into_runs(lossless.graph()),
        lossless,
        limit: Limit::default(),
        site: Site::new("zip_latest"),
    }
}

/// Joins each element of `lossless` with the latest ones of any number of like flows, in a `Vec`; see
/// [`ZipLatest`]. For several lossless flows give it a [`zip_all`](crate::zip_all()) of them.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::zip_latest_all;
///
/// let graph = Graph::new();
/// let (tick, sensors) = (graph.source::<u64>(), [graph.source::<i32>(), graph.source::<i32>()]);
/// let readings = zip_latest_all(&tick, &sensors).sink_to_list();
/// sensors[0].emit(7)?;
/// sensors[1].emit(8)?;
/// tick.emit(100)?;
/// assert_eq!(readings.take(), [(100, vec![7, 8])]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// If there is no other flow, or if the flows belong to two graphs.
#[track_caller]
pub fn zip_latest_all<L: Lossless, F: Flow<Item: Forkable>>(
    lossless: L,
    others: impl IntoIterator<Item = F>,
) -> ZipLatest<L::Run, Vec<F::Run>> {
    let lossless = lossless.into_lossless();
    let runs = into_runs(others, "zip_latest_all");
    lossless
        .graph()
        .assert_same(runs[0].graph(), "zip_latest_all");
    ZipLatest {
        lossless,
        runs,
        limit: Limit::default(),
        site: Site::new("zip_latest_all"),
    }
}

impl<R, Runs> ZipLatest<R, Runs> {
    /// How many lossless elements may wait for the first ones of the others before their origin
    /// waits (1 024 by default). What a tuple of lossless flows is zipped by has a capacity of its
    /// own: give a [`zip`](crate::zip()) instead to choose that.
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.limit.set_capacity(capacity, self.site.kind());
        self
    }

    /// What to do with a lossless element more than there is room for. What is dropped leaves its
    /// place empty, so that joins further down do not shift.
    pub fn on_full(mut self, policy: OnFull) -> Self {
        self.limit.on_full = policy;
        self
    }
}

/// A tuple with one element more in front.
trait Behind<T>: InGraph {
    type Row: InGraph;

    fn behind(self, first: T) -> Self::Row;
}

type RowOf<T, S> = <<S as Slots>::Row as Behind<T>>::Row;

struct ZipLatestNode<T, S: Slots<Row: Behind<T>>> {
    /// Input 0 is the lossless flow; of the others, an empty slot is an input that holds nothing.
    gate: Gate,
    /// Lossless elements that wait. Empty while all slots have an element.
    queue: Fifo<T>,
    slots: S,
    below: Below,
    batch: Vec<RowOf<T, S>>,
    next: Tail<RowOf<T, S>>,
}

impl<T: InGraph, S: Slots<Row: Behind<T>>> ZipLatestNode<T, S> {
    /// Adds the node to the graph. `others` builds the inputs of the slots.
    fn build<R: Run<Item = T>, Runs>(
        join: ZipLatest<R, Runs>,
        slots: S,
        next: impl Push<RowOf<T, S>>,
        plan: &mut Plan,
        others: impl FnOnce(Runs, &Label, &Arc<Cell<Self>>, &mut Plan),
    ) {
        let label = plan.node(join.site, Role::OrderedJoin);
        let node = ZipLatestNode {
            gate: Gate::new(label.clone(), join.limit, 1 + slots.missing()),
            queue: Fifo::default(),
            slots,
            below: Below::default(),
            batch: Vec::new(),
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        others(join.runs, &label, &cell, plan);
        plan.at_port(&label, 0);
        join.lossless.build(Port::<_>(cell), plan);
    }

    /// What each input holds, as the gate counts it.
    fn held(&self) -> PortCounts {
        let mut held = self.slots.filled();
        held.insert(0, self.queue.len());
        held
    }

    fn items(&self) -> usize {
        self.queue.items() + self.slots.held()
    }

    /// The latest elements with `item` in front, and the token of all that. Hands the element back
    /// where one of the others has had none.
    #[inline]
    fn row(&mut self, item: T, token: &Token) -> Result<(RowOf<T, S>, Token), T> {
        match self.slots.row() {
            Some(others) => {
                let token = Token::merge([token.clone(), self.slots.token()]);
                Ok((others.behind(item), token))
            }
            None => Err(item),
        }
    }

    /// Emits what waited, as each slot has an element now.
    #[cold]
    fn flush(&mut self, cx: &mut Cx) {
        while let Some((slot, token)) = self.queue.pop() {
            let next = &mut self.next;
            match slot {
                Slot::Item(item) => {
                    if let Ok((row, token)) = self.row(item, &token) {
                        cx.with_token(token, |cx| self.next.push(row, cx));
                    }
                }
                Slot::Failure(failure) => {
                    cx.with_token(token, |cx| next.signal(Signal::Fail(failure), cx));
                }
                Slot::Hole => cx.with_token(Token::NONE, |cx| next.signal(Signal::Hole, cx)),
            }
        }
        self.gate.emitted(cx);
        if self.gate.finish_if_ended(&self.held()) {
            self.finish(cx);
        }
    }

    fn finish(&mut self, cx: &mut Cx) {
        self.gate.lose_rest(&mut self.queue, cx);
        let lost = self.slots.discard();
        cx.lose(self.gate.label.id(), Loss::Unpaired, lost);
        self.next.signal(Signal::Close, cx);
    }
}

impl<T: InGraph, S: Slots<Row: Behind<T>>> Node for ZipLatestNode<T, S> {
    fn starved(&mut self, still: bool, cx: &mut Cx) {
        let held = self.held();
        self.gate.look_again(&held, still, cx);
    }

    fn waits(&self) -> Option<Waits> {
        self.gate.waits(&self.held())
    }

    fn inputs(&self) -> PortCounts {
        self.held()
    }
}

/// The lossless input.
impl<T: InGraph, S: Slots<Row: Behind<T>>> Entry<T> for ZipLatestNode<T, S> {
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        match self.row(item, &cx.token) {
            Ok((row, token)) => {
                self.gate.count(1);
                cx.with_token(token, |cx| self.next.push(row, cx));
                self.gate.emitted(cx);
            }
            Err(item) => {
                let held = self.held();
                self.gate.keep(0, &mut self.queue, item, &held, cx);
            }
        }
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.slots.missing() > 0 {
            let held = self.held();
            let queue = &mut self.queue;
            if !self.gate.keep_batch(0, queue, items, &held, cx) {
                items.drain(..).for_each(|item| self.enter(item, cx));
            }
            return;
        }
        let rows = items.len();
        self.gate.count(rows);
        if let Some(row) = self.slots.row() {
            let rows = items.drain(..).zip(std::iter::repeat_n(row, rows));
            self.batch.extend(rows.map(|(item, row)| row.behind(item)));
        }
        let token = Token::merge([cx.token.clone(), self.slots.token()]);
        cx.with_token(token, |cx| self.next.push_batch(&mut self.batch, cx));
        self.gate.emitted(cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let waits = self.slots.missing() > 0;
        match signal {
            // Nothing is queued in front: its place is the next one.
            Signal::Fail(_) | Signal::Hole | Signal::Room(_) if !waits => {
                self.next.signal(signal, cx);
            }
            Signal::Room(room) => {
                *room = (*room).min(self.gate.room(self.queue.items()));
                let (id, next) = (self.gate.label.id(), &mut self.next);
                self.below.lower(id, room, next, cx);
            }
            other => {
                let held = self.held();
                let counts = (&held[..], self.items());
                let (queue, next) = (&mut self.queue, &mut self.next);
                if let Heard::Ended = self.gate.hear(0, queue, other, counts, next, cx) {
                    self.finish(cx);
                }
            }
        }
    }
}

impl<T: InGraph, S: Slots<Row: Behind<T>>> Keeper for ZipLatestNode<T, S> {
    type Slots = S;

    fn slots(&mut self) -> &mut S {
        &mut self.slots
    }

    #[inline]
    fn arrive<U>(
        &mut self,
        _port: usize,
        slot: impl Fn(&mut S) -> &mut Latest<U>,
        item: U,
        cx: &mut Cx,
    ) {
        self.gate.count(1);
        let label = &self.gate.label;
        if self.gate.is_finished() {
            return cx.lose_current(label.id(), Loss::Unheard);
        }
        slot(&mut self.slots).replace(item, label, cx);
        if !self.queue.is_empty() && self.slots.missing() == 0 {
            self.flush(cx);
        }
    }

    fn hear(&mut self, port: usize, _has_element: bool, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                let held = self.held();
                if self.gate.close(1 + port, &held) {
                    self.finish(cx);
                }
            }
            Signal::Fail(failure) => cx.report(failure),
            // The first one of a flow may release all that waits.
            Signal::Room(room) if !self.queue.is_empty() => {
                let (waiting, next) = (self.queue.len(), &mut self.next);
                let id = self.gate.label.id();
                self.below.lower_for(waiting, id, room, next, cx);
            }
            // Nothing of these flows goes down alone: it has no place there, and takes no room.
            Signal::Hole | Signal::Room(_) => {}
            Signal::Settle | Signal::Census => {
                let (queued, items) = (self.queue.items(), self.items());
                self.gate.signal(signal, queued, items, &mut self.next, cx);
            }
        }
    }
}

impl<R: Run, F: Run<Item: Forkable>> Run for ZipLatest<R, Vec<F>> {
    type Item = (R::Item, Vec<F::Item>);

    fn graph(&self) -> &Graph {
        self.lossless.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        let slots: Vec<Latest<F::Item>> = self.runs.iter().map(|_| Latest::default()).collect();
        ZipLatestNode::build(self, slots, next, plan, |runs, label, cell, plan| {
            for (port, run) in runs.into_iter().enumerate() {
                plan.at_port(label, 1 + port as u32);
                let cell = cell.clone();
                run.build(NthPort { cell, port }, plan);
            }
        });
    }
}

impl<T: InGraph, U: InGraph> Behind<T> for Vec<U> {
    type Row = (T, Vec<U>);

    #[inline]
    fn behind(self, first: T) -> Self::Row {
        (first, self)
    }
}

/// For each number of other flows: `flow letter, element letter, position`.
macro_rules! zip_latest_arity {
    ($($F:ident $T:ident $P:tt),+) => {
        impl<T: InGraph, $($T: InGraph),+> Behind<T> for ($($T,)+) {
            type Row = (T, $($T),+);

            #[inline]
            fn behind(self, first: T) -> Self::Row {
                (first, $(self.$P),+)
            }
        }

        impl<R: Run, $($F: Run<Item: Forkable>),+> Run for ZipLatest<R, ($($F,)+)> {
            type Item = (R::Item, $($F::Item),+);

            fn graph(&self) -> &Graph {
                self.lossless.graph()
            }

            fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
                let slots: ($(Latest<$F::Item>,)+) = Default::default();
                ZipLatestNode::build(self, slots, next, plan, |runs, label, cell, plan| {
                    $(
                        plan.at_port(label, 1 + $P);
                        runs.$P.build(TuplePort::<_, $P>(cell.clone()), plan);
                    )+
                });
            }
        }
    };
}

zip_latest_arity!(A0 T0 0);
zip_latest_arity!(A0 T0 0, A1 T1 1);
zip_latest_arity!(A0 T0 0, A1 T1 1, A2 T2 2);
zip_latest_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3);
zip_latest_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4);
zip_latest_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5);
zip_latest_arity!(A0 T0 0, A1 T1 1, A2 T2 2, A3 T3 3, A4 T4 4, A5 T5 5, A6 T6 6);

impl<R, Runs> std::fmt::Debug for ZipLatest<R, Runs> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZipLatest")
            .field("capacity", &self.limit.capacity)
            .finish_non_exhaustive()
    }
}
