//! `partition(n).max_age(d)`: a group that does not fill in time is emitted short.

use std::hash::Hash;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::PartitionBy;
use super::census::take_census;
use super::gather::{Elements, Gather};
use crate::engine::{
    Alarm, Cx, Entry, Graph, Label, Node, Plan, Port, Push, Role, Signal, Site, Tail, Time,
};
use crate::flow::{InGraph, Run};

/// Makes a `Vec` of every n elements, or of fewer when the first of them has grown old: see
/// [`Partition::max_age`](crate::Partition::max_age).
///
/// - **Emits** a group with its n-th element, or short when its first element is `age` old. The
///   timer starts with the first element of a group and is cancelled when the group fills.
/// - **Holds** up to n elements.
/// - **Waits** never. If somebody downstream is full when a group has grown old, the group is held,
///   and may fill, until there is room.
/// - **On close** it emits the short group, if there is one.
/// - **Drops** nothing. A failure passes at once, ahead of the group that is open.
/// - **Panics** at construction if `n` or `age` is zero. The graph needs a driver.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<i32>();
/// let groups = source.partition(3).max_age(Duration::from_millis(10)).sink_to_list();
/// source.emit_all([1, 2, 3, 4])?;
/// assert_eq!(groups.take(), [[1, 2, 3]]);
/// time.advance(Duration::from_millis(10));
/// assert_eq!(groups.take(), [[4]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct PartitionAged<R> {
    upstream: R,
    n: usize,
    age: Duration,
    site: Site,
}

impl<R> PartitionAged<R> {
    #[track_caller]
    pub(super) fn new(upstream: R, n: usize, age: Duration, site: Site) -> Self {
        assert!(
            !age.is_zero(),
            "`max_age` of zero would end each group at once: give it a longer time"
        );
        PartitionAged {
            upstream,
            n,
            age,
            site,
        }
    }

    /// A group for each key, each with its own age. See [`PartitionBy`].
    #[doc(alias = "group_by")]
    #[doc(alias = "key_by")]
    pub fn by_key<K, F>(self, key: F) -> PartitionBy<R, F>
    where
        R: Run,
        F: FnMut(&R::Item) -> K + InGraph,
        K: Hash + Eq + Clone + InGraph,
    {
        PartitionBy::new(self.upstream, self.n, Some(self.age), key, self.site)
    }
}

impl<R: Run> Run for PartitionAged<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        plan.has_timers();
        let node = AgedNode {
            label: label.clone(),
            n: self.n,
            age: self.age,
            group: Elements::about(self.n),
            deadline: None,
            alarm: Alarm::default(),
            passed: 0,
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

struct AgedNode<T> {
    label: Arc<Label>,
    n: usize,
    age: Duration,
    group: Elements<T>,
    /// When the group that is open has grown old.
    deadline: Option<Time>,
    alarm: Alarm,
    passed: u64,
    next: Tail<Vec<T>>,
}

impl<T: InGraph> AgedNode<T> {
    fn emit(&mut self, cx: &mut Cx) {
        self.deadline = None;
        if let Some((group, token)) = self.group.take() {
            cx.with_token(token, |cx| self.next.push(group, cx));
        }
    }

    /// After elements came in: a full group goes, a new one gets its deadline.
    #[inline]
    fn took(&mut self, cx: &mut Cx) {
        if self.group.count() >= self.n {
            self.emit(cx);
        } else if self.deadline.is_none() {
            let deadline = cx.now() + self.age;
            self.deadline = Some(deadline);
            self.alarm.set(self.label.id(), deadline, cx);
        }
    }

    /// Emits the group if it has grown old, unless somebody downstream is full.
    fn look(&mut self, cx: &mut Cx) {
        let now = cx.now();
        if self.deadline.is_some_and(|at| at <= now) && !cx.gated(self.label.id()) {
            self.emit(cx);
        }
    }
}

impl<T: InGraph> Entry<T> for AgedNode<T> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.group.add(std::iter::once(item), cx);
        self.took(cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let mut rest = items.drain(..);
        while rest.len() > 0 {
            let missing = self.n - self.group.count();
            self.group.add(rest.by_ref().take(missing), cx);
            self.took(cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A group is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close => self.emit(cx),
            Signal::Census => {
                let held = self.group.held();
                take_census(&self.label, self.passed, held, self.n, false, cx);
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }
}

impl<T: InGraph> Node for AgedNode<T> {
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        self.look(cx);
        // The alarm may have rung for a group that filled meanwhile.
        if let Some(deadline) = self.deadline.filter(|at| *at > now) {
            self.alarm.set(self.label.id(), deadline, cx);
        }
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.look(cx);
    }
}

impl<R> std::fmt::Debug for PartitionAged<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionAged")
            .field("n", &self.n)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}
