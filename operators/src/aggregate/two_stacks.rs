//! A window of the last n elements that slides without subtracting.

use std::{fmt, marker::PhantomData, num::NonZeroUsize};

use super::Aggregate;

/// The last n elements, as states, with the aggregate of all of them at hand.
///
/// The two stacks share one ring of n slots. From `next` on, the slots hold the older elements,
/// each slot the state of all from it up to the end of the ring; before `next` they hold the newer
/// elements, each on its own, and `newer` the state of all these. A push takes the slot of the
/// oldest, so what the window reads is `slots[next + 1]` merged with `newer`. Where the ring ends
/// everything has become newer, and `turn` makes it older: 3.5 merges an element in all, and only
/// ever of what the window holds.
pub(crate) struct TwoStacks<T, A: Aggregate<T>> {
    aggregate: A,
    capacity: usize,
    /// Grows up to the capacity; until then `next` is at its end.
    slots: Vec<A::State>,
    next: usize,
    /// `None` exactly if `next` is 0.
    newer: Option<A::State>,
    items: PhantomData<fn(&T)>,
}

impl<T, A: Aggregate<T>> TwoStacks<T, A> {
    /// An empty window. It allocates as elements come, never more than `n` states.
    pub(crate) fn new(aggregate: A, n: NonZeroUsize) -> Self {
        Self {
            aggregate,
            capacity: n.get(),
            slots: Vec::new(),
            next: 0,
            newer: None,
            items: PhantomData,
        }
    }

    /// How many elements the window holds.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes one element in, and lets the oldest go if n are held. The reading is that of all now
    /// held.
    ///
    /// Up to two merges, and once in n pushes up to 1.5 n more.
    #[inline]
    pub(crate) fn push(&mut self, item: &T) -> A::Output {
        let lifted = self.aggregate.lift(item);
        let newer = match &mut self.newer {
            Some(newer) => {
                self.aggregate.merge(newer, &lifted);
                newer
            }
            none => none.insert(lifted.clone()),
        };
        match &mut self.slots[self.next..] {
            [slot, oldest, ..] => {
                *slot = lifted;
                let mut all = oldest.clone();
                self.aggregate.merge(&mut all, newer);
                self.next += 1;
                self.aggregate.finish(&all)
            }
            [slot] => {
                *slot = lifted;
                let reading = self.aggregate.finish(newer);
                turn(&self.aggregate, &mut self.slots);
                (self.next, self.newer) = (0, None);
                reading
            }
            [] => {
                let reading = self.aggregate.finish(newer);
                grow(&mut self.slots, lifted, self.capacity);
                self.next += 1;
                if self.next == self.capacity {
                    turn(&self.aggregate, &mut self.slots);
                    (self.next, self.newer) = (0, None);
                }
                reading
            }
        }
    }

    /// Pushes one element after the other and hands on each reading: the form for batches, twice as
    /// fast for numbers.
    ///
    /// If `each` or the aggregate panics, what the window holds is unspecified.
    #[inline]
    pub(crate) fn push_each<'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a T>,
        mut each: impl FnMut(A::Output),
    ) where
        T: 'a,
    {
        let mut items = items.into_iter();
        while let Some(item) = items.next() {
            each(self.push_apart(item));
            // Up to the end of the ring there is nothing to decide, and `newer` can stay in
            // registers.
            let [slot, rest @ ..] = &mut self.slots[self.next..] else {
                continue;
            };
            let Some(mut newer) = self.newer.take() else {
                continue;
            };
            let mut slot = slot;
            let mut taken = 0;
            for (oldest, item) in rest.iter_mut().zip(&mut items) {
                let lifted = self.aggregate.lift(item);
                self.aggregate.merge(&mut newer, &lifted);
                *slot = lifted;
                let mut all = oldest.clone();
                self.aggregate.merge(&mut all, &newer);
                slot = oldest;
                taken += 1;
                each(self.aggregate.finish(&all));
            }
            self.next += taken;
            self.newer = Some(newer);
        }
    }

    /// A push that is not inlined, so that the loop around it can keep everything in registers.
    #[cold]
    #[inline(never)]
    fn push_apart(&mut self, item: &T) -> A::Output {
        self.push(item)
    }
}

#[cold]
#[inline(never)]
fn grow<S>(slots: &mut Vec<S>, state: S, capacity: usize) {
    if slots.len() == slots.capacity() {
        // `push` would double beyond the capacity.
        let double = slots.len().max(4);
        slots.reserve_exact(double.min(capacity - slots.len()));
    }
    slots.push(state);
}

/// Makes all of the newer elements older ones.
#[cold]
#[inline(never)]
fn turn<T, A: Aggregate<T>>(aggregate: &A, slots: &mut [A::State]) {
    // The first slot is overwritten before it is read.
    let Some((_, slots)) = slots.split_first_mut() else {
        return;
    };
    // Each merge waits for the one before it, so two halves side by side take half as long, and
    // what the later half comes to is then merged into the earlier one without any waiting.
    let (early, late) = slots.split_at_mut(slots.len() / 2);
    let (middle, late) = late.split_at_mut(late.len() - early.len());
    let mut pairs = early.iter_mut().zip(late.iter_mut()).rev();
    let Some((left, right)) = pairs.next() else {
        return;
    };
    let (mut after_left, mut after_right) = (left.clone(), right.clone());
    for (left, right) in pairs {
        aggregate.merge(left, &after_left);
        after_left.clone_from(left);
        aggregate.merge(right, &after_right);
        after_right.clone_from(right);
    }
    if let [middle] = middle {
        aggregate.merge(middle, &after_right);
        after_right.clone_from(middle);
    }
    for state in early {
        aggregate.merge(state, &after_right);
    }
}

