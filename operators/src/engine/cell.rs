//! Where nodes with several entries live: cells that only the graph's context can open.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use qcell::{QCell, QCellOwnerID};
use smallvec::SmallVec;
use sync_wrapper::SyncWrapper;

use super::clock::Time;
use super::context::Cx;
use super::pressure::Waits;
use super::push::{Push, Signal};

/// A node that is entered from several sides: by flows, by a timer, by the driver.
///
/// Whoever enters takes the node out, works with it and the context side by side, and puts it back.
/// Edges are acyclic (cycles go through the graph's queue), so that a node is never found taken.
pub(crate) struct Cell<N>(QCell<SyncWrapper<Option<Box<N>>>>);

impl<N: Send> Cell<N> {
    pub(crate) fn new(owner: QCellOwnerID, node: N) -> Cell<N> {
        Cell(QCell::new(owner, SyncWrapper::new(Some(Box::new(node)))))
    }

    #[inline]
    pub(crate) fn take(&self, cx: &mut Cx) -> Box<N> {
        match self.0.rw(&mut cx.cells).get_mut().take() {
            Some(node) => node,
            None => taken_twice(),
        }
    }

    #[inline]
    pub(crate) fn put(&self, cx: &mut Cx, node: Box<N>) {
        let taken = self.0.rw(&mut cx.cells).get_mut().replace(node);
        debug_assert!(taken.is_none(), "a node is put back by who took it");
        // Nothing to drop, which the compiler can't know.
        std::mem::forget(taken);
    }

    /// The node, unless it is at work or was abandoned.
    fn look<'a>(&'a self, cx: &'a mut Cx) -> Option<&'a N> {
        self.0.rw(&mut cx.cells).get_mut().as_deref()
    }

    /// Whether the node is at work, or was abandoned.
    pub(super) fn is_taken(&self, cx: &mut Cx) -> bool {
        self.look(cx).is_none()
    }

    /// As [`take`](Cell::take), of a node that may have been abandoned.
    pub(crate) fn try_take(&self, cx: &mut Cx) -> Option<Box<N>> {
        self.0.rw(&mut cx.cells).get_mut().take()
    }

    /// Puts another node in its place; `None` where the old one was lost in a panic.
    pub(crate) fn exchange(&self, cx: &mut Cx, node: N) -> Option<Box<N>> {
        self.0.rw(&mut cx.cells).get_mut().replace(Box::new(node))
    }

    /// The node, for work that does not need the context.
    #[inline]
    pub(crate) fn open<'a>(&'a self, cx: &'a mut Cx) -> &'a mut N {
        match self.place(cx) {
            Some(node) => node,
            None => taken_twice(),
        }
    }

    /// Where the node is: to look at it first, and then perhaps to take it out.
    #[inline]
    pub(crate) fn place<'a>(&'a self, cx: &'a mut Cx) -> &'a mut Option<Box<N>> {
        self.0.rw(&mut cx.cells).get_mut()
    }
}

#[cold]
#[inline(never)]
pub(crate) fn taken_twice() -> ! {
    unreachable!("edges are acyclic, so a node is not entered while it pushes")
}

impl<N> fmt::Debug for Cell<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cell(..)")
    }
}

/// What a node in a [`Cell`] does besides taking elements.
pub(crate) trait Node: Send + 'static {
    /// A deadline that the node set has come, or an earlier one that it moved.
    fn tick(&mut self, _cx: &mut Cx) {}

    /// The node was woken: one of its futures is ready, or its way down is open again.
    fn poll(&mut self, _cx: &mut Cx, _waker: &Waker) {}

    /// The graph itself, and not a flow, sends a signal. Nodes where elements begin (pumped streams,
    /// iterators) send it down; those that count or hold answer a census here, since of a branch that
    /// was taken off, and still drains, no flow asks any more.
    fn root(&mut self, _signal: Signal<'_>, _cx: &mut Cx) {}

    /// Whoever is below has had enough, and nobody enters the node any more: a pump ends, without a
    /// word to what is below. Returns whether the node may go at once.
    fn let_go(&mut self, _cx: &mut Cx) -> bool {
        true
    }

    /// An origin waits for this join, which looks whether that can end. `still`: nothing moves in the
    /// graph.
    fn starved(&mut self, _still: bool, _cx: &mut Cx) {}

    /// What each input of a join holds, for those who ask why a graph is stuck.
    fn inputs(&self) -> PortCounts {
        PortCounts::new()
    }

    /// How many futures are under way, and since when none has finished.
    fn in_flight(&self) -> Option<(usize, Time)> {
        None
    }

    /// Whether origins wait at this join, and for which of its inputs.
    fn waits(&self) -> Option<Waits> {
        None
    }
}

