//! Aggregates: what windows, partitions and the metrics pipeline fold with.
//!
//! | aggregate | element | reading | formula |
//! | --- | --- | --- | --- |
//! | [`Count`] | any | `u64` | n |
//! | [`Sum`] | [`Summand`] | the element's type | x₁ + … + xₙ |
//! | [`Mean`] | [`Summand`] | `f64`, or `Duration` for durations | (x₁ + … + xₙ) / n |
//! | [`Min`], [`Max`] | `PartialOrd + Clone` | the element's type | the least, the greatest |
//! | [`First`], [`Last`] | `Clone` | the element's type | x₁, xₙ |
//! | [`Variance`] | [`Real`] | `f64` | Σ(x − mean)² / (n − 1) |
//! | [`StdDev`] | [`Real`] | `f64` | √variance |
//! | [`Median`], [`Quantile`] | [`Real`] | `f64`, or one for each level | the middle one, the one at (n − 1)·q |
//! | [`ApproxQuantile`] | [`Real`] | the same | to within 1 % of its value, in a small state |
//! | [`Frequencies`] | `Hash + Eq + Clone` | `HashMap<T, u64>` | how often each distinct element came |
//! | [`GroupBy`] | any | `Vec<(K, …)>` | another aggregate, for each key |
//! | [`TopK`] | `Hash + Eq + Clone` | `Vec<(T, u64)>` | the k that came most often, in a bounded state |
//! | [`PopulationVariance`], [`PopulationStdDev`] | [`Real`] | `f64` | the same, over n |
//!
//! They combine. A tuple of two to six aggregates reads as a tuple and goes over the elements once;
//! [`Of`] folds a field of a record:
//!
//! ```
//! # use headwater_operators as headwater;
//! use headwater::aggregate::{Aggregate, Count, Max, Mean, Of};
//!
//! struct Reading {
//!     celsius: f64,
//! }
//! let readings = [19.0, 20.0, 24.0].map(|celsius| Reading { celsius });
//!
//! let mean = Mean.of(|r: &Reading| r.celsius);
//! assert_eq!(mean.fold(&readings), Some(21.0));
//!
//! let several = Of::new((Count, Mean, Max), |r: &Reading| r.celsius);
//! assert_eq!(several.fold(&readings), Some((3, 21.0, 24.0)));
//! ```
//!
//! Nothing is ever subtracted: a window that slides merges the states of what it still holds, or
//! keeps the elements themselves, sorted or counted. What has left it leaves no trace, be it a huge
//! number, an infinity or a NaN.

mod approx_quantile;
mod count;
mod extreme;
mod first_last;
mod frequencies;
mod group_by;
pub(crate) mod last_n;
mod mean;
mod number;
mod of;
mod quantile;
mod slide;
mod sorted;
pub(crate) mod space_saving;
mod sum;
mod top_k;
mod tuple;
pub(crate) mod two_stacks;
mod variance;

pub use approx_quantile::{ApproxQuantile, Sketch};
pub use count::Count;
pub use extreme::{Max, Min};
pub use first_last::{First, Last};
pub use frequencies::Frequencies;
pub use group_by::{GroupBy, Groups};
pub use mean::{Mean, MeanState};
pub use number::{Real, Summand};
pub use of::Of;
pub use quantile::{Levels, Median, Quantile, Sample};
pub use slide::Slide;
use slide::{Either, Stacks};
pub use space_saving::Counters;
pub use sum::Sum;
pub use top_k::TopK;
pub use variance::{Moments, PopulationStdDev, PopulationVariance, StdDev, Variance};

