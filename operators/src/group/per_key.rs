//! `per_key`: a run of operators for each key.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use super::key_end::{KeyEnd, OutNode};
use super::keys::{Ahead, KeyTable, Keys};
use crate::engine::{
    Alarm, Cell, Core, Cx, Entry, Graph, Has, Label, Loss, Node, NodeId, Nursery, Plan, Port,
    Pressure, Push, Role, RunId, Signal, Site, Tail, Time, Token,
};
use crate::flow::{Flow, InGraph, Run};

/// Sends the elements of each key through a run of their own, and merges what comes out: see
/// [`Flow::per_key`](crate::Flow::per_key).
///
/// The closure is called with a key's first element, and builds that key's run: any operators, with
/// state, windows, timers or futures, side branches into sinks, or a join with a flow from outside.
/// All that it connects belongs to the run, and goes with it. Pictures and snapshots show the
/// operators once, with the counts of all keys added up. A flow from outside that a run uses reaches it
/// from the next element on. Let all keys use the same flows from outside: where a later key is the
/// first to use one that comes from the fork that feeds `per_key` too, and a batch brings that key, it
/// reaches the run from the next batch on.
///
/// - **Emits** what the runs emit, in the order in which they emit it: elements enter their runs one
///   by one, so what comes of one is ahead of what comes of the next, of whichever key.
/// - **Holds** a run for each live key, as many as [`Keys`] says, and what those hold.
/// - **Waits** where a run does: whoever brought the element that made it full waits, with elements
///   for other keys too. Runs of keys that expired may have futures to wait for: while there are more
///   of those than there may be live keys, origins wait. If somebody downstream is full when keys
///   have been idle for too long, they stay until there is room.
/// - **On close** every run is closed, that of the least recently used key first, and emits what it
///   holds; when all have drained the close is passed on. A key that expires closes its run in the
///   same way, counted as expired.
/// - **Drops** what its runs drop, counted there; and, as unheard, elements of a key whose flow the
///   closure does not use. A failure from above belongs to no key, and passes at once.
/// - **Panics** where the closures, or the key's `Hash` or `Eq`, do, where the closure returns a flow of
///   another graph, and where it hangs its flow from what `per_key` itself emits; that poisons the
///   graph. With [`Keys::idle`], or timers or futures in the runs, the graph needs a driver; what the
///   runs need is known from the first key on.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<(&str, f64)>::new();
/// let means = source
///     .per_key(|(room, _)| *room, Keys::max(1_000), |room, flow| {
///         let room = *room;
///         flow.map(|(_, celsius)| celsius).rolling(2, Mean).map(move |mean| (room, mean))
///     })
///     .sink_to_list();
/// source.emit_all([("hall", 20.0), ("attic", 28.0), ("hall", 22.0), ("hall", 23.0)])?;
/// let expected = [("hall", 20.0), ("attic", 28.0), ("hall", 21.0), ("hall", 22.5)];
/// assert_eq!(means.take(), expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct PerKey<R, B, F> {
    upstream: R,
    key: B,
    keys: Keys,
    build: F,
    site: Site,
}

impl<R, B, F> PerKey<R, B, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, key: B, keys: Keys, build: F) -> Self {
        PerKey {
            upstream,
            key,
            keys,
            build,
            site: Site::new("per_key"),
        }
    }
}

/// The elements of one key, within [`per_key`](crate::Flow::per_key).
#[must_use = "the elements of the key go nowhere unless the flow is returned, or ends in a sink"]
pub struct KeyFlow<T> {
    graph: Graph,
    node: NodeId,
    /// Which of the runs it is for.
    turn: u64,
    slot: Arc<Slot<T>>,
}

/// Where a run's beginning is left for the node that keeps it, and which run that must be.
type Slot<T> = Mutex<(u64, Option<Tail<T>>)>;

impl<T: InGraph> Run for KeyFlow<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        // A flow that was carried out of the closure comes too late: no element follows.
        if slot.0 == self.turn {
            plan.begin_within(self.node);
            slot.1 = Some(Box::new(next));
        }
    }
}

