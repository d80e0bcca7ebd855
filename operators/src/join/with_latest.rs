//! `with_latest`: each element meets the latest one of another flow.

use std::sync::Arc;

use super::latest::Latest;
use super::relay::pass_once;
use crate::engine::{
    Cx, Entry, Graph, Label, Loss, Lost, Node, Plan, Port, Push, Role, Signal, Site, Token,
};
use crate::flow::{InGraph, Run};

/// Calls a closure with each element and the latest one of another flow: see
/// [`Flow::with_latest`](crate::Flow::with_latest).
///
/// - **Emits** what the closure returns, at once, for each element of the main flow; for elements of
///   the other flow nothing.
/// - **Holds** the latest element of the other flow (`initial` until one came), and lends it to the
///   closure. Its receipt stays open until it is replaced. Nothing of the main flow is held.
/// - **Waits** never.
/// - **On close** of the main flow it closes. The close of the other changes nothing: its last
///   element stays.
/// - **Drops** an element of the other flow that is replaced before the closure saw it, counted as
///   superseded; one that it never saw at the close, as unpaired; what comes after that, as unheard.
/// - **Panics** at construction if the flows belong to two graphs, and where the closure does; that
///   poisons the graph.
///
/// Where both hang from one source, the other flow is connected first: the closure finds it up to
/// date with the element.
///
/// A failure keeps its place in the main flow. One in the other flow has no place here: it is
/// reported, and the latest element before it stays.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let (readings, scale) = (graph.source::<u32>(), graph.source::<u32>());
/// let scaled = readings.with_latest(&scale, 1, |x, &scale| x * scale).sink_to_list();
/// readings.emit(5)?;
/// scale.emit(10)?;
/// readings.emit_all([6, 7])?;
/// assert_eq!(scaled.take(), [5, 60, 70]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct WithLatest<R, C: Run, F> {
    upstream: R,
    other: C,
    initial: C::Item,
    f: F,
    site: Site,
}

impl<R: Run, C: Run, F> WithLatest<R, C, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, other: C, initial: C::Item, f: F) -> Self {
        upstream.graph().assert_same(other.graph(), "with_latest");
        WithLatest {
            upstream,
            other,
            initial,
            f,
            site: Site::new("with_latest"),
        }
    }
}

impl<R, C, F, U> Run for WithLatest<R, C, F>
where
    R: Run,
    C: Run,
    F: FnMut(R::Item, &C::Item) -> U + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::OrderedJoin);
        let node = WithLatestNode {
            label: label.clone(),
            latest: Latest::initially(self.initial),
            updated: false,
            passed: 0,
            f: self.f,
            batch: Vec::new(),
            next,
        };
        let cell = plan.cell(&label, node);
        plan.at_port(&label, OTHER as u32);
        self.other.build(Port::<_, OTHER>(cell.clone()), plan);
        plan.at_port(&label, MAIN as u32);
        self.upstream.build(Port::<_, MAIN>(cell), plan);
    }
}

const MAIN: usize = 0;
const OTHER: usize = 1;

struct WithLatestNode<C, F, U, N> {
    label: Arc<Label>,
    /// Empty once the main flow has closed.
    latest: Latest<C>,
    /// Whether the latest came from the flow.
    updated: bool,
    passed: u64,
    f: F,
    /// What a run that ends at a junction fills and passes on as a whole.
    batch: Vec<U>,
    next: N,
}

impl<C: InGraph, F: InGraph, U: InGraph, N: Push<U>> Node for WithLatestNode<C, F, U, N> {}

impl<C, F, U: InGraph, N: Push<U>> WithLatestNode<C, F, U, N> {
    fn pass_once(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let (passed, held) = (self.passed, self.updated && self.latest.is_some());
        pass_once(self.label.id(), signal, &mut self.next, cx, |node| {
            node.counts.passed = passed;
            node.counts.held = u64::from(held);
        });
    }
}

/// Has `push` push with the latest element's token beside that of the element under way.
#[inline]
fn beside_latest(token: Token, cx: &mut Cx, push: impl FnOnce(&mut Cx)) {
    if token.is_some() {
        let token = Token::merge([cx.token.clone(), token]);
        cx.with_token(token, push);
    } else {
        push(cx);
    }
}

impl<T, C, F, U, N> Entry<T, MAIN> for WithLatestNode<C, F, U, N>
where
    T: InGraph,
    C: InGraph,
    F: FnMut(T, &C) -> U + InGraph,
    U: InGraph,
    N: Push<U>,
{
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let Some(latest) = self.latest.use_it() else {
            return cx.lose_current(self.label.id(), Loss::Unheard);
        };
        let item = (self.f)(item, latest);
        let token = self.latest.token();
        beside_latest(token, cx, |cx| self.next.push(item, cx));
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let token = self.latest.token();
        let Some(latest) = self.latest.use_it() else {
            cx.token.fail(Lost::Discarded);
            cx.lose(self.label.id(), Loss::Unheard, items.len());
            return items.clear();
        };
        let (f, batch, next) = (&mut self.f, &mut self.batch, &mut self.next);
        let results = items.drain(..).map(|item| f(item, latest));
        let push = |cx: &mut Cx| {
            if next.batches() {
                batch.extend(results);
                next.push_batch(batch, cx);
            } else {
                results.for_each(|result| next.push(result, cx));
            }
        };
        beside_latest(token, cx, push);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close if self.latest.is_some() => {
                if self.latest.discard() {
                    cx.lose(self.label.id(), Loss::Unpaired, 1);
                }
                self.next.signal(Signal::Close, cx);
            }
            Signal::Close => {}
            Signal::Fail(_) | Signal::Hole | Signal::Room(_) => self.next.signal(signal, cx),
            Signal::Settle | Signal::Census => self.pass_once(signal, cx),
        }
    }
}

impl<C, F, U, N> Entry<C, OTHER> for WithLatestNode<C, F, U, N>
where
    C: InGraph,
    F: InGraph,
    U: InGraph,
    N: Push<U>,
{
    fn enter(&mut self, item: C, cx: &mut Cx) {
        self.passed += 1;
        if !self.latest.is_some() {
            return cx.lose_current(self.label.id(), Loss::Unheard);
        }
        self.latest.replace(item, &self.label, cx);
        self.updated = true;
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Fail(failure) => cx.report(failure),
            // Nothing of this flow goes down: it has no place there, and takes no room.
            Signal::Close | Signal::Hole | Signal::Room(_) => {}
            Signal::Settle | Signal::Census => self.pass_once(signal, cx),
        }
    }
}

impl<R, C: Run, F> std::fmt::Debug for WithLatest<R, C, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithLatest").finish_non_exhaustive()
    }
}
