//! `partition(n).by_key(f)`: a group for each key.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use hashbrown::HashMap;

use super::gather::{Elements, Gather};
use super::timed_push::TimedPush;
use crate::engine::{
    Alarm, Cx, Entry, Graph, Label, Node, Plan, Push, Role, Signal, Site, Tail, Time,
};
use crate::flow::{InGraph, Run};

/// How many groups may be open by default.
const MAX_GROUPS: usize = 10_000;

/// Makes a `Vec` of every n elements with the same key: see
/// [`Partition::by_key`](crate::Partition::by_key).
///
/// - **Emits** a group with its n-th element; short when its first element has reached
///   [`max_age`](PartitionBy::max_age), if one is set, or when one group more would be open than may
///   be ([`max_groups`](PartitionBy::max_groups), 10 000 by default): then the oldest goes. Both
///   are counted as expired.
/// - **Holds** up to n - 1 elements of each open group. A group that was emitted leaves nothing.
/// - **Waits** never. If somebody downstream is full when a group has grown old, the group is held,
///   and may fill, until there is room.
/// - **On close** it emits the short groups, in the order of their first elements.
/// - **Drops** nothing. A failure passes at once, ahead of the groups that are open.
/// - **Panics** at construction if a number or an age is zero, and where the closure does; that
///   poisons the graph. With an age, the graph needs a driver.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let groups = source.partition(2).by_key(|x| x % 2).sink_to_list();
/// source.emit_all([0, 1, 2, 3, 4])?;
/// assert_eq!(groups.take(), [[0, 2], [1, 3]]);
/// source.close();
/// assert_eq!(groups.take(), [[4]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct PartitionBy<R, F> {
    upstream: R,
    n: usize,
    age: Option<Duration>,
    max_groups: usize,
    key: F,
    site: Site,
}

impl<R, F> PartitionBy<R, F> {
    pub(super) fn new(upstream: R, n: usize, age: Option<Duration>, key: F, site: Site) -> Self {
        PartitionBy {
            upstream,
            n,
            age,
            max_groups: MAX_GROUPS,
            key,
            site,
        }
    }

    /// Emits a group that is still short when its first element is `age` old.
    ///
    /// # Panics
    /// If `age` is zero.
    #[doc(alias = "timeout")]
    #[track_caller]
    pub fn max_age(mut self, age: Duration) -> Self {
        assert!(
            !age.is_zero(),
            "`max_age` of zero would end each group at once: give it a longer time"
        );
        self.age = Some(age);
        self
    }

    /// How many groups may be open (10 000 by default); for one more the oldest is emitted short.
    ///
    /// # Panics
    /// If `groups` is 0.
    #[track_caller]
    pub fn max_groups(mut self, groups: usize) -> Self {
        assert!(
            groups > 0,
            "`max_groups(0)` would let no group be open: allow at least 1"
        );
        self.max_groups = groups;
        self
    }
}

impl<R, F, K> Run for PartitionBy<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> K + InGraph,
    K: Hash + Eq + Clone + InGraph,
{
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let node = KeyedNode {
            label: label.clone(),
            n: self.n,
            age: self.age,
            max_groups: self.max_groups,
            key: self.key,
            groups: HashMap::new(),
            order: BTreeMap::new(),
            opened: 0,
            held: 0,
            expired: 0,
            passed: 0,
            alarm: Alarm::default(),
            next: Box::new(next),
        };
        let push = TimedPush::new(node, self.age.is_some(), &label, plan);
        self.upstream.build(push, plan);
    }
}

struct Group<T> {
    /// Its place in the order of first elements.
    place: u64,
    content: Elements<T>,
}

struct KeyedNode<T, F, K> {
    label: Arc<Label>,
    n: usize,
    age: Option<Duration>,
    max_groups: usize,
    key: F,
    groups: HashMap<K, Group<T>>,
    /// The open groups, oldest first, and when each grows old. Touched once for a group and not for
    /// each element.
    order: BTreeMap<u64, (K, Time)>,
    opened: u64,
    held: usize,
    expired: u64,
    passed: u64,
    alarm: Alarm,
    next: Tail<Vec<T>>,
}