impl<R, B, K, F, O> Run for PerKey<R, B, F>
where
    R: Run,
    B: FnMut(&R::Item) -> K + InGraph,
    K: Hash + Eq + InGraph,
    F: FnMut(&K, KeyFlow<R::Item>) -> O + InGraph,
    O: Flow,
{
    type Item = O::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<O::Item>>(self, next: N, plan: &mut Plan) {
        let graph = self.upstream.graph();
        let out = Site {
            kind: "keys merged",
            ..self.site
        };
        let merged = plan.unnamed_node(out, Role::Operator);
        let label = plan.node(self.site, Role::Operator);
        plan.bypass(&label, &merged);
        plan.passive(&merged);
        if self.keys.is_timed() {
            plan.has_timers();
        } else {
            plan.passive(&label);
        }
        let out = plan.cell(&merged, OutNode::new(next));
        let node = KeyNode {
            core: Arc::downgrade(graph.core()),
            label: label.clone(),
            merged,
            out,
            key: self.key,
            build: self.build,
            limit: self.keys.limit(),
            table: KeyTable::new(self.keys),
            ahead: Ahead::default(),
            slot: Arc::default(),
            has: Has::default(),
            latest: 0,
            passed: 0,
            expired: 0,
            pressure: Pressure::default(),
            alarm: Alarm::default(),
        };
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

/// A key's run, as far as it is kept here: where it begins.
struct KeyRun<T> {
    id: RunId,
    /// `None` where the closure did not use the key's flow.
    head: Option<Tail<T>>,
}

struct KeyNode<T, B, K, F, U, N> {
    /// The graph that this node is in.
    core: Weak<Core>,
    label: Arc<Label>,
    merged: Arc<Label>,
    out: Arc<Cell<OutNode<U, N>>>,
    key: B,
    build: F,
    table: KeyTable<K, KeyRun<T>>,
    ahead: Ahead,
    limit: usize,
    slot: Arc<Slot<T>>,
    /// What any of the runs has.
    has: Has,
    /// Where the key that came last lay.
    latest: usize,
    passed: u64,
    expired: u64,
    pressure: Pressure,
    alarm: Alarm,
}

impl<T, B, K, F, O, N> KeyNode<T, B, K, F, O::Item, N>
where
    T: InGraph,
    B: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + InGraph,
    F: FnMut(&K, KeyFlow<T>) -> O + InGraph,
    O: Flow,
    N: Push<O::Item>,
{
    #[inline]
    fn push(&mut self, item: T, now: Time, cx: &mut Cx) {
        let key = (self.key)(&item);
        let at = match self.table.find(&key, now) {
            Ok(at) => at,
            Err(hash) => self.open(hash, key, now, cx),
        };
        self.latest = at;
        self.push_at(at, item, cx);
    }

    #[inline]
    fn push_at(&mut self, at: usize, item: T, cx: &mut Cx) {
        match self.table.value(at) {
            Some(KeyRun {
                head: Some(head), ..
            }) => head.push(item, cx),
            _ => cx.lose_current(self.label.id(), Loss::Unheard),
        }
    }

    /// A new key: builds its run, and makes room for it first.
    #[inline(never)]
    fn open(&mut self, hash: u64, key: K, now: Time, cx: &mut Cx) -> usize {
        if self.table.is_full()
            && let Some((_, run)) = self.table.pop()
        {
            self.expired += 1;
            self.close(run, cx);
            if cx.draining(self.label.id()) > self.limit {
                self.pressure.hold(cx);
            }
        }
        let run = self.begin(&key, cx);
        let at = self.table.insert(hash, key, run, now);
        self.table.arm(&mut self.alarm, self.label.id(), cx);
        at
    }

    fn begin(&mut self, key: &K, cx: &mut Cx) -> KeyRun<T> {
        let id = cx.fresh_run();
        let Some(core) = self.core.upgrade() else {
            return KeyRun { id, head: None };
        };
        let graph = Graph::from_core(core);
        let turn = {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.0 += 1;
            slot.0
        };
        let flow = KeyFlow {
            graph: graph.clone(),
            node: self.label.id(),
            turn,
            slot: self.slot.clone(),
        };
        let nursery = Nursery::open(&graph, &self.label, cx);
        let run = (self.build)(key, flow).into_run();
        graph.assert_same(run.graph(), "per_key");
        let mut plan = Plan::new(&graph);
        plan.at_port(&self.merged, 0);
        run.build(KeyEnd::new(self.out.clone(), id), &mut plan);
        let _ = plan.install();
        // Before the run is in the graph: it may end at once.
        self.out.open(cx).opened();
        let has = nursery.install(id, &self.merged, cx);
        self.has.holders |= has.holders;
        self.has.forks |= has.forks;
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        // From here on the key's flow is of no use to anybody.
        slot.0 += 1;
        KeyRun {
            id,
            head: slot.1.take(),
        }
    }

    /// A key goes: its run emits what it holds. No element is in it any more.
    fn close(&mut self, mut run: KeyRun<T>, cx: &mut Cx) {
        if let Some(head) = &mut run.head {
            cx.with_token(Token::NONE, |cx| {
                head.signal(Signal::Close, cx);
                // What is not in a cell writes its counts for the last time.
                cx.new_query();
                head.signal(Signal::Census, cx);
            });
        }
        cx.leave_run(run.id, run.head);
    }

    /// The keys that have been idle for too long expire, until somebody downstream is full.
    fn look(&mut self, cx: &mut Cx) {
        let now = cx.now();
        while !cx.gated(self.label.id())
            && let Some((_, run)) = self.table.pop_idle(now)
        {
            self.expired += 1;
            self.close(run, cx);
        }
        self.table.arm(&mut self.alarm, self.label.id(), cx);
    }

    /// What time it is, where keys grow old; those that are overdue go first.
    #[inline]
    fn time(&mut self, cx: &mut Cx) -> Time {
        let (now, overdue) = self.table.time(cx);
        if overdue {
            self.look(cx);
        }
        now
    }

    /// How much may come: elements may be for any key, so where runs hold, one at a time.
    fn room(&mut self, room: &mut usize, cx: &mut Cx) {
        let mut below = usize::MAX;
        match self.table.value(self.latest) {
            Some(KeyRun {
                head: Some(head), ..
            }) => head.signal(Signal::Room(&mut below), cx),
            _ => self.out_signal(Signal::Room(&mut below), cx),
        }
        if self.has.holders && below < usize::MAX {
            below = below.min(1);
        }
        *room = (*room).min(below);
    }

    fn census(&mut self, cx: &mut Cx) {
        if !cx.first_visit(self.label.id()) {
            return;
        }
        let (passed, keys, expired) = (self.passed, self.table.len() as u64, self.expired);
        let since = self.pressure.since();
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.counts.keys = keys;
            node.counts.expired = expired;
            node.blocked_since = since;
        });
        for run in self.table.values() {
            if let Some(head) = &mut run.head {
                head.signal(Signal::Census, cx);
            }
        }
        self.out_signal(Signal::Census, cx);
    }

    /// What concerns no run goes past them.
    fn out_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let mut out = self.out.take(cx);
        out.signal(signal, cx);
        self.out.put(cx, out);
    }
}

