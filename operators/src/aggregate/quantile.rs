use std::collections::VecDeque;
use std::fmt;

use smallvec::SmallVec;

use super::sorted::Sorted;
use super::{Aggregate, Of, Real, Slide};

/// The numbers that quantiles are read from: all of them, in the order in which they came.
#[derive(Debug, Clone)]
pub struct Sample(SmallVec<[f64; 2]>);

/// The median: the middle one of the sorted elements, or the mean of the two in the middle.
///
/// [`Quantile`] at ½; what is said there of exactness, cost and NaNs holds here too.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Median};
///
/// assert_eq!(Median.fold(&[3, 1, 9]), Some(3.0));
/// assert_eq!(Median.fold(&[4, 1, 3, 9]), Some(3.5));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Median;

/// The quantile at a level from 0 (the least element) to 1 (the greatest), exactly.
///
/// Between two elements it is interpolated: of n sorted elements the quantile at q lies at the place
/// (n − 1)·q, counted from 0. That is definition 7 of Hyndman and Fan ("Sample Quantiles in
/// Statistical Packages", The American Statistician 50, 1996), the default of R, numpy, pandas and
/// Julia, and `percentile_cont` of SQL.
///
/// Several levels are read in one go, as an array or a `Vec`: `Quantile::new([0.5, 0.99])`.
///
/// Exact quantiles need all elements, so a window keeps a number for each: for windows without a
/// bound there is [`ApproxQuantile`](super::ApproxQuantile). A window that slides keeps them sorted.
///
/// If there is a NaN among the elements the quantiles are NaN, until it has left the window.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Quantile};
///
/// let millis = [12, 10, 11, 15, 90];
/// assert_eq!(Quantile::new(0.75).fold(&millis), Some(15.0));
/// assert_eq!(Quantile::new([0.5, 0.875]).fold(&millis), Some([12.0, 52.5]));
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias = "percentile")]
#[doc(alias = "quantiles")]
#[must_use = "an aggregate does nothing until a flow folds with it"]
pub struct Quantile<L = f64>(L);

impl<L: Levels> Quantile<L> {
    /// The quantile at one level, or those at several: an `f64`, an array, or a `Vec`.
    ///
    /// # Panics
    /// If a level is not from 0 to 1.
    #[track_caller]
    pub fn new(levels: L) -> Self {
        check(&levels);
        Quantile(levels)
    }

    /// The level, or levels, that are read.
    pub fn levels(&self) -> &L {
        &self.0
    }

    /// The same of what `field` makes of each element, typically a field of a record; see [`Of`].
    #[inline]
    pub fn of<T, V, F>(self, field: F) -> Of<Self, F>
    where
        Self: Aggregate<V>,
        F: Fn(&T) -> V,
    {
        Of::new(self, field)
    }
}

#[track_caller]
pub(super) fn check(levels: &impl Levels) {
    levels.read(|q| {
        assert!(
            (0.0..=1.0).contains(&q),
            "a quantile at {q} is not one: levels go from 0 to 1, so that the median is 0.5"
        );
        q
    });
}

/// The levels at which quantiles are read: an `f64`, an array of them, or a `Vec`.
pub trait Levels: sealed::Sealed + fmt::Debug + Clone + Send + 'static {
    /// One number for each level, in the same shape.
    type Reading: Send + 'static;

    #[doc(hidden)]
    fn read(&self, quantile: impl FnMut(f64) -> f64) -> Self::Reading;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl<const N: usize> Sealed for [f64; N] {}
    impl Sealed for Vec<f64> {}
}

impl Levels for f64 {
    type Reading = f64;

    #[inline]
    fn read(&self, mut quantile: impl FnMut(f64) -> f64) -> f64 {
        quantile(*self)
    }
}

impl<const N: usize> Levels for [f64; N] {
    type Reading = [f64; N];

    #[inline]
    fn read(&self, quantile: impl FnMut(f64) -> f64) -> [f64; N] {
        self.map(quantile)
    }
}