impl<T, A: Aggregate<T>> fmt::Debug for TwoStacks<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoStacks")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::aggregate::{Count, Max, Mean, StdDev, Sum};

    /// Shows the order and the extent of what was merged.
    struct Concat;

    impl Aggregate<u8> for Concat {
        type State = Vec<u8>;
        type Output = Vec<u8>;

        fn lift(&self, item: &u8) -> Vec<u8> {
            vec![*item]
        }

        fn merge(&self, left: &mut Vec<u8>, right: &Vec<u8>) {
            left.extend(right);
        }

        fn finish(&self, state: &Vec<u8>) -> Vec<u8> {
            state.clone()
        }
    }

    fn window<T, A: Aggregate<T>>(aggregate: A, n: usize) -> TwoStacks<T, A> {
        TwoStacks::new(aggregate, NonZeroUsize::new(n).unwrap())
    }

    fn slide<T, A: Aggregate<T>>(aggregate: A, n: usize, items: &[T]) -> Vec<A::Output> {
        let mut window = window(aggregate, n);
        items.iter().map(|item| window.push(item)).collect()
    }

    fn naive<T>(n: usize, items: &[T]) -> impl Iterator<Item = &[T]> {
        (1..=items.len()).map(move |end| &items[end.saturating_sub(n)..end])
    }

    proptest! {
        #[test]
        fn a_window_reads_the_last_n_elements_in_order(
            n in 1_usize..20,
            items in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let expected: Vec<Vec<u8>> = naive(n, &items).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(slide(Concat, n, &items), expected);
        }

        #[test]
        fn batches_read_as_single_pushes_do(
            n in 1_usize..20,
            batches in prop::collection::vec(
                (any::<bool>(), prop::collection::vec(any::<u8>(), 0..50)),
                0..10,
            ),
        ) {
            let mut window = window(Concat, n);
            let mut readings = Vec::new();
            for (whole, batch) in &batches {
                if *whole {
                    window.push_each(batch, |reading| readings.push(reading));
                } else {
                    readings.extend(batch.iter().map(|item| window.push(item)));
                }
            }
            let items: Vec<u8> = batches.into_iter().flat_map(|(_, batch)| batch).collect();
            prop_assert_eq!(window.len(), items.len().min(n));
            prop_assert_eq!(readings, slide(Concat, n, &items));
        }

        #[test]
        fn numbers_agree_with_a_fold_of_each_window(
            n in 1_usize..150,
            items in prop::collection::vec(-1e6_f64..1e6, 0..400),
        ) {
            let all = (Count, Sum, Mean, Max, StdDev);
            for (slid, items) in slide(all, n, &items).into_iter().zip(naive(n, &items)) {
                let folded = all.fold(items).unwrap();
                prop_assert_eq!(slid.0, folded.0);
                prop_assert!((slid.1 - folded.1).abs() < 1e-6);
                prop_assert!((slid.2 - folded.2).abs() < 1e-8);
                prop_assert_eq!(slid.3, folded.3);
                prop_assert!((slid.4 - folded.4).abs() < 1e-6 || items.len() == 1);
            }
        }
    }

    #[test]
    fn a_huge_number_that_has_left_leaves_no_trace() {
        assert_eq!(slide(Sum, 1, &[1e16, 1.0]), [1e16, 1.0]);
        for n in 2..6 {
            let items: Vec<f64> = [1e16].into_iter().chain([1.0; 12]).collect();
            assert!(
                slide(Sum, n, &items)[n..]
                    .iter()
                    .all(|&sum| sum == n as f64)
            );
            assert!(slide(Mean, n, &items)[n..].iter().all(|&mean| mean == 1.0));
        }
    }

    #[test]
    fn a_nan_or_an_infinity_that_has_left_leaves_no_trace() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for n in 1..6 {
                let items: Vec<f64> = [odd].into_iter().chain([2.0; 12]).collect();
                let readings = slide((Sum, Mean, Max, StdDev::population()), n, &items);
                assert!(
                    readings[n..]
                        .iter()
                        .all(|&all| all == (2.0 * n as f64, 2.0, 2.0, 0.0))
                );
            }
        }
    }

    #[test]
    fn a_window_allocates_as_it_fills_and_never_more_than_it_may_hold() {
        let mut window = window(Sum, usize::MAX);
        assert_eq!((window.len(), window.slots.capacity()), (0, 0));
        for item in 0..10_u32 {
            window.push(&item);
        }
        assert_eq!(window.len(), 10);
        assert!(window.slots.capacity() <= 20);

        let mut window = super::tests::window(Sum, 100);
        for item in 0..1000_u32 {
            window.push(&item);
        }
        assert_eq!(window.slots.capacity(), 100);
    }
}
