//! Where the runs of all keys end: what `per_key` emits.

use std::sync::Arc;

use crate::engine::{Cell, Cx, Loss, Node, Push, RunId, Signal, Token, batch_of};
use crate::flow::InGraph;

/// What follows `per_key`. It is entered by every run: from within the push of the element under way,
/// and by a run's own timers and futures.
pub(super) struct OutNode<U, N> {
    next: N,
    /// Runs whose end has not closed.
    open: usize,
    /// No element comes from above any more.
    closing: bool,
    /// A batch is under way: results are gathered, and go on as a batch too.
    gathers: bool,
    /// Untracked elements are gathered here. It has room only while a batch is under way and nothing
    /// else is gathered, so that for an element there is one thing to ask: whether it has.
    desk: Vec<U>,
    /// What the desk is made of while it has no room; holds the tracked elements that are gathered.
    drawer: Vec<U>,
    /// Of all that is in the drawer.
    token: Token,
}

impl<U: InGraph, N: Push<U>> OutNode<U, N> {
    pub(super) fn new(next: N) -> Self {
        OutNode {
            next,
            open: 0,
            closing: false,
            gathers: false,
            desk: Vec::new(),
            drawer: Vec::new(),
            token: Token::NONE,
        }
    }

    /// One run more ends here.
    pub(super) fn opened(&mut self) {
        self.open += 1;
    }

    /// A batch begins.
    pub(super) fn gather(&mut self) {
        // Elements that take no memory find room everywhere: there is no telling by it.
        if size_of::<U>() > 0 {
            self.gathers = true;
            self.clear_desk();
        }
    }

    /// The batch is over.
    pub(super) fn scatter(&mut self, cx: &mut Cx) {
        self.gathers = false;
        self.flush(cx);
        if self.has_desk() {
            self.drawer = std::mem::take(&mut self.desk);
        }
    }

    /// No tracked element is gathered: makes room for others.
    fn clear_desk(&mut self) {
        if !self.has_desk() {
            self.desk = std::mem::take(&mut self.drawer);
        }
    }

    fn has_desk(&self) -> bool {
        self.desk.capacity() > 0
    }

    fn flush(&mut self, cx: &mut Cx) {
        if !self.desk.is_empty() {
            cx.with_token(Token::NONE, |cx| self.next.push_batch(&mut self.desk, cx));
        }
        if !self.drawer.is_empty() {
            let token = std::mem::take(&mut self.token);
            cx.with_token(token, |cx| self.next.push_batch(&mut self.drawer, cx));
        }
    }

    fn push(&mut self, item: U, cx: &mut Cx) {
        if !self.gathers {
            return self.next.push(item, cx);
        }
        if !cx.token.is_some() {
            if !self.drawer.is_empty() || self.desk.len() >= batch_of::<U>() {
                self.flush(cx);
            }
            self.clear_desk();
            // It grows up to a batch, and no further: there may be many of these nodes.
            return self.desk.push(item);
        }
        let full = self.drawer.len() >= batch_of::<U>();
        if self.has_desk() || full || !self.token.same(&cx.token) {
            self.flush(cx);
            self.token = cx.token.clone();
        }
        if self.has_desk() {
            self.drawer = std::mem::take(&mut self.desk);
        }
        self.drawer.push(item);
    }

    /// A signal that is not one run's own.
    pub(super) fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.flush(cx);
        match signal {
            Signal::Close => {
                self.closing = true;
                self.close_if_done(cx);
            }
            other => self.next.signal(other, cx),
        }
    }

    fn close_if_done(&mut self, cx: &mut Cx) {
        if self.closing && self.open == 0 {
            self.closing = false;
            self.next.signal(Signal::Close, cx);
        }
    }

    fn run_closed(&mut self, cx: &mut Cx) {
        self.open -= 1;
        if self.closing {
            self.flush(cx);
            self.close_if_done(cx);
        }
    }
}

impl<U: InGraph, N: Push<U>> Node for OutNode<U, N> {}

/// The end of one key's run. A run may have sinks of its own, and drain into them when all that follows
/// `per_key` has gone: then nobody hears what comes out here.
pub(super) struct KeyEnd<U, N> {
    out: Arc<Cell<OutNode<U, N>>>,
    run: RunId,
    closed: bool,
}

impl<U, N> KeyEnd<U, N> {
    pub(super) fn new(out: Arc<Cell<OutNode<U, N>>>, run: RunId) -> Self {
        KeyEnd {
            out,
            run,
            closed: false,
        }
    }
}

impl<U: InGraph, N: Push<U>> KeyEnd<U, N> {
    fn with(&self, cx: &mut Cx, work: impl FnOnce(&mut OutNode<U, N>, &mut Cx)) -> bool {
        let Some(mut out) = self.out.try_take(cx) else {
            return false;
        };
        work(&mut out, cx);
        self.out.put(cx, out);
        true
    }

    #[inline(never)]
    fn push_through(&mut self, item: U, cx: &mut Cx) {
        if !self.with(cx, |out, cx| out.push(item, cx))
            && let Some(owner) = cx.owner_of(self.run)
        {
            cx.lose_current(owner, Loss::Unheard);
        }
    }
}

impl<U: InGraph, N: Push<U>> Push<U> for KeyEnd<U, N> {
    #[inline]
    fn push(&mut self, item: U, cx: &mut Cx) {
        if size_of::<U>() > 0
            && !cx.token.is_some()
            && let Some(out) = self.out.place(cx)
            && out.desk.len() < out.desk.capacity()
        {
            return out.desk.push(item);
        }
        self.push_through(item, cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                if !std::mem::replace(&mut self.closed, true) {
                    self.with(cx, |out, cx| out.run_closed(cx));
                    cx.run_end_closed(self.run);
                }
            }
            // The node that the runs are in passes these on, once for all of them.
            Signal::Census | Signal::Settle => {}
            Signal::Fail(failure) => {
                let mut failure = Some(failure);
                let heard = self.with(cx, |out, cx| {
                    if let Some(failure) = failure.take() {
                        out.signal(Signal::Fail(failure), cx);
                    }
                });
                if let (false, Some(failure)) = (heard, failure) {
                    cx.report(failure);
                }
            }
            other => {
                self.with(cx, |out, cx| out.signal(other, cx));
            }
        }
    }
}
