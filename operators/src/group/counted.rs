//! Groups of n elements, whatever they collect: what `partition`, `fold_partition` and
//! `partition_unique` share.

use std::marker::PhantomData;
use std::sync::Arc;

use super::census::take_census;
use super::gather::{Gather, Parts};
use crate::engine::{Cx, Label, Push, Signal};
use crate::flow::InGraph;

/// Ends a group with its n-th element.
pub(super) struct CountedPush<T, C, N> {
    label: Arc<Label>,
    n: usize,
    /// How much is held of a group at the most.
    capacity: usize,
    content: C,
    passed: u64,
    next: N,
    _items: PhantomData<fn(T)>,
}

impl<T, C: Gather<T>, N: Push<C::Whole>> CountedPush<T, C, N> {
    pub(super) fn new(label: Arc<Label>, n: usize, capacity: usize, content: C, next: N) -> Self {
        CountedPush {
            label,
            n,
            capacity,
            content,
            passed: 0,
            next,
            _items: PhantomData,
        }
    }

    #[inline]
    fn emit(&mut self, cx: &mut Cx) {
        if let Some((whole, token)) = self.content.take() {
            cx.with_token(token, |cx| self.next.push(whole, cx));
        }
    }
}

impl<T: InGraph, C: Gather<T>, N: Push<C::Whole>> Push<T> for CountedPush<T, C, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.content.add(std::iter::once(item), cx);
        if self.content.count() >= self.n {
            self.emit(cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let mut rest = Parts::of::<C>(items);
        while rest.len() > 0 {
            let missing = self.n - self.content.count();
            rest.give(missing, &mut self.content, cx);
            if self.content.count() >= self.n {
                self.emit(cx);
            }
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A group is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close => self.emit(cx),
            Signal::Census => {
                let held = self.content.held();
                take_census(&self.label, self.passed, held, self.capacity, true, cx);
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}
