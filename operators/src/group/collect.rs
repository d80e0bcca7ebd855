//! `collect`: elements are held until somebody asks for them.

use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;

use super::room;
use crate::engine::{
    Cell, Core, Cx, Entry, Graph, Label, Node, Plan, Port, Push, Role, Signal, Site, Token, Tokens,
};
use crate::flow::{InGraph, Run};

/// How many elements may be held by default.
const MAX_LEN: usize = 65_536;

/// Makes a `Vec` of the elements since the last time that it was asked for them: see
/// [`Flow::collect`](crate::Flow::collect).
///
/// - **Emits** what it holds, when [`Flush::flush`] is called; an empty `Vec` where it holds nothing. A
///   group that is full ([`max_len`](Collect::max_len)) is emitted early, and counted so.
/// - **Holds** up to 65 536 elements, or `max_len`.
/// - **Waits** never. While somebody downstream is full, a flush is put off until there is room.
/// - **On close** it emits what it holds, if there is anything.
/// - **Drops** nothing. A failure passes at once, ahead of what is held.
/// - **Panics** at construction if `max_len` is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let (groups, flush) = source.collect();
/// let groups = groups.sink_to_list();
/// source.emit_all([1, 2])?;
/// flush.flush();
/// source.emit(3)?;
/// source.close();
/// assert_eq!(groups.take(), [vec![1, 2], vec![3]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Collect<R> {
    upstream: R,
    max_len: usize,
    door: Arc<OnceLock<Weak<dyn Flushed>>>,
    site: Site,
}

/// Makes a `Vec` of the elements between those of another flow: see
/// [`Flow::collect_until`](crate::Flow::collect_until).
///
/// - **Emits** what it holds, with each element of the other flow; an empty `Vec` where it holds
///   nothing. A group that is full ([`max_len`](CollectUntil::max_len)) is emitted early, and counted so.
///   Where both flows hang from one source, an element is in the group that it ends.
/// - **Holds** up to 65 536 elements, or `max_len`.
/// - **Waits** never.
/// - **On close** it emits what it holds, if there is anything, and lets go of the other flow. The close
///   of the other flow alone changes nothing.
/// - **Drops** the elements of the other flow. A failure of either passes at once, ahead of what is held.
///   A tracked element of the other flow is done when the group that it asked for is.
/// - **Panics** at construction if `max_len` is 0, or if the flows belong to two graphs.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let (rows, commit) = (graph.source::<i32>(), graph.source::<()>());
/// let groups = rows.collect_until(&commit).sink_to_list();
/// rows.emit_all([1, 2])?;
/// commit.emit(())?;
/// commit.emit(())?;
/// rows.emit(3)?;
/// rows.close();
/// assert_eq!(groups.take(), [vec![1, 2], vec![], vec![3]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct CollectUntil<R, U> {
    upstream: R,
    until: U,
    max_len: usize,
    site: Site,
}

/// Has a [`collect`](crate::Flow::collect) emit what it holds, from anywhere. A handle: clones mean the
/// same operator.
///
/// It keeps nothing alive, so that a closure of the same graph may have it.
#[derive(Clone)]
pub struct Flush {
    core: Weak<Core>,
    /// The node, once it is connected.
    door: Arc<OnceLock<Weak<dyn Flushed>>>,
}

impl Flush {
    /// Emits what is held: a `Vec`, empty where there is nothing. Before the flow is connected, and after
    /// it has closed, nothing happens.
    ///
    /// From inside of a closure it is queued, and happens when the element under way has passed. A
    /// failure downstream goes to the graph's handler.
    pub fn flush(&self) {
        let (Some(core), Some(door)) = (self.core.upgrade(), self.door.get()) else {
            return;
        };
        let door = door.clone();
        Graph::from_core(core).change(move |cx| {
            if let Some(node) = door.upgrade() {
                node.flush(cx);
            }
        });
    }
}

#[track_caller]
fn check_max_len(max: usize) -> usize {
    assert!(
        max > 0,
        "`max_len(0)` could hold nothing: let a group have at least 1 element"
    );
    max
}

impl<R: Run> Collect<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> (Self, Flush) {
        let door = Arc::new(OnceLock::new());
        let flush = Flush {
            core: Arc::downgrade(upstream.graph().core()),
            door: door.clone(),
        };
        let collect = Collect {
            upstream,
            max_len: MAX_LEN,
            door,
            site: Site::new("collect"),
        };
        (collect, flush)
    }

    /// How many elements may be held (65 536 by default).
    ///
    /// # Panics
    /// If `max` is 0.
    #[track_caller]
    pub fn max_len(mut self, max: usize) -> Self {
        self.max_len = check_max_len(max);
        self
    }
}

impl<R: Run, U: Run> CollectUntil<R, U> {
    #[track_caller]
    pub(crate) fn new(upstream: R, until: U) -> Self {
        upstream.graph().assert_same(until.graph(), "collect_until");
        CollectUntil {
            upstream,
            until,
            max_len: MAX_LEN,
            site: Site::new("collect_until"),
        }
    }

    /// How many elements may be held (65 536 by default).
    ///
    /// # Panics
    /// If `max` is 0.
    #[track_caller]
    pub fn max_len(mut self, max: usize) -> Self {
        self.max_len = check_max_len(max);
        self
    }
}

