//! A frame for operators that cut a flow to a stretch of it: write `Cut`, get batches and the end.

use std::sync::Arc;

use crate::engine::{Cx, Label, Nobody, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// What becomes of one element.
pub(super) enum Verdict {
    /// It passes.
    Pass,
    /// It is taken out.
    Drop,
    /// It passes, and is the last.
    Last,
    /// It is taken out, and nothing after it passes.
    End,
}

/// Which elements of a flow pass, and whether any come after.
///
/// [`build`] makes an operator of it, which gives the same result for elements one by one and in
/// batches. With its end it closes what is below and lets go of what is in front. Only elements count:
/// failures and the places of failures pass.
pub(super) trait Cut<T>: Send + 'static {
    /// Looks at the next element.
    fn judge(&mut self, item: &T) -> Verdict;

    /// Takes out of a batch what does not pass. Returns whether the end has come: then what is left
    /// is the last.
    fn judge_all(&mut self, items: &mut Vec<T>) -> bool {
        let mut ended = false;
        items.retain(|item| {
            !ended
                && match self.judge(item) {
                    Verdict::Pass => true,
                    Verdict::Drop => false,
                    Verdict::Last => {
                        ended = true;
                        true
                    }
                    Verdict::End => {
                        ended = true;
                        false
                    }
                }
        });
        ended
    }

    /// With how many more elements the end comes, where that is known: batches are cut to that, so
    /// that operators in front see nothing beyond.
    fn left(&self) -> Option<u64> {
        None
    }
}

/// Builds an operator that cuts; where nothing passes in the first place (`left` is 0) it is closed
/// at once.
pub(super) fn build<R: Run>(
    upstream: R,
    site: Site,
    cut: impl Cut<R::Item>,
    next: impl Push<R::Item>,
    plan: &mut Plan,
) {
    let label = plan.node(site, Role::Operator);
    if cut.left() == Some(0) {
        plan.finish_at_once(&label, next);
        plan.in_front_of(&label, |plan| upstream.build(Nobody, plan));
        return;
    }
    let push = CutPush {
        label: label.clone(),
        cut,
        ended: false,
        next,
    };
    plan.in_front_of(&label, |plan| upstream.build(push, plan));
}

struct CutPush<C, N> {
    label: Arc<Label>,
    cut: C,
    /// Nothing passes any more: what comes until those in front are let go is not for us.
    ended: bool,
    next: N,
}

impl<C: Send + 'static, N> CutPush<C, N> {
    #[cold]
    #[inline(never)]
    fn end<T>(&mut self, cx: &mut Cx)
    where
        N: Push<T>,
    {
        self.ended = true;
        self.next.signal(Signal::Close, cx);
        cx.finish(self.label.id());
    }
}

impl<T: InGraph, C: Cut<T>, N: Push<T>> Push<T> for CutPush<C, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        if self.ended {
            return;
        }
        match self.cut.judge(&item) {
            Verdict::Pass => self.next.push(item, cx),
            Verdict::Drop => {}
            Verdict::Last => {
                self.next.push(item, cx);
                self.end(cx);
            }
            Verdict::End => self.end(cx),
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.ended {
            items.clear();
            return;
        }
        let ends = self.cut.judge_all(items);
        if !items.is_empty() {
            self.next.push_batch(items, cx);
        }
        if ends {
            self.end(cx);
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // It was passed on with the end, and what comes after the end never was.
            Signal::Close | Signal::Fail(_) | Signal::Hole | Signal::Room(_) if self.ended => {}
            Signal::Close => {
                self.ended = true;
                self.next.signal(Signal::Close, cx);
            }
            Signal::Room(room) => {
                self.next.signal(Signal::Room(room), cx);
                if let Some(left) = self.cut.left() {
                    *room = (*room).min(usize::try_from(left).unwrap_or(usize::MAX));
                }
            }
            other => self.next.signal(other, cx),
        }
    }

    #[inline]
    fn batches(&self) -> bool {
        self.next.batches()
    }
}
