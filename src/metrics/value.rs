//! What was measured: a number that stays the kind of number it was.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::aggregate::{Real, Summand};

/// A number: an integer or a float, and it stays what it was through sums, minima and maxima.
///
/// Made by `into()` from every integer type, from floats, from `bool` (0 or 1), and from a `Duration` (its
/// seconds, as a float). An integer beyond the bounds of `i64` becomes the nearest float.
///
/// # Equality and order
///
/// By the number, whichever way it is kept, and exactly: `Int(1)` equals `Float(1.0)`, and
/// 2⁵³ + 1 is greater than the float 2⁵³. A NaN equals itself and comes after everything else, so
/// that values can be sorted and be keys.
///
/// ```
/// use headwater::metrics::Value;
///
/// assert_eq!(Value::from(1), Value::from(1.0));
/// assert!(Value::from(2) < Value::from(2.5));
/// assert!(Value::from(f64::NAN) > Value::from(f64::INFINITY));
/// assert_eq!(Value::from(3_u8).to_string(), "3");
/// assert_eq!(Value::from(3.0).to_string(), "3.0");
/// assert_eq!(Value::from(std::time::Duration::from_secs(2).as_millis()).as_i64(), Some(2_000));
/// assert_eq!(Value::from(u128::MAX).as_i64(), None);
/// ```
#[derive(Clone, Copy)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number with a fraction, an infinity or a NaN.
    Float(f64),
}

impl Value {
    /// The nearest `f64`: integers beyond 2⁵³ are rounded.
    #[inline]
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Value::Int(int) => int as f64,
            Value::Float(float) => float,
        }
    }

    /// The integer, where it is kept as one.
    #[inline]
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(int),
            Value::Float(_) => None,
        }
    }

    /// Whether it is neither an infinity nor a NaN.
    #[inline]
    #[must_use]
    pub fn is_finite(self) -> bool {
        match self {
            Value::Int(_) => true,
            Value::Float(float) => float.is_finite(),
        }
    }

    /// The integer that a float is exactly, if there is one.
    fn whole(float: f64) -> Option<i64> {
        // The bounds themselves: −2⁶³ is an `i64`, 2⁶³ is not.
        const BOUND: f64 = 9_223_372_036_854_775_808.0;
        ((-BOUND..BOUND).contains(&float) && float.fract() == 0.0).then_some(float as i64)
    }
}

fn compare(int: i64, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Less;
    }
    // 128 bits hold every `i64`, and a float beyond them is beyond every `i64` too.
    let below = float.floor();
    match i128::from(int).cmp(&(below as i128)) {
        Ordering::Equal if float > below => Ordering::Less,
        order => order,
    }
}

/// Two of different kinds, or a NaN among them. Out of line, as it is rare.
#[inline(never)]
fn unlike(left: Value, right: Value) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(&right),
        (Value::Int(left), Value::Float(right)) => compare(left, right),
        (Value::Float(left), Value::Int(right)) => compare(right, left).reverse(),
        (Value::Float(left), Value::Float(right)) => left
            .partial_cmp(&right)
            .unwrap_or_else(|| left.is_nan().cmp(&right.is_nan())),
    }
}

impl Ord for Value {
    #[inline]
    fn cmp(&self, other: &Value) -> Ordering {
        match (*self, *other) {
            (Value::Int(left), Value::Int(right)) => left.cmp(&right),
            (Value::Float(left), Value::Float(right)) if left < right => Ordering::Less,
            (Value::Float(left), Value::Float(right)) if left > right => Ordering::Greater,
            (Value::Float(left), Value::Float(right)) if left == right => Ordering::Equal,
            (left, right) => unlike(left, right),
        }
    }
}

impl PartialOrd for Value {
    #[inline]
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    #[inline]
    fn eq(&self, other: &Value) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match *self {
            Value::Int(int) => int.hash(state),
            Value::Float(float) => match Value::whole(float) {
                Some(int) => int.hash(state),
                None if float.is_nan() => f64::NAN.to_bits().hash(state),
                None => float.to_bits().hash(state),
            },
        }
    }
}

