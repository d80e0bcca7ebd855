//! A frame for operators that handle one element at a time: write `Step`, get batches.

use crate::engine::{Batch, Cx, Failure, Push, Signal};

/// What an operator does with one element, whatever follows it in the run.
///
/// [`StepPush`] makes an operator's push side of it, which gives the same result for elements one by
/// one and in batches.
pub(crate) trait Step<T, U>: Send + 'static {
    /// Of a step that expands, which makes many elements of one, so that nobody knows how many of a
    /// batch fit: where it keeps whether something below has only so much room, as a source found that
    /// asked. What is made of an element then goes on one by one: gathered, it would fill one input of
    /// a join before the next sees any.
    ///
    /// Kept by the few that need it: steps lie in the runs of keys, which are to be small.
    #[inline]
    fn limited(&mut self) -> Option<&mut bool> {
        None
    }

    /// Of a step that expands: how many elements are made of one at the most, if anybody knows.
    #[inline]
    fn at_most(&self) -> Option<usize> {
        None
    }

    /// Takes an element and passes on what becomes of it.
    fn step<N: Push<U>>(&mut self, item: T, next: &mut N, cx: &mut Cx);

    /// Takes many elements. A step that may fail, or has another rare case, says how to loop without a
    /// call in the loop: that would keep what the run counts from staying in registers.
    #[inline]
    fn step_all<N: Push<U>>(
        &mut self,
        items: &mut impl Iterator<Item = T>,
        next: &mut N,
        cx: &mut Cx,
    ) {
        for item in items {
            self.step(item, next, cx);
        }
    }

    /// Takes a batch, and leaves `items` empty.
    #[inline]
    fn step_batch<N: Push<U>>(&mut self, items: &mut Vec<T>, next: &mut N, cx: &mut Cx) {
        self.step_all(&mut items.drain(..), next, cx);
    }

    /// An element failed above: its failure goes on in its place.
    #[inline]
    fn fail<N: Push<U>>(&mut self, failure: Failure, next: &mut N, cx: &mut Cx) {
        next.signal(Signal::Fail(failure), cx);
    }

    /// No element will follow. The close itself is passed on after this.
    #[inline]
    fn close<N: Push<U>>(&mut self, _next: &mut N, _cx: &mut Cx) {}

    /// Writes what it counts into the node table. The census itself is passed on after this.
    #[inline]
    fn census(&self, _cx: &mut Cx) {}
}

/// The push side of an operator that is a [`Step`].
pub(crate) struct StepPush<S, U, N> {
    step: S,
    out: Gather<U, N>,
}

impl<S, U, N> StepPush<S, U, N> {
    pub(crate) fn new(step: S, next: N) -> Self {
        StepPush {
            step,
            out: Gather {
                batch: Batch::new(),
                next,
            },
        }
    }
}

impl<T, S, U, N> Push<T> for StepPush<S, U, N>
where
    S: Step<T, U>,
    U: Send + 'static,
    N: Push<U>,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.step.step(item, &mut self.out.next, cx);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.step.limited().is_some_and(|limited| *limited) {
            self.step
                .step_all(&mut items.drain(..), &mut self.out.next, cx);
        } else if self.out.next.batches() {
            self.step.step_batch(items, &mut self.out, cx);
            self.out.flush(cx);
        } else {
            self.step.step_batch(items, &mut self.out.next, cx);
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Fail(failure) => self.step.fail(failure, &mut self.out.next, cx),
            Signal::Close => {
                self.step.close(&mut self.out.next, cx);
                self.out.next.signal(Signal::Close, cx);
            }
            Signal::Census => {
                self.step.census(cx);
                self.out.next.signal(Signal::Census, cx);
            }
            Signal::Room(room) if self.step.limited().is_some() => {
                let mut below = usize::MAX;
                self.out.next.signal(Signal::Room(&mut below), cx);
                let mut is_limited = false;
                if below < usize::MAX {
                    let each = self.step.at_most().map_or(usize::MAX, |most| most.max(1));
                    // One may come while there is any room: it is not to be refused half-way.
                    *room = (*room).min((below / each).max(below.min(1)));
                    is_limited = below < each;
                }
                if let Some(limited) = self.step.limited() {
                    *limited = is_limited;
                }
            }
            other => self.out.next.signal(other, cx),
        }
    }

    #[inline]
    fn batches(&self) -> bool {
        self.out.next.batches()
    }
}

/// What a step pushes into while a batch is under way: gathers what the step passes on, so that the
/// rest of the run gets a batch too. A failure or another signal goes on behind the elements that
/// were passed on before it.
struct Gather<U, N> {
    batch: Batch<U>,
    next: N,
}

impl<U, N: Push<U>> Gather<U, N> {
    #[inline]
    fn flush(&mut self, cx: &mut Cx) {
        let batch = self.batch.items();
        if !batch.is_empty() {
            self.next.push_batch(batch, cx);
        }
    }
}

impl<U: Send + 'static, N: Push<U>> Push<U> for Gather<U, N> {
    #[inline]
    fn push(&mut self, item: U, _cx: &mut Cx) {
        self.batch.items().push(item);
    }

    /// What is a batch already is not gathered once more.
    #[inline]
    fn push_batch(&mut self, items: &mut Vec<U>, cx: &mut Cx) {
        self.flush(cx);
        self.next.push_batch(items, cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.flush(cx);
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}