impl<T, B, K, F, O, N> Entry<T> for KeyNode<T, B, K, F, O::Item, N>
where
    T: InGraph,
    B: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + InGraph,
    F: FnMut(&K, KeyFlow<T>) -> O + InGraph,
    O: Flow,
    N: Push<O::Item>,
{
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let now = self.time(cx);
        self.push(item, now, cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        // The clock stands still for a batch, so nothing grows old within it.
        let now = self.time(cx);
        self.out.open(cx).gather();
        let mut items = items.drain(..);
        loop {
            let ahead = &mut self.ahead;
            let new = ahead.look(items.as_slice(), &mut self.key, &mut self.table, now);
            for (at, item) in self.ahead.places().zip(items.by_ref()) {
                match self.table.value(at) {
                    Some(KeyRun {
                        head: Some(head), ..
                    }) => head.push(item, cx),
                    _ => cx.lose_current(self.label.id(), Loss::Unheard),
                }
            }
            let (Some((hash, key)), Some(item)) = (new, items.next()) else {
                break;
            };
            self.latest = self.open(hash, key, now, cx);
            self.push_at(self.latest, item, cx);
        }
        let mut out = self.out.take(cx);
        out.scatter(cx);
        self.out.put(cx, out);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                while let Some((_, run)) = self.table.pop() {
                    self.close(run, cx);
                }
                self.pressure.release(cx);
                self.out_signal(Signal::Close, cx);
            }
            Signal::Room(room) => self.room(room, cx),
            Signal::Census => self.census(cx),
            Signal::Settle => {
                if self.has.forks {
                    for run in self.table.values() {
                        if let Some(head) = &mut run.head {
                            head.signal(Signal::Settle, cx);
                        }
                    }
                }
                self.out_signal(Signal::Settle, cx);
            }
            Signal::Fail(_) | Signal::Hole => self.out_signal(signal, cx),
        }
    }
}

impl<T, B, K, F, O, N> Node for KeyNode<T, B, K, F, O::Item, N>
where
    T: InGraph,
    B: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + InGraph,
    F: FnMut(&K, KeyFlow<T>) -> O + InGraph,
    O: Flow,
    N: Push<O::Item>,
{
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        self.look(cx);
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        if cx.draining(self.label.id()) <= self.limit {
            self.pressure.release(cx);
        }
        self.look(cx);
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A branch that was taken off may drain still, and no flow asks it any more.
            Signal::Census => self.census(cx),
            Signal::Settle => {
                for (id, how) in cx.cut_runs(self.label.id()) {
                    let mut runs = self.table.values();
                    let run = runs.find(|run| run.id == id);
                    if let Some(head) = run.and_then(|run| run.head.take()) {
                        cx.begin(self.label.id());
                        cx.see_out_run(head, how);
                    }
                }
            }
            _ => {}
        }
    }
}

impl<R, B, F> std::fmt::Debug for PerKey<R, B, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerKey")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for KeyFlow<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyFlow(..)")
    }
}