impl Levels for Vec<f64> {
    type Reading = Vec<f64>;

    fn read(&self, quantile: impl FnMut(f64) -> f64) -> Vec<f64> {
        self.iter().copied().map(quantile).collect()
    }
}

/// The quantile at `q` of `n` sorted numbers, of which `at` tells one, or two that are neighbours.
#[inline]
fn interpolate(n: usize, q: f64, at: impl FnOnce(usize) -> (f64, f64)) -> f64 {
    let place = (n - 1) as f64 * q;
    let below = place as usize;
    let share = place - below as f64;
    let (left, right) = at(below);
    if share == 0.0 || left == right {
        left
    } else if (right - left).is_finite() {
        left + (right - left) * share
    } else {
        // The distance of two huge numbers, or of infinities.
        left * (1.0 - share) + right * share
    }
}

/// Reads unsorted numbers.
fn select<L: Levels>(levels: &L, sample: &Sample) -> L::Reading {
    let mut numbers = sample.0.to_vec();
    let undefined = numbers.iter().any(|x| x.is_nan());
    levels.read(|q| {
        if undefined {
            return f64::NAN;
        }
        interpolate(numbers.len(), q, |below| {
            let (_, left, rest) = numbers.select_nth_unstable_by(below, f64::total_cmp);
            let left = *left;
            let right = rest.iter().copied().min_by(f64::total_cmp);
            (left, right.unwrap_or(left))
        })
    })
}

/// A window that slides: the numbers in the order in which they came, and sorted.
pub(super) struct Ranked<L> {
    levels: L,
    order: VecDeque<f64>,
    sorted: Sorted,
    /// How many are NaN: they can't be sorted.
    undefined: usize,
}

impl<L> Ranked<L> {
    pub(super) fn new(levels: L) -> Self {
        Ranked {
            levels,
            order: VecDeque::new(),
            sorted: Sorted::default(),
            undefined: 0,
        }
    }
}

impl<T: Real, L: Levels> Slide<T> for Ranked<L> {
    type Output = L::Reading;

    #[inline]
    fn push(&mut self, item: &T) {
        let number = item.to_f64();
        self.order.push_back(number);
        if number.is_nan() {
            self.undefined += 1;
        } else {
            self.sorted.insert(number);
        }
    }

    #[inline]
    fn pop(&mut self) {
        match self.order.pop_front() {
            Some(number) if number.is_nan() => self.undefined -= 1,
            Some(number) => self.sorted.remove(number),
            None => {}
        }
    }

    #[inline]
    fn read(&mut self) -> Option<L::Reading> {
        if self.order.is_empty() {
            return None;
        }
        let sorted = &self.sorted;
        Some(self.levels.read(|q| {
            if self.undefined > 0 {
                return f64::NAN;
            }
            interpolate(sorted.len(), q, |below| sorted.pair(below))
        }))
    }
}

macro_rules! exact {
    (($($generic:tt)*) $name:ty, $reading:ty, $self:ident => $levels:expr) => {
        impl<T: Real, $($generic)*> Aggregate<T> for $name {
            type State = Sample;
            type Output = $reading;

            const SLIDES: bool = true;

            #[inline]
            fn lift(&self, item: &T) -> Sample {
                Sample(SmallVec::from_slice(&[item.to_f64()]))
            }

            #[inline]
            fn add(&self, state: &mut Sample, item: &T) {
                state.0.push(item.to_f64());
            }

            #[inline]
            fn merge(&self, left: &mut Sample, right: &Sample) {
                left.0.extend_from_slice(&right.0);
            }

            fn finish(&$self, state: &Sample) -> $reading {
                select(&$levels, state)
            }

            fn slide($self) -> impl Slide<T, Output = $reading> {
                Ranked::new($levels)
            }
        }
    };
}

exact!(() Median, f64, self => 0.5);
exact!((L: Levels) Quantile<L>, L::Reading, self => self.0.clone());
