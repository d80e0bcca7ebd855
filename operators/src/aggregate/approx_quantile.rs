use std::fmt;

use sketches_ddsketch::{Config, DDSketch};

use super::quantile::{Levels, Ranked, check};
use super::{Aggregate, Of, Real, Slide};

/// How close a reading is by default, relative to its value.
const ACCURACY: f64 = 0.01;
/// Numbers that are nearer to zero count as zero.
const LEAST: f64 = 1e-12;
/// The natural logarithm of how far the numbers of a sketch may lie apart: 10³⁶.
const SPAN: f64 = 83.0;

/// The quantile at a level, or at several, to within 1 % of its value, for windows of any length:
/// the state is small however many elements it stands for.
///
/// The reading is within the accuracy of the element at the place (n − 1)·q, rounded down, of the n
/// sorted elements. It is the sketch of Masson, Rim and Lee ("DDSketch: A Fast and Fully-Mergeable
/// Quantile Sketch with Relative-Error Guarantees", VLDB 2019), which counts the elements in buckets
/// that grow with their values: at 1 %, one kibibyte or two for values within a factor of 1 000, and
/// never more than 32 kibibytes for each sign. Numbers nearer to zero than 10⁻¹² count as zero; of
/// numbers that lie further apart than a factor of 10³⁶, the small ones lose their accuracy.
///
/// A window that slides has to keep its elements anyway, so there the quantiles are exact, those of
/// [`Quantile`](super::Quantile). If there is a NaN among the elements the quantiles are NaN.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, ApproxQuantile};
///
/// let millis: Vec<u32> = (0..=100_000).collect();
/// let [median, p99] = ApproxQuantile::new([0.5, 0.99]).fold(&millis).unwrap();
/// assert!((49_500.0..=50_500.0).contains(&median));
/// assert!((98_010.0..=99_990.0).contains(&p99));
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias = "tdigest")]
#[doc(alias = "ddsketch")]
#[doc(alias = "percentile")]
#[must_use = "an aggregate does nothing until a flow folds with it"]
pub struct ApproxQuantile<L = f64> {
    levels: L,
    accuracy: f64,
}

impl<L: Levels> ApproxQuantile<L> {
    /// The quantile at one level, or those at several: an `f64`, an array, or a `Vec`.
    ///
    /// # Panics
    /// If a level is not from 0 to 1.
    #[track_caller]
    pub fn new(levels: L) -> Self {
        check(&levels);
        let accuracy = ACCURACY;
        ApproxQuantile { levels, accuracy }
    }

    /// How close a reading is, relative to its value: 0.01 by default. The state grows in inverse
    /// proportion.
    ///
    /// # Panics
    /// If it is not from 0.000 1 to 0.5.
    #[track_caller]
    pub fn accuracy(mut self, accuracy: f64) -> Self {
        assert!(
            (1e-4..=0.5).contains(&accuracy),
            "an accuracy of {accuracy} is out of reach: let it be from 0.0001 to 0.5"
        );
        self.accuracy = accuracy;
        self
    }

    /// The level, or levels, that are read.
    pub fn levels(&self) -> &L {
        &self.levels
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

/// What [`ApproxQuantile`] keeps: how many elements there are of about each value.
#[derive(Clone)]
pub struct Sketch {
    finite: DDSketch,
    /// How many are −∞, and +∞: they fall into no bucket.
    infinite: [u64; 2],
    undefined: bool,
}

impl Sketch {
    fn new(accuracy: f64) -> Sketch {
        let growth = ((1.0 + accuracy) / (1.0 - accuracy)).ln();
        let buckets = (SPAN / growth).ceil() as u32;
        Sketch {
            finite: DDSketch::new(Config::new(accuracy, buckets, LEAST)),
            infinite: [0; 2],
            undefined: false,
        }
    }

    #[inline]
    fn add(&mut self, number: f64) {
        if number.is_finite() {
            self.finite.add(number);
        } else if number.is_nan() {
            self.undefined = true;
        } else {
            self.infinite[usize::from(number > 0.0)] += 1;
        }
    }

    fn merge(&mut self, right: &Sketch) {
        // Sketches of one aggregate have one accuracy.
        let merged = self.finite.merge(&right.finite);
        debug_assert!(merged.is_ok(), "two accuracies can't be merged");
        for (left, right) in self.infinite.iter_mut().zip(right.infinite) {
            *left += right;
        }
        self.undefined |= right.undefined;
    }

    fn quantile(&self, q: f64) -> f64 {
        if self.undefined {
            return f64::NAN;
        }
        let [below, above] = self.infinite;
        let finite = self.finite.count() as u64;
        let last = below + finite + above - 1;
        let place = (last as f64 * q) as u64;
        let Some(place) = place.checked_sub(below) else {
            return f64::NEG_INFINITY;
        };
        if place >= finite {
            return f64::INFINITY;
        }
        // The sketch rounds down to a place again; the half keeps that from being the one before.
        let level = match place {
            0 => 0.0,
            _ => ((place as f64 + 0.5) / (finite - 1) as f64).min(1.0),
        };
        let about = self.finite.quantile(level).ok().flatten();
        match (about, self.finite.min(), self.finite.max()) {
            (Some(about), Some(min), Some(max)) => about.clamp(min, max),
            _ => f64::NAN,
        }
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sketch")
            .field("finite", &self.finite.count())
            .field("infinite", &self.infinite)
            .field("undefined", &self.undefined)
            .finish_non_exhaustive()
    }
}

impl<T: Real, L: Levels> Aggregate<T> for ApproxQuantile<L> {
    type State = Sketch;
    type Output = L::Reading;

    const SLIDES: bool = true;

    fn lift(&self, item: &T) -> Sketch {
        let mut sketch = Sketch::new(self.accuracy);
        sketch.add(item.to_f64());
        sketch
    }

    #[inline]
    fn add(&self, state: &mut Sketch, item: &T) {
        state.add(item.to_f64());
    }

    fn merge(&self, left: &mut Sketch, right: &Sketch) {
        left.merge(right);
    }

    fn finish(&self, state: &Sketch) -> L::Reading {
        self.levels.read(|q| state.quantile(q))
    }

    fn slide(self) -> impl Slide<T, Output = L::Reading> {
        Ranked::new(self.levels)
    }
}