impl<R: Run> Run for Collect<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let cell = plan.cell(&label, CollectNode::new(&label, self.max_len, next));
        let door: Arc<dyn Flushed> = cell.clone();
        let _ = self.door.set(Arc::downgrade(&door));
        self.upstream.build(Port::<_, 0>(cell), plan);
    }
}

impl<R: Run, U: Run> Run for CollectUntil<R, U> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::OrderedJoin);
        let cell = plan.cell(&label, CollectNode::new(&label, self.max_len, next));
        plan.in_front_of(&label, |plan| {
            plan.at_port(&label, 0);
            self.upstream.build(Port::<_, 0>(cell.clone()), plan);
            plan.at_port(&label, 1);
            self.until.build(Port::<_, 1>(cell), plan);
        });
    }
}

struct CollectNode<T, N> {
    label: Arc<Label>,
    items: Vec<T>,
    tokens: Tokens,
    max_len: usize,
    /// Somebody asked while somebody downstream was full.
    asked: bool,
    closed: bool,
    passed: u64,
    early: u64,
    next: N,
}

impl<T: InGraph, N: Push<Vec<T>>> CollectNode<T, N> {
    fn new(label: &Arc<Label>, max_len: usize, next: N) -> Self {
        CollectNode {
            label: label.clone(),
            items: Vec::new(),
            tokens: Tokens::default(),
            max_len,
            asked: false,
            closed: false,
            passed: 0,
            early: 0,
            next,
        }
    }

    /// Emits what is held, as made of all that it is made of and of what asked for it.
    fn emit(&mut self, asked_by: Token, cx: &mut Cx) {
        self.asked = false;
        let group = std::mem::take(&mut self.items);
        let token = Token::merge([self.tokens.take(), asked_by]);
        cx.with_token(token, |cx| self.next.push(group, cx));
    }

    fn flush(&mut self, cx: &mut Cx) {
        if cx.gated(self.label.id()) {
            self.asked = true;
        } else if !self.closed {
            self.emit(Token::NONE, cx);
        }
    }

    /// What comes by both sides, and does not concern where it comes.
    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A group is no element: its place can't be empty.
            Signal::Hole | Signal::Close => {}
            Signal::Fail(_) if self.closed => {}
            Signal::Fail(_) | Signal::Room(_) => self.next.signal(signal, cx),
            Signal::Census | Signal::Settle => {
                if !cx.first_visit(self.label.id()) {
                    return;
                }
                if matches!(signal, Signal::Census) {
                    let (passed, held) = (self.passed, self.items.len() as u64);
                    let (capacity, early) = (self.max_len as u64, self.early);
                    cx.take_census(self.label.id(), |node| {
                        node.counts.passed = passed;
                        node.counts.held = held;
                        node.counts.capacity = capacity;
                        node.counts.early = early;
                        node.rests = true;
                    });
                }
                self.next.signal(signal, cx);
            }
        }
    }
}

impl<T: InGraph, N: Push<Vec<T>>> Entry<T, 0> for CollectNode<T, N> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.tokens.note(cx);
        self.items.push(item);
        if self.items.len() >= self.max_len {
            self.early += 1;
            self.emit(Token::NONE, cx);
        }
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let mut rest = items.drain(..);
        while rest.len() > 0 {
            self.tokens.note(cx);
            let room = self.max_len - self.items.len();
            self.items.extend(rest.by_ref().take(room));
            if self.items.len() >= self.max_len {
                self.early += 1;
                self.emit(Token::NONE, cx);
            }
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                if !std::mem::replace(&mut self.closed, true) {
                    if !self.items.is_empty() || self.asked {
                        self.emit(Token::NONE, cx);
                    }
                    self.next.signal(Signal::Close, cx);
                    cx.finish(self.label.id());
                }
            }
            Signal::Room(room) => {
                let own = self.max_len - self.items.len();
                room::of_group(own, room, &mut self.next, cx);
            }
            other => self.signal(other, cx),
        }
    }
}

impl<T: InGraph, U: InGraph, N: Push<Vec<T>>> Entry<U, 1> for CollectNode<T, N> {
    fn enter(&mut self, _item: U, cx: &mut Cx) {
        if !self.closed {
            let asked_by = cx.token.clone();
            self.emit(asked_by, cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.signal(signal, cx);
    }
}

impl<T: InGraph, N: Push<Vec<T>>> Node for CollectNode<T, N> {
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        if self.asked {
            self.flush(cx);
        }
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off is done, and no flow asks it any more what it counted.
        if matches!(signal, Signal::Census) {
            self.signal(signal, cx);
        }
    }
}

/// A node that emits what it holds when it is asked.
trait Flushed: Send + Sync {
    fn flush(&self, cx: &mut Cx);
}

impl<T: InGraph, N: Push<Vec<T>>> Flushed for Cell<CollectNode<T, N>> {
    fn flush(&self, cx: &mut Cx) {
        let Some(mut node) = self.try_take(cx) else {
            return;
        };
        cx.begin(node.label.id());
        node.flush(cx);
        self.put(cx, node);
        cx.token = Token::NONE;
    }
}

impl<R> std::fmt::Debug for Collect<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collect")
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}

impl<R, U> std::fmt::Debug for CollectUntil<R, U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectUntil")
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Flush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flush(..)")
    }
}
