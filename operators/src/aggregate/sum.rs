use super::{Aggregate, Summand};

/// The sum of the elements, in their own type: x₁ + … + xₙ.
///
/// * **Integers** are added exactly, in a wider integer, and the sum is brought back to the bounds
///   of the type only when it is read: `[200_u8, 100]` reads 255, and `[i32::MAX, 1, -1]` reads
///   `i32::MAX`. Only `i128` and `u128`, which have nothing wider, already stop at their bounds on
///   the way.
/// * **Floats** are added one after the other, in `f64`, as a loop would. A NaN makes the sum NaN;
///   beyond the range of `f64` it is infinite.
/// * **Durations** stop at `Duration::MAX`.
///
/// One's own type can be summed by implementing [`Summand`].
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Sum};
///
/// assert_eq!(Sum.fold(&[200_u8, 50]), Some(250));
/// assert_eq!(Sum.fold(&[200_u8, 100]), Some(255));
/// assert_eq!(Sum.fold(&[0.5, 0.25]), Some(0.75));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "total")]
pub struct Sum;

impl<T: Summand> Aggregate<T> for Sum {
    type State = T::Total;
    type Output = T;

    #[inline]
    fn lift(&self, item: &T) -> T::Total {
        item.to_total()
    }

    #[inline]
    fn add(&self, total: &mut T::Total, item: &T) {
        item.add_to(total);
    }

    #[inline]
    fn merge(&self, left: &mut T::Total, right: &T::Total) {
        T::merge(left, right);
    }

    #[inline]
    fn finish(&self, state: &T::Total) -> T {
        T::sum(state)
    }
}