/// An integer as it is, a float with a point: `3` and `3.0`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(int) => fmt::Display::fmt(int, f),
            // With a precision it is kept; without, a float is told from an integer.
            Value::Float(float) if f.precision().is_some() => fmt::Display::fmt(float, f),
            Value::Float(float) => fmt::Debug::fmt(float, f),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! from_small {
    ($($int:ident)+) => {$(
        impl From<$int> for Value {
            #[inline]
            fn from(int: $int) -> Value {
                Value::Int(int.into())
            }
        }
    )+};
}

/// Out of line: else it would be worked out for each value, and be thrown away.
#[cold]
#[inline(never)]
fn beyond(int: u64) -> f64 {
    int as f64
}

macro_rules! from_large {
    ($($int:ident)+) => {$(
        /// Beyond `i64::MAX`, the nearest float.
        impl From<$int> for Value {
            #[inline]
            fn from(int: $int) -> Value {
                match i64::try_from(int) {
                    Ok(int) => Value::Int(int),
                    Err(_) => Value::Float(beyond(int as u64)),
                }
            }
        }
    )+};
}

from_small!(bool i8 i16 i32 i64 u8 u16 u32);
from_large!(u64 usize isize);

macro_rules! from_huge {
    ($($int:ident)+) => {$(
        /// Beyond the bounds of `i64`, the nearest float.
        impl From<$int> for Value {
            #[inline]
            fn from(int: $int) -> Value {
                i64::try_from(int).map_or_else(|_| Value::Float(int as f64), Value::Int)
            }
        }
    )+};
}

// As `Duration::as_millis` gives.
from_huge!(u128 i128);

impl From<f64> for Value {
    #[inline]
    fn from(float: f64) -> Value {
        Value::Float(float)
    }
}

impl From<f32> for Value {
    #[inline]
    fn from(float: f32) -> Value {
        Value::Float(float.into())
    }
}

/// In seconds.
impl From<Duration> for Value {
    #[inline]
    fn from(duration: Duration) -> Value {
        Value::Float(duration.as_secs_f64())
    }
}

impl Real for Value {
    #[inline]
    fn to_f64(&self) -> f64 {
        self.as_f64()
    }
}

/// What values are added up in: the integers exactly, the floats as floats are.
#[derive(Debug, Clone)]
pub struct Total {
    ints: i128,
    floats: Option<<f64 as Summand>::Total>,
}

/// A sum of integers is an integer, at the bounds of `i64` if it is beyond them; with a float among
/// them it is a float.
impl Summand for Value {
    type Total = Total;
    type Mean = f64;

    #[inline]
    fn to_total(&self) -> Total {
        match *self {
            Value::Int(int) => Total {
                ints: int.into(),
                floats: None,
            },
            Value::Float(float) => Total {
                ints: 0,
                floats: Some(float.to_total()),
            },
        }
    }

    #[inline]
    fn add_to(&self, total: &mut Total) {
        match (*self, &mut total.floats) {
            (Value::Int(int), _) => total.ints += i128::from(int),
            (Value::Float(float), Some(floats)) => float.add_to(floats),
            (Value::Float(float), floats @ None) => *floats = Some(float.to_total()),
        }
    }

    #[inline]
    fn merge(left: &mut Total, right: &Total) {
        left.ints += right.ints;
        match (&mut left.floats, &right.floats) {
            (Some(left), Some(right)) => f64::merge(left, right),
            (floats @ None, Some(right)) => *floats = Some(*right),
            (_, None) => {}
        }
    }

    #[inline]
    fn sum(total: &Total) -> Value {
        match total.floats {
            None => Value::Int(i64::sum(&total.ints)),
            Some(_) => Value::Float(f64::sum(&total.all())),
        }
    }

    #[inline]
    fn mean(total: &Total, count: u64) -> f64 {
        match total.floats {
            None => i64::mean(&total.ints, count),
            Some(_) => f64::mean(&total.all(), count),
        }
    }
}

impl Total {
    /// Integers and floats together, as floats.
    fn all(&self) -> <f64 as Summand>::Total {
        let mut all = (self.ints as f64).to_total();
        if let Some(floats) = &self.floats {
            f64::merge(&mut all, floats);
        }
        all
    }
}
