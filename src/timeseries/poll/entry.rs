//! A point as it is remembered: 24 bytes.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::metrics::Value;
use crate::timeseries::PointValue;

/// The time and the value of a point that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) millis: i64,
    pub(super) value: Packed,
}

/// A [`PointValue`] in 16 bytes: texts are behind a thin pointer.
#[derive(Clone, Debug)]
pub(super) enum Packed {
    Number(Value),
    Text(Arc<Box<str>>),
    Null,
}

impl Packed {
    /// As values of points compare.
    #[inline]
    pub(super) fn compare(&self, other: &PointValue) -> Ordering {
        match (self, other) {
            (Packed::Number(left), PointValue::Number(right)) => left.cmp(right),
            (Packed::Text(left), PointValue::Text(right)) => (***left).cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    #[inline]
    pub(super) fn is(&self, other: &PointValue) -> bool {
        self.compare(other) == Ordering::Equal
    }

    /// That of the value.
    fn rank(&self) -> u8 {
        match self {
            Packed::Null => 0,
            Packed::Number(_) => 1,
            Packed::Text(_) => 2,
        }
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Packed) -> bool {
        match (self, other) {
            (Packed::Number(left), Packed::Number(right)) => left == right,
            (Packed::Text(left), Packed::Text(right)) => left == right,
            _ => self.rank() == other.rank(),
        }
    }
}

impl From<&PointValue> for Packed {
    fn from(value: &PointValue) -> Packed {
        match value {
            PointValue::Number(number) => Packed::Number(*number),
            PointValue::Text(text) => Packed::Text(Arc::new((&**text).into())),
            PointValue::Null => Packed::Null,
        }
    }
}

impl From<&Packed> for PointValue {
    fn from(value: &Packed) -> PointValue {
        match value {
            Packed::Number(number) => PointValue::Number(*number),
            Packed::Text(text) => PointValue::Text((&***text).into()),
            Packed::Null => PointValue::Null,
        }
    }
}

// What the size of the memory of a million points rests on.
const _: () = assert!(size_of::<Entry>() == 24);
