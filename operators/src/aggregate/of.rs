use std::fmt;

use super::{
    Aggregate, Count, First, Frequencies, Last, Max, Mean, Median, Min, PopulationStdDev,
    PopulationVariance, Slide, StdDev, Sum, Variance,
};

/// An aggregate of something computed from each element, such as a field of a record.
///
/// Made by the `of` method of every built-in aggregate, and by [`Of::new`] from tuples and one's
/// own. The closure runs once for each element. Its argument needs a type:
/// `|r: &Reading| r.value`.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Max, Min, Of};
///
/// struct Reading {
///     sensor: u8,
///     value: f64,
/// }
/// let readings = [Reading { sensor: 1, value: 0.5 }, Reading { sensor: 2, value: 0.25 }];
///
/// assert_eq!(Max.of(|r: &Reading| r.value).fold(&readings), Some(0.5));
/// assert_eq!(Of::new((Min, Max), |r: &Reading| r.sensor).fold(&readings), Some((1, 2)));
///
/// let mixed = (Min.of(|r: &Reading| r.value), Max.of(|r: &Reading| r.sensor));
/// assert_eq!(mixed.fold(&readings), Some((0.25, 2)));
/// ```
#[derive(Clone, Copy)]
pub struct Of<A, F> {
    aggregate: A,
    field: F,
}

impl<A, F> Of<A, F> {
    /// Folds what `field` makes of each element with `aggregate`.
    #[inline]
    pub fn new<T, V>(aggregate: A, field: F) -> Self
    where
        A: Aggregate<V>,
        F: Fn(&T) -> V,
    {
        Self { aggregate, field }
    }
}

impl<A: fmt::Debug, F> fmt::Debug for Of<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Of")
            .field("aggregate", &self.aggregate)
            .finish_non_exhaustive()
    }
}

impl<T, V, A, F> Aggregate<T> for Of<A, F>
where
    A: Aggregate<V>,
    F: Fn(&T) -> V + Send + 'static,
{
    type State = A::State;
    type Output = A::Output;

    #[inline]
    fn lift(&self, item: &T) -> A::State {
        self.aggregate.lift(&(self.field)(item))
    }

    #[inline]
    fn add(&self, state: &mut A::State, item: &T) {
        self.aggregate.add(state, &(self.field)(item));
    }

    #[inline]
    fn merge(&self, left: &mut A::State, right: &A::State) {
        self.aggregate.merge(left, right);
    }

    #[inline]
    fn finish(&self, state: &A::State) -> A::Output {
        self.aggregate.finish(state)
    }

    const SLIDES: bool = A::SLIDES;

    fn slide(self) -> impl Slide<T, Output = A::Output> {
        Of {
            aggregate: self.aggregate.slide(),
            field: self.field,
        }
    }
}

/// A window of the fields.
impl<T, V, W, F> Slide<T> for Of<W, F>
where
    W: Slide<V>,
    F: Fn(&T) -> V + Send + 'static,
{
    type Output = W::Output;

    #[inline]
    fn push(&mut self, item: &T) {
        self.aggregate.push(&(self.field)(item));
    }

    #[inline]
    fn pop(&mut self) {
        self.aggregate.pop();
    }

    #[inline]
    fn read(&mut self) -> Option<W::Output> {
        self.aggregate.read()
    }
}

macro_rules! of {
    ($($name:ident)+) => {$(
        impl $name {
            /// The same of what `field` makes of each element, typically a field of a record; see
            /// [`Of`].
            #[inline]
            pub fn of<T, V, F>(self, field: F) -> Of<Self, F>
            where
                Self: Aggregate<V>,
                F: Fn(&T) -> V,
            {
                Of::new(self, field)
            }
        }
    )+};
}

of!(Count First Frequencies Last Max Mean Median Min PopulationStdDev PopulationVariance StdDev Sum Variance);
