use super::{Aggregate, Summand};

/// The arithmetic mean of the elements: (x₁ + … + xₙ) / n.
///
/// An `f64` for every integer and float, a `Duration` for durations. The sum is formed as in
/// [`Sum`](super::Sum), exactly for integers up to 64 bits, and divided once, when it is read. A
/// NaN among the elements makes the mean NaN. Where the sum of floats is beyond the range of `f64`,
/// so is the mean.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Mean};
///
/// assert_eq!(Mean.fold(&[1, 2]), Some(1.5));
/// assert_eq!(Mean.fold(&[i64::MAX, i64::MAX]), Some(i64::MAX as f64));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "average")]
#[doc(alias = "avg")]
pub struct Mean;

/// What [`Mean`] keeps: a total and how many elements it is of.
#[derive(Debug, Clone, Copy)]
pub struct MeanState<S> {
    total: S,
    count: u64,
}

impl<T: Summand> Aggregate<T> for Mean {
    type State = MeanState<T::Total>;
    type Output = T::Mean;

    #[inline]
    fn lift(&self, item: &T) -> Self::State {
        MeanState {
            total: item.to_total(),
            count: 1,
        }
    }

    #[inline]
    fn add(&self, state: &mut Self::State, item: &T) {
        item.add_to(&mut state.total);
        state.count += 1;
    }

    #[inline]
    fn merge(&self, left: &mut Self::State, right: &Self::State) {
        T::merge(&mut left.total, &right.total);
        left.count += right.count;
    }

    #[inline]
    fn finish(&self, state: &Self::State) -> T::Mean {
        T::mean(&state.total, state.count)
    }
}
