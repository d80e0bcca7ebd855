//! `per_key`: a run of operators for each key.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use super::key_end::{KeyEnd, OutNode};
use super::key_runs::{Runs, put};
use super::key_table::{Ahead, KeyTable};
use super::keys::Keys;
use crate::engine::{
    Alarm, Cell, Core, Cx, Entry, Graph, Has, Label, Loss, Node, NodeId, Nursery, Plan, Port,
    Pressure, Push, Role, RunId, Signal, Site, Time, Token,
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
///   same way, counted as expired; it is taken off flows from outside when their next element comes, or
///   at the latest when the call that emits ends, and what it emits only then may come later in a batch.
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
    cradle: Arc<Mutex<Cradle<T>>>,
}

/// Where the run that is being built finds the others, which it is to lie beside.
struct Cradle<T> {
    /// Counts what is built, so that no flow is used for another run than its own.
    turn: u64,
    /// The number of the key.
    key: u32,
    runs: Option<Box<dyn Runs<T>>>,
}

impl<T: InGraph> Run for KeyFlow<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        let mut cradle = self.cradle.lock().unwrap_or_else(PoisonError::into_inner);
        // A flow that was carried out of the closure comes too late: no element follows.
        if cradle.turn == self.turn {
            plan.begin_within(self.node);
            let key = cradle.key;
            put(&mut cradle.runs, key, next);
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
            runs: None,
            ids: Vec::new(),
            cradle: Arc::new(Mutex::new(Cradle {
                turn: 0,
                key: 0,
                runs: None,
            })),
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

struct KeyNode<T, B, K, F, U, N> {
    /// The graph that this node is in.
    core: Weak<Core>,
    label: Arc<Label>,
    merged: Arc<Label>,
    out: Arc<Cell<OutNode<U, N>>>,
    key: B,
    build: F,
    table: KeyTable<K, ()>,
    ahead: Ahead,
    limit: usize,
    /// Where the runs begin; `None` until the closure has used the flow of a key.
    runs: Option<Box<dyn Runs<T>>>,
    /// What the graph knows the runs by, by the numbers of their keys.
    ids: Vec<RunId>,
    cradle: Arc<Mutex<Cradle<T>>>,
    /// What any of the runs has.
    has: Has,
    /// The key that came last.
    latest: u32,
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
        let number = match self.table.find(&key, now) {
            Ok((number, ())) => number,
            Err(hash) => self.open(hash, key, now, cx),
        };
        self.push_to(number, item, cx);
    }

    #[inline]
    fn push_to(&mut self, key: u32, item: T, cx: &mut Cx) {
        self.latest = key;
        let runs = self.runs.as_deref_mut();
        if !runs.is_some_and(|runs| runs.push(key, item, cx)) {
            self.unheard(1, cx);
        }
    }

    /// The elements whose keys were looked up.
    fn push_known(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        let (keys, alike) = self.ahead.numbers();
        let Some(last) = keys.last() else { return };
        self.latest = *last;
        let unheard = match &mut self.runs {
            Some(runs) if alike && keys.len() == items.len() && keys.iter().all(|k| k == last) => {
                runs.push_all(*last, items, cx)
            }
            Some(runs) => runs.push_each(keys, alike, items, cx),
            None => items.drain(..keys.len()).count(),
        };
        if unheard > 0 {
            self.unheard(unheard, cx);
        }
    }

    #[cold]
    fn unheard(&self, elements: usize, cx: &mut Cx) {
        for _ in 0..elements {
            cx.lose_current(self.label.id(), Loss::Unheard);
        }
    }

    /// A new key: builds its run, and makes room for it first. Returns its number.
    #[inline(never)]
    fn open(&mut self, hash: u64, key: K, now: Time, cx: &mut Cx) -> u32 {
        if self.table.is_full()
            && let Some((number, ..)) = self.table.pop()
        {
            self.expired += 1;
            self.close(number, cx);
            if cx.draining(self.label.id()) > self.limit {
                self.pressure.hold(cx);
            }
        }
        let number = self.table.next_number();
        let id = cx.fresh_run();
        match self.ids.get_mut(number as usize) {
            Some(free) => *free = id,
            None => self.ids.push(id),
        }
        self.begin(&key, number, id, cx);
        self.table.insert(hash, key, (), now);
        self.table.arm(&mut self.alarm, self.label.id(), cx);
        number
    }

    fn begin(&mut self, key: &K, number: u32, id: RunId, cx: &mut Cx) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        let graph = Graph::from_core(core);
        let turn = {
            let mut cradle = self.cradle.lock().unwrap_or_else(PoisonError::into_inner);
            cradle.turn += 1;
            cradle.key = number;
            cradle.runs = self.runs.take();
            cradle.turn
        };
        let flow = KeyFlow {
            graph: graph.clone(),
            node: self.label.id(),
            turn,
            cradle: self.cradle.clone(),
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
        let mut cradle = self.cradle.lock().unwrap_or_else(PoisonError::into_inner);
        // From here on the key's flow is of no use to anybody.
        cradle.turn += 1;
        self.runs = cradle.runs.take();
    }

    /// A key goes: its run emits what it holds. No element is in it any more.
    fn close(&mut self, key: u32, cx: &mut Cx) {
        let Some(id) = self.ids.get(key as usize).copied() else {
            return;
        };
        let mut head = self.runs.as_mut().and_then(|runs| runs.take(key));
        if let Some(head) = &mut head {
            cx.with_token(Token::NONE, |cx| {
                head.signal(Signal::Close, cx);
                // What is not in a cell writes its counts for the last time.
                cx.new_query();
                head.signal(Signal::Census, cx);
            });
        }
        cx.leave_run(id, head);
    }

    /// The keys that have been idle for too long expire, until somebody downstream is full.
    fn look(&mut self, cx: &mut Cx) {
        let now = cx.now();
        while !cx.gated(self.label.id())
            && let Some((number, ..)) = self.table.pop_idle(now)
        {
            self.expired += 1;
            self.close(number, cx);
        }
        if self.table.len() == 0 {
            // Numbers begin anew, and so may what they count.
            self.runs = None;
            self.ids = Vec::new();
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
        let latest = self.latest;
        let runs = self.runs.as_mut();
        if !runs.is_some_and(|runs| runs.signal(latest, Signal::Room(&mut below), cx)) {
            self.out_signal(Signal::Room(&mut below), cx);
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
        if let Some(runs) = &mut self.runs {
            runs.signal_all(Signal::Census, cx);
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
        let mut begun = None;
        loop {
            let ahead = &mut self.ahead;
            let new = ahead.look(items, begun, &mut self.key, &mut self.table, now);
            self.push_known(items, cx);
            let Some((hash, key)) = new else { break };
            begun = Some(self.open(hash, key, now, cx));
        }
        let mut out = self.out.take(cx);
        out.scatter(cx);
        self.out.put(cx, out);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                while let Some((number, ..)) = self.table.pop() {
                    self.close(number, cx);
                }
                self.pressure.release(cx);
                self.out_signal(Signal::Close, cx);
            }
            Signal::Room(room) => self.room(room, cx),
            Signal::Census => self.census(cx),
            Signal::Settle => {
                if let (true, Some(runs)) = (self.has.forks, &mut self.runs) {
                    runs.signal_all(Signal::Settle, cx);
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
                    // A number that no key has may still be noted for a run that is gone.
                    let known = self.ids.iter().zip(0..).filter(|(run, _)| **run == id);
                    let runs = &mut self.runs;
                    let mut heads = known.filter_map(|(_, key)| runs.as_mut()?.take(key));
                    if let Some(head) = heads.next() {
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
