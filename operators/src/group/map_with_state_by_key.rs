//! `map_with_state_by_key`: each element becomes another, by a closure with a memory for each key.

use std::hash::Hash;
use std::sync::Arc;
use std::task::Waker;

use super::key_table::KeyTable;
use super::keys::Keys;
use super::timed_push::TimedPush;
use crate::engine::{
    Alarm, Cx, Entry, Graph, Label, Node, Plan, Push, Role, Signal, Site, Time, Token,
};
use crate::flow::{InGraph, Run};

/// Applies a closure with a state for each key to each element: see
/// [`Flow::map_with_state_by_key`](crate::Flow::map_with_state_by_key).
///
/// - **Emits** one element for each element, at once; and, with
///   [`on_expire`](MapWithStateByKey::on_expire), what is made of a state when its key expires.
/// - **Holds** a state for each live key, as many as [`Keys`] says; no elements.
/// - **Waits** never. If somebody downstream is full when keys have been idle for too long, they stay
///   until there is room.
/// - **On close** all keys go, the least recently used first; they are no expiries, but `on_expire`
///   sees them too.
/// - **Drops** nothing but states, which are counted as expired. A failure from above passes at once.
/// - **Panics** where a closure, or the key's `Hash` or `Eq`, does; that poisons the graph. With
///   [`Keys::idle`] the graph needs a driver.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<(&str, f64)>::new();
/// let rises = source
///     .map_with_state_by_key(
///         |(room, _)| *room,
///         Keys::max(1_000),
///         |_| None,
///         |last, (room, x)| (room, x - last.replace(x).unwrap_or(x)),
///     )
///     .sink_to_list();
/// source.emit_all([("hall", 20.0), ("attic", 28.0), ("hall", 21.5)])?;
/// assert_eq!(rises.take(), [("hall", 0.0), ("attic", 0.0), ("hall", 1.5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct MapWithStateByKey<R, B, I, F, H = Forget> {
    upstream: R,
    key: B,
    keys: Keys,
    init: I,
    f: F,
    hook: H,
    site: Site,
}

/// Nothing is made of a state that goes.
#[derive(Clone, Copy, Debug)]
pub struct Forget;

/// What is made of a state that goes: see [`MapWithStateByKey::on_expire`].
pub struct OnExpire<H>(H);

/// What becomes of the state of a key that expires.
pub trait Expire<K, S, U>: InGraph {
    /// Makes an element of it, or none.
    fn expire(&mut self, key: K, state: S) -> Option<U>;
}

impl<K, S, U> Expire<K, S, U> for Forget {
    fn expire(&mut self, _key: K, _state: S) -> Option<U> {
        None
    }
}

impl<K, S, U, H> Expire<K, S, U> for OnExpire<H>
where
    H: FnMut(K, S) -> Option<U> + InGraph,
{
    fn expire(&mut self, key: K, state: S) -> Option<U> {
        (self.0)(key, state)
    }
}

impl<R, B, I, F> MapWithStateByKey<R, B, I, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, key: B, keys: Keys, init: I, f: F) -> Self {
        MapWithStateByKey {
            upstream,
            key,
            keys,
            init,
            f,
            hook: Forget,
            site: Site::new("map_with_state_by_key"),
        }
    }

    /// Emits what `hook` makes of the state of a key that expires, and of those that are left at the
    /// close.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let visits = Source::<&str>::new();
    /// let totals = visits
    ///     .map_with_state_by_key(|user| *user, Keys::max(1), |_| 0, |n, _| {
    ///         *n += 1;
    ///         None
    ///     })
    ///     .on_expire(|user, n| Some(Some((user, n))))
    ///     .flatten()
    ///     .sink_to_list();
    /// visits.emit_all(["ann", "ann", "bob"])?;
    /// assert_eq!(totals.take(), [("ann", 2)]);
    /// visits.close();
    /// assert_eq!(totals.take(), [("bob", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_expire<K, S, U, H>(self, hook: H) -> MapWithStateByKey<R, B, I, F, OnExpire<H>>
    where
        R: Run,
        B: FnMut(&R::Item) -> K,
        I: FnMut(&K) -> S,
        F: FnMut(&mut S, R::Item) -> U,
        H: FnMut(K, S) -> Option<U> + InGraph,
    {
        MapWithStateByKey {
            upstream: self.upstream,
            key: self.key,
            keys: self.keys,
            init: self.init,
            f: self.f,
            hook: OnExpire(hook),
            site: self.site,
        }
    }
}

impl<R, B, K, I, S, F, U, H> Run for MapWithStateByKey<R, B, I, F, H>
where
    R: Run,
    B: FnMut(&R::Item) -> K + InGraph,
    K: Hash + Eq + InGraph,
    I: FnMut(&K) -> S + InGraph,
    S: InGraph,
    F: FnMut(&mut S, R::Item) -> U + InGraph,
    U: InGraph,
    H: Expire<K, S, U>,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let timed = self.keys.is_timed();
        let node = StateNode {
            label: label.clone(),
            key: self.key,
            init: self.init,
            f: self.f,
            hook: self.hook,
            table: KeyTable::new(self.keys),
            batch: Vec::new(),
            passed: 0,
            expired: 0,
            alarm: Alarm::default(),
            next,
        };
        let push = TimedPush::new(node, timed, &label, plan);
        self.upstream.build(push, plan);
    }
}