/// What windows, partitions and the metrics pipeline fold with: a summary of elements that can be
/// merged, and a reading of it.
///
/// A state always stands for at least one element, so a reading is never an `Option` and never a
/// panic: there is no mean or maximum of nothing to invent.
///
/// # Laws
///
/// * `merge` is associative: `(a + b) + c` reads as `a + (b + c)`. Floating-point rounding is
///   forgiven. It need not be commutative: what is on the right always came later.
/// * `add(state, item)` does what `merge(state, lift(item))` does, and `add_all(state, items)` what `add`
///   does with each of them in turn.
///
/// # One's own
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::Aggregate;
///
/// /// The n-th root of the product, for positive numbers.
/// struct GeometricMean;
///
/// impl Aggregate<f64> for GeometricMean {
///     type State = (f64, u64);
///     type Output = f64;
///
///     fn lift(&self, item: &f64) -> (f64, u64) {
///         (item.ln(), 1)
///     }
///
///     fn merge(&self, left: &mut (f64, u64), right: &(f64, u64)) {
///         left.0 += right.0;
///         left.1 += right.1;
///     }
///
///     fn finish(&self, (logarithms, count): &(f64, u64)) -> f64 {
///         (logarithms / *count as f64).exp()
///     }
/// }
///
/// let growth = GeometricMean.fold(&[2.0, 8.0]).unwrap();
/// assert!((growth - 4.0).abs() < 1e-12);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot fold elements of type `{T}`",
    label = "not an aggregate of `{T}`",
    note = "an aggregate is a built-in such as `Sum` or `Mean`, a tuple of two to six aggregates, \
            or your own type that implements `Aggregate<{T}>`",
    note = "to fold a field of a record, name it: `Mean.of(|record: &{T}| record.field)`"
)]
pub trait Aggregate<T>: Send + 'static {
    /// The summary of any non-empty stretch of elements.
    type State: Clone + Send + 'static;

    /// The reading.
    type Output: Send + 'static;

    /// The summary of one element.
    fn lift(&self, item: &T) -> Self::State;

    /// Takes one more element into `state`; it came after all that `state` stands for.
    ///
    /// To be written only where it can be cheaper than to merge a lifted element.
    #[inline]
    fn add(&self, state: &mut Self::State, item: &T) {
        self.merge(state, &self.lift(item));
    }

    /// Takes elements that follow each other into `state`, as [`add`](Aggregate::add) does one by one:
    /// what windows and partitions do with a batch.
    ///
    /// To be written only where something can be done once for many of them.
    #[inline]
    fn add_all(&self, state: &mut Self::State, items: &[T]) {
        for item in items {
            self.add(state, item);
        }
    }

    /// Takes all that `right` stands for into `left`; it came after all that `left` stands for.
    fn merge(&self, left: &mut Self::State, right: &Self::State);

    /// Reads the summary. It may be read again after more elements.
    fn finish(&self, state: &Self::State) -> Self::Output;

    /// Whether [`slide`](Aggregate::slide) has a window of its own: then
    /// [`rolling`](crate::Flow::rolling) uses it, and otherwise merges states.
    const SLIDES: bool = false;

    /// Begins a window that slides: elements come in, and the oldest leave.
    ///
    /// Unless an aggregate says otherwise, the window keeps a state for each element and merges
    /// them. It should say otherwise where states grow as they are merged, and an element can be
    /// taken out again without a trace: the quantiles do. Such a window is written for
    /// [`Slide`], and [`SLIDES`](Aggregate::SLIDES) is set.
    fn slide(self) -> impl Slide<T, Output = Self::Output>
    where
        Self: Sized,
    {
        Stacks::new(self)
    }

    /// The reading of a whole collection, or `None` if it is empty.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, Sum};
    ///
    /// assert_eq!(Sum.fold(&[1, 2, 3]), Some(6));
    /// assert_eq!(Sum.fold(&[] as &[i32]), None);
    /// ```
    #[inline]
    fn fold<'a, I>(&self, items: I) -> Option<Self::Output>
    where
        Self: Sized,
        T: 'a,
        I: IntoIterator<Item = &'a T>,
    {
        let mut items = items.into_iter();
        let first = self.lift(items.next()?);
        let state = items.fold(first, |mut state, item| {
            self.add(&mut state, item);
            state
        });
        Some(self.finish(&state))
    }
}