impl<T, F, K> KeyedNode<T, F, K>
where
    T: InGraph,
    F: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + Clone + InGraph,
{
    /// Opens a group; the oldest makes room for it.
    fn open(&mut self, key: K, item: T, cx: &mut Cx) {
        if self.groups.len() >= self.max_groups {
            self.expired += 1;
            self.emit_oldest(cx);
        }
        let place = self.opened;
        self.opened += 1;
        let deadline = match self.age {
            Some(age) => cx.now() + age,
            None => Time::ZERO,
        };
        self.order.insert(place, (key.clone(), deadline));
        let mut content = Elements::new();
        content.add(std::iter::once(item), cx);
        self.held += 1;
        self.groups.insert(key, Group { place, content });
        self.arm(cx);
    }

    fn emit(&mut self, mut group: Group<T>, cx: &mut Cx) {
        self.held -= group.content.held();
        if let Some((group, token)) = group.content.take() {
            cx.with_token(token, |cx| self.next.push(group, cx));
        }
    }

    fn emit_oldest(&mut self, cx: &mut Cx) {
        let oldest = self.order.pop_first();
        if let Some(group) = oldest.and_then(|(_, (key, _))| self.groups.remove(&key)) {
            self.emit(group, cx);
        }
    }

    /// Emits the groups that have grown old, until somebody downstream is full.
    fn look(&mut self, cx: &mut Cx) {
        if self.age.is_none() {
            return;
        }
        let now = cx.now();
        while let Some((_, (_, deadline))) = self.order.first_key_value() {
            if *deadline > now || cx.gated(self.label.id()) {
                break;
            }
            self.expired += 1;
            self.emit_oldest(cx);
        }
        self.arm(cx);
    }

    /// All groups have the same age, so the oldest one's deadline is the next.
    fn arm(&mut self, cx: &mut Cx) {
        let Some((_, (_, deadline))) = self.order.first_key_value() else {
            return;
        };
        // One that is overdue waits for room, and for no timer.
        if self.age.is_some() && *deadline > cx.now() {
            self.alarm.set(self.label.id(), *deadline, cx);
        }
    }
}

impl<T, F, K> Entry<T> for KeyedNode<T, F, K>
where
    T: InGraph,
    F: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + Clone + InGraph,
{
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let key = (self.key)(&item);
        if self.n == 1 {
            self.next.push(vec![item], cx);
            return;
        }
        let Some(group) = self.groups.get_mut(&key) else {
            return self.open(key, item, cx);
        };
        group.content.add(std::iter::once(item), cx);
        self.held += 1;
        if group.content.count() >= self.n {
            let place = group.place;
            self.order.remove(&place);
            if let Some(group) = self.groups.remove(&key) {
                self.emit(group, cx);
            }
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A group is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close => {
                while !self.order.is_empty() {
                    self.emit_oldest(cx);
                }
            }
            Signal::Census => {
                let (passed, held, expired) = (self.passed, self.held as u64, self.expired);
                let capacity = (self.n - 1).max(1).saturating_mul(self.max_groups) as u64;
                let rests = self.age.is_none();
                cx.take_census(self.label.id(), |node| {
                    node.counts.passed = passed;
                    node.counts.held = held;
                    node.counts.capacity = capacity;
                    node.counts.expired = expired;
                    node.rests = rests;
                });
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }
}

impl<T, F, K> Node for KeyedNode<T, F, K>
where
    T: InGraph,
    F: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + Clone + InGraph,
{
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        self.look(cx);
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.look(cx);
    }
}

impl<R, F> std::fmt::Debug for PartitionBy<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionBy")
            .field("n", &self.n)
            .field("age", &self.age)
            .field("max_groups", &self.max_groups)
            .finish_non_exhaustive()
    }
}
