//! Where the runs of all keys end: what `per_key` emits.

use std::sync::Arc;

use crate::engine::{BATCH, Cell, Cx, Node, Push, RunId, Signal, Token};
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
    batch: Vec<U>,
    /// Of all that is gathered.
    token: Token,
    /// How many untracked elements may be gathered: none while there is no batch, or one of tracked
    /// elements.
    limit: usize,
}

impl<U: InGraph, N: Push<U>> OutNode<U, N> {
    pub(super) fn new(next: N) -> Self {
        OutNode {
            next,
            open: 0,
            closing: false,
            gathers: false,
            batch: Vec::new(),
            token: Token::NONE,
            limit: 0,
        }
    }

    /// One run more ends here.
    pub(super) fn opened(&mut self) {
        self.open += 1;
    }

    /// A batch begins.
    pub(super) fn gather(&mut self) {
        self.gathers = true;
        self.limit = BATCH;
    }

    /// The batch is over.
    pub(super) fn scatter(&mut self, cx: &mut Cx) {
        self.gathers = false;
        self.limit = 0;
        self.flush(cx);
    }

    fn flush(&mut self, cx: &mut Cx) {
        if !self.batch.is_empty() {
            let token = std::mem::take(&mut self.token);
            cx.with_token(token, |cx| self.next.push_batch(&mut self.batch, cx));
        }
    }

    fn push(&mut self, item: U, cx: &mut Cx) {
        if !self.gathers {
            return self.next.push(item, cx);
        }
        if self.batch.len() >= BATCH || !self.token.same(&cx.token) {
            self.flush(cx);
            self.token = cx.token.clone();
            self.limit = if self.token.is_some() { 0 } else { BATCH };
        }
        self.batch.push(item);
    }

    /// Keeps an untracked element where a batch is gathered of such.
    #[inline]
    fn keep(&mut self, item: U) -> Option<U> {
        if self.batch.len() < self.limit {
            self.batch.push(item);
            None
        } else {
            Some(item)
        }
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

/// The end of one key's run.
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
    fn with(&self, cx: &mut Cx, work: impl FnOnce(&mut OutNode<U, N>, &mut Cx)) {
        let mut out = self.out.take(cx);
        work(&mut out, cx);
        self.out.put(cx, out);
    }

    #[inline(never)]
    fn push_through(&mut self, item: U, cx: &mut Cx) {
        self.with(cx, |out, cx| out.push(item, cx));
    }
}

impl<U: InGraph, N: Push<U>> Push<U> for KeyEnd<U, N> {
    #[inline]
    fn push(&mut self, item: U, cx: &mut Cx) {
        let mut item = item;
        if !cx.token.is_some() {
            match self.out.open(cx).keep(item) {
                Some(back) => item = back,
                None => return,
            }
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
            other => self.with(cx, |out, cx| out.signal(other, cx)),
        }
    }
}
