use super::{Aggregate, Real};

/// What the variances keep: how many elements, their mean, and the sum of squared distances from
/// it.
///
/// Merged by the formula of Chan, Golub and LeVeque. The mean is kept as its distance from an
/// element, so that elements that are large and nearly equal lose no digits.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    count: f64,
    /// The first element.
    origin: f64,
    /// The mean, less the origin.
    mean: f64,
    squares: f64,
}

impl Moments {
    #[inline]
    fn of(number: f64) -> Self {
        // Zero, but NaN if the number is not finite.
        Self {
            count: 1.0,
            origin: number,
            mean: 0.0,
            squares: 0.0 * number.abs(),
        }
    }

    #[inline]
    fn merge(&mut self, right: &Self) {
        let count = self.count + right.count;
        let distance = (right.origin - self.origin) + (right.mean - self.mean);
        let share = right.count / count;
        self.squares += right.squares + distance * distance * self.count * share;
        self.mean += distance * share;
        self.count = count;
    }

    #[inline]
    fn sample(&self) -> f64 {
        // One element: 0 / 0, which is NaN.
        self.squares / (self.count - 1.0)
    }

    #[inline]
    fn population(&self) -> f64 {
        self.squares / self.count
    }
}

macro_rules! variance {
    ($(#[$doc:meta])* $name:ident, $moments:ident => $finish:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl<T: Real> Aggregate<T> for $name {
            type State = Moments;
            type Output = f64;

            #[inline]
            fn lift(&self, item: &T) -> Moments {
                Moments::of(item.to_f64())
            }

            #[inline]
            fn merge(&self, left: &mut Moments, right: &Moments) {
                left.merge(right);
            }

            #[inline]
            fn finish(&self, $moments: &Moments) -> f64 {
                $finish
            }
        }
    };
}

variance! {
    /// The sample variance: Σ(x − mean)² / (n − 1), in the square of the elements' unit.
    ///
    /// The estimate of a stream's variance from some of its elements, as R, pandas and SQL's
    /// `VARIANCE` have it. Of a single element there is no such estimate: it reads NaN.
    /// [`Variance::population`] divides by n. A NaN or an infinity among the elements makes it NaN.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, Variance};
    ///
    /// assert_eq!(Variance.fold(&[1e9, 1e9 + 1.0, 1e9 + 2.0]), Some(1.0));
    /// assert!(Variance.fold(&[5]).unwrap().is_nan());
    /// ```
    #[doc(alias = "var")]
    Variance, moments => moments.sample()
}

variance! {
    /// The sample standard deviation, √(Σ(x − mean)² / (n − 1)), in the elements' unit.
    ///
    /// The square root of [`Variance`]: NaN for a single element, and if there is a NaN or an
    /// infinity among the elements. [`StdDev::population`] divides by n.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, StdDev};
    ///
    /// assert_eq!(StdDev.fold(&[2, 4, 6]), Some(2.0));
    /// ```
    #[doc(alias = "std")]
    #[doc(alias = "stddev")]
    #[doc(alias = "standard_deviation")]
    StdDev, moments => moments.sample().sqrt()
}

variance! {
    /// The population variance: Σ(x − mean)² / n, in the square of the elements' unit.
    ///
    /// The variance of just these elements, as numpy has it by default: 0 for a single one. A NaN
    /// or an infinity among the elements makes it NaN.
    PopulationVariance, moments => moments.population()
}

variance! {
    /// The population standard deviation: √(Σ(x − mean)² / n), in the elements' unit.
    ///
    /// The square root of [`PopulationVariance`].
    PopulationStdDev, moments => moments.population().sqrt()
}

impl Variance {
    /// The variance of just these elements, over n instead of n − 1.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, Variance};
    ///
    /// assert_eq!(Variance::population().fold(&[1, 3]), Some(1.0));
    /// assert_eq!(Variance::population().fold(&[5]), Some(0.0));
    /// ```
    pub const fn population() -> PopulationVariance {
        PopulationVariance
    }
}

impl StdDev {
    /// The standard deviation of just these elements, over n instead of n − 1.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::aggregate::{Aggregate, StdDev};
    ///
    /// assert_eq!(StdDev::population().fold(&[1, 3]), Some(1.0));
    /// ```
    pub const fn population() -> PopulationStdDev {
        PopulationStdDev
    }
}