struct StateNode<B, K, I, S, F, H, U, N> {
    label: Arc<Label>,
    key: B,
    init: I,
    f: F,
    hook: H,
    table: KeyTable<K, S>,
    /// What a run that ends at a junction gets as a whole.
    batch: Vec<U>,
    passed: u64,
    expired: u64,
    alarm: Alarm,
    next: N,
}

impl<B, K, I, S, F, H, U, N> StateNode<B, K, I, S, F, H, U, N>
where
    K: Hash + Eq + InGraph,
    I: FnMut(&K) -> S + InGraph,
    S: InGraph,
    U: InGraph,
    H: Expire<K, S, U>,
    N: Push<U>,
{
    #[inline]
    fn apply<T>(&mut self, item: T, now: Time, cx: &mut Cx) -> U
    where
        B: FnMut(&T) -> K,
        F: FnMut(&mut S, T) -> U,
    {
        let key = (self.key)(&item);
        match self.table.find(&key, now) {
            Ok((_, state)) => (self.f)(state, item),
            Err(hash) => self.open(hash, key, item, now, cx),
        }
    }

    /// A new key: makes room for it first.
    #[inline(never)]
    fn open<T>(&mut self, hash: u64, key: K, item: T, now: Time, cx: &mut Cx) -> U
    where
        F: FnMut(&mut S, T) -> U,
    {
        if self.table.is_full()
            && let Some((_, key, state)) = self.table.pop()
        {
            self.expired += 1;
            self.remains(key, state, cx);
        }
        let state = (self.init)(&key);
        let made = (self.f)(self.table.insert(hash, key, state, now), item);
        self.table.arm(&mut self.alarm, self.label.id(), cx);
        made
    }

    /// Emits what is made of a state, behind all elements before it. No element is in it any more.
    fn remains(&mut self, key: K, state: S, cx: &mut Cx) {
        if let Some(last) = self.hook.expire(key, state) {
            self.flush(cx);
            cx.with_token(Token::NONE, |cx| self.next.push(last, cx));
        }
    }

    fn flush(&mut self, cx: &mut Cx) {
        if !self.batch.is_empty() {
            self.next.push_batch(&mut self.batch, cx);
        }
    }

    /// The keys that have been idle for too long expire, until somebody downstream is full.
    fn look(&mut self, cx: &mut Cx) {
        let now = cx.now();
        while !cx.gated(self.label.id())
            && let Some((_, key, state)) = self.table.pop_idle(now)
        {
            self.expired += 1;
            self.remains(key, state, cx);
        }
        self.table.arm(&mut self.alarm, self.label.id(), cx);
    }

    /// What time it is, for who must know; keys that are overdue go first.
    #[inline]
    fn time(&mut self, cx: &mut Cx) -> Time {
        let (now, overdue) = self.table.time(cx);
        if overdue {
            self.look(cx);
        }
        now
    }

    fn census(&mut self, cx: &mut Cx) {
        let (passed, keys, expired) = (self.passed, self.table.len() as u64, self.expired);
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.counts.keys = keys;
            node.counts.expired = expired;
        });
    }
}

impl<T, B, K, I, S, F, H, U, N> Entry<T> for StateNode<B, K, I, S, F, H, U, N>
where
    T: 'static,
    B: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + InGraph,
    I: FnMut(&K) -> S + InGraph,
    S: InGraph,
    F: FnMut(&mut S, T) -> U + InGraph,
    U: InGraph,
    H: Expire<K, S, U>,
    N: Push<U>,
{
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let now = self.time(cx);
        let made = self.apply(item, now, cx);
        self.next.push(made, cx);
    }

    #[inline]
    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        // The clock stands still for a batch, so nothing grows old within it.
        let now = self.time(cx);
        if self.next.batches() {
            for item in items.drain(..) {
                let made = self.apply(item, now, cx);
                self.batch.push(made);
            }
            self.flush(cx);
        } else {
            for item in items.drain(..) {
                let made = self.apply(item, now, cx);
                self.next.push(made, cx);
            }
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                while let Some((_, key, state)) = self.table.pop() {
                    self.remains(key, state, cx);
                }
            }
            Signal::Census => self.census(cx),
            _ => {}
        }
        self.next.signal(signal, cx);
    }
}

impl<B, K, I, S, F, H, U, N> Node for StateNode<B, K, I, S, F, H, U, N>
where
    B: InGraph,
    K: Hash + Eq + InGraph,
    I: FnMut(&K) -> S + InGraph,
    S: InGraph,
    F: InGraph,
    U: InGraph,
    H: Expire<K, S, U>,
    N: Push<U>,
{
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        self.look(cx);
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.look(cx);
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off may drain still, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.census(cx);
        }
    }
}

impl<R, B, I, F, H> std::fmt::Debug for MapWithStateByKey<R, B, I, F, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MapWithStateByKey")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl<H> std::fmt::Debug for OnExpire<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnExpire(..)")
    }
}
