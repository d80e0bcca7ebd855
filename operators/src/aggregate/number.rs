use std::time::Duration;

/// What [`Sum`](super::Sum) and [`Mean`](super::Mean) can add up: the integers, the floats,
/// `Duration`, and one's own.
///
/// A total is wider than the elements, so that adding neither overflows nor rounds on the way.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Mean, Sum, Summand};
///
/// /// Money, to the cent.
/// #[derive(Debug, PartialEq)]
/// struct Cents(i64);
///
/// impl Summand for Cents {
///     type Total = i128;
///     type Mean = f64;
///
///     fn to_total(&self) -> i128 {
///         self.0.into()
///     }
///
///     fn merge(left: &mut i128, right: &i128) {
///         *left += right;
///     }
///
///     fn sum(total: &i128) -> Cents {
///         Cents(i64::sum(total))
///     }
///
///     fn mean(total: &i128, count: u64) -> f64 {
///         i64::mean(total, count)
///     }
/// }
///
/// assert_eq!((Sum, Mean).fold(&[Cents(5), Cents(10)]), Some((Cents(15), 7.5)));
/// ```
#[diagnostic::on_unimplemented(
    message = "elements of type `{Self}` cannot be added up",
    label = "not a number",
    note = "to fold a field of a record, name it: `Mean.of(|record: &{Self}| record.field)`"
)]
pub trait Summand: Send + 'static {
    /// What the elements are added up in.
    type Total: Clone + Send + 'static;

    /// The type of a mean.
    type Mean: Send + 'static;

    /// The total of one element.
    fn to_total(&self) -> Self::Total;

    /// Adds one total to another; the right one is of later elements.
    fn merge(left: &mut Self::Total, right: &Self::Total);

    /// Adds the element to a total of earlier ones, as merging its [total](Summand::to_total) does.
    ///
    /// To be written only where that can be cheaper.
    #[inline]
    fn add_to(&self, total: &mut Self::Total) {
        Self::merge(total, &self.to_total());
    }

    /// The total as an element, at the bounds of the type if it is beyond them.
    fn sum(total: &Self::Total) -> Self;

    /// The total divided by the number of elements, which is at least one.
    fn mean(total: &Self::Total, count: u64) -> Self::Mean;
}

/// What [`Variance`](super::Variance) and [`StdDev`](super::StdDev) can read as an `f64`: the
/// integers, the floats, and one's own.
///
/// Integers beyond 2⁵³ are rounded to the nearest `f64`.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::Real;
///
/// assert_eq!(3_u8.to_f64(), 3.0);
/// ```
#[diagnostic::on_unimplemented(
    message = "elements of type `{Self}` cannot be read as an `f64`",
    label = "not a number",
    note = "to fold a field of a record, name it: `StdDev.of(|record: &{Self}| record.field)`"
)]
pub trait Real: Send + 'static {
    /// The nearest `f64`.
    fn to_f64(&self) -> f64;
}

// The total is wide enough that no stream lasts long enough to wrap it: 2⁴⁷ elements for 16 bits,
// 2⁶⁴ for 64.
macro_rules! integer {
    ($total:ident, $short:ident, $add:ident: $($int:ident)+) => {$(
        impl Summand for $int {
            type Total = $total;
            type Mean = f64;

            #[inline]
            fn to_total(&self) -> $total {
                *self as $total
            }

            #[inline]
            fn merge(left: &mut $total, right: &$total) {
                *left = left.$add(*right);
            }

            #[inline]
            fn sum(total: &$total) -> $int {
                (*total).clamp($int::MIN as $total, $int::MAX as $total) as $int
            }

            #[inline]
            fn mean(total: &$total, count: u64) -> f64 {
                // To convert 128 bits is a call, and nearly always they would fit into 64.
                let total = $short::try_from(*total).map_or(*total as f64, |short| short as f64);
                total / count.cast_signed() as f64
            }
        }

        impl Real for $int {
            #[inline]
            fn to_f64(&self) -> f64 {
                *self as f64
            }
        }
    )+};
}

integer!(i64, i64, wrapping_add: i8 i16);
integer!(u64, u64, wrapping_add: u8 u16);
integer!(i128, i64, wrapping_add: i32 i64 isize);
integer!(u128, u64, wrapping_add: u32 u64 usize);
integer!(i128, i64, saturating_add: i128);
integer!(u128, u64, saturating_add: u128);

macro_rules! float {
    ($($float:ident)+) => {$(
        impl Summand for $float {
            type Total = f64;
            type Mean = f64;

            #[inline]
            fn to_total(&self) -> f64 {
                (*self).into()
            }

            #[inline]
            fn merge(left: &mut f64, right: &f64) {
                *left += right;
            }

            #[inline]
            fn sum(total: &f64) -> $float {
                *total as $float
            }

            #[inline]
            fn mean(total: &f64, count: u64) -> f64 {
                total / count.cast_signed() as f64
            }
        }

        impl Real for $float {
            #[inline]
            fn to_f64(&self) -> f64 {
                (*self).into()
            }
        }
    )+};
}

float!(f32 f64);

impl Summand for Duration {
    // Nanoseconds: `Duration::MAX` is below 2⁹⁴ of them.
    type Total = u128;
    type Mean = Duration;

    #[inline]
    fn to_total(&self) -> u128 {
        self.as_nanos()
    }

    #[inline]
    fn merge(left: &mut u128, right: &u128) {
        *left = left.saturating_add(*right);
    }

    #[inline]
    fn sum(total: &u128) -> Duration {
        const NANOS: u128 = 1_000_000_000;
        match u64::try_from(total / NANOS) {
            Ok(seconds) => Duration::new(seconds, (total % NANOS) as u32),
            Err(_) => Duration::MAX,
        }
    }

    #[inline]
    fn mean(total: &u128, count: u64) -> Duration {
        Duration::sum(&(total / u128::from(count.max(1))))
    }
}