/// How many elements each input of a join holds.
pub(crate) type PortCounts = SmallVec<[usize; 8]>;

/// A node as the graph knows it.
pub(crate) trait Station: Send + Sync {
    fn tick(&self, cx: &mut Cx);
    fn poll(&self, cx: &mut Cx, waker: &Waker);
    fn signal(&self, signal: Signal<'_>, cx: &mut Cx);
    fn starved(&self, still: bool, cx: &mut Cx);
    fn let_go(&self, cx: &mut Cx) -> bool;
    fn inputs(&self, cx: &mut Cx) -> PortCounts;
    fn in_flight(&self, cx: &mut Cx) -> Option<(usize, Time)>;
    /// As [`Node::waits`]; `None` of a node that is at work.
    fn waits(&self, cx: &mut Cx) -> Option<Waits>;
    /// Whether somebody has entered the node, or had when a closure panicked.
    fn is_at_work(&self, cx: &mut Cx) -> bool;
    /// Takes the node out for good, to be dropped outside of the lock: nothing enters it again.
    fn abandon(&self, cx: &mut Cx) -> Box<dyn Any + Send>;
}

impl<N: Node> Station for Cell<N> {
    fn tick(&self, cx: &mut Cx) {
        let mut node = self.take(cx);
        node.tick(cx);
        self.put(cx, node);
    }

    fn poll(&self, cx: &mut Cx, waker: &Waker) {
        let mut node = self.take(cx);
        node.poll(cx, waker);
        self.put(cx, node);
    }

    fn signal(&self, signal: Signal<'_>, cx: &mut Cx) {
        let mut node = self.take(cx);
        node.root(signal, cx);
        self.put(cx, node);
    }

    fn let_go(&self, cx: &mut Cx) -> bool {
        let mut node = self.take(cx);
        let goes = node.let_go(cx);
        self.put(cx, node);
        goes
    }

    fn starved(&self, still: bool, cx: &mut Cx) {
        let mut node = self.take(cx);
        node.starved(still, cx);
        self.put(cx, node);
    }

    fn inputs(&self, cx: &mut Cx) -> PortCounts {
        self.look(cx).map(Node::inputs).unwrap_or_default()
    }

    fn in_flight(&self, cx: &mut Cx) -> Option<(usize, Time)> {
        self.look(cx)?.in_flight()
    }

    fn waits(&self, cx: &mut Cx) -> Option<Waits> {
        self.look(cx)?.waits()
    }

    fn is_at_work(&self, cx: &mut Cx) -> bool {
        self.is_taken(cx)
    }

    fn abandon(&self, cx: &mut Cx) -> Box<dyn Any + Send> {
        Box::new(self.0.rw(&mut cx.cells).get_mut().take())
    }
}

/// An entry of a node in a cell: what a flow that leads there ends in. `P` numbers the inputs of
/// nodes whose inputs differ in type.
pub(crate) trait Entry<T, const P: usize = 0>: Send + 'static {
    fn enter(&mut self, item: T, cx: &mut Cx);

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        for item in items.drain(..) {
            self.enter(item, cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx);
}

/// Pushes into entry `P` of a node in a cell.
pub(crate) struct Port<N, const P: usize = 0>(pub(crate) Arc<Cell<N>>);

impl<T: 'static, const P: usize, N: Entry<T, P>> Push<T> for Port<N, P> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        let mut node = self.0.take(cx);
        node.enter(item, cx);
        self.0.put(cx, node);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        let mut node = self.0.take(cx);
        node.enter_batch(items, cx);
        self.0.put(cx, node);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let mut node = self.0.take(cx);
        node.enter_signal(signal, cx);
        self.0.put(cx, node);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}
