//! What travels through a pipeline's graph: a value, and numbers for its metric and tags.

use super::series::SeriesTable;
use super::value::Value;
use crate::Time;

/// A series of a metric: one set of tags, by the number its [table](super::series) gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Series(pub(super) u32);

/// Where a value comes from, and so what its time says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Origin {
    /// It was sent as it was measured: its time is that of the coarse clock, and it is never late. No bits,
    /// so that a batch is seen to be all of these.
    Now = 0,
    /// Who sent it has said when it was measured.
    At,
    /// The pipeline's own: what a quantity was as the window began.
    Carried,
}

/// What the bits of a value are.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Kind {
    Int = 0,
    Float,
}

/// Whose a sample is, where it comes from and what its value is, in one word: a sender has it ready and writes
/// it at once.
///
/// From the lowest bit: 32 of the series, 16 of the metric, 8 of the origin, 8 of the kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(u64);

impl Mark {
    /// Of what is sent as it is measured.
    pub(super) fn new((metric, series): (u16, Series)) -> Mark {
        Mark(u64::from(metric) << 32 | u64::from(series.0))
    }

    #[inline]
    pub(super) fn metric(self) -> u16 {
        (self.0 >> 32) as u16
    }

    #[inline]
    pub(super) fn series(self) -> Series {
        Series(self.0 as u32)
    }

    #[inline]
    fn with(self, origin: Origin, kind: Kind) -> Mark {
        Mark(self.0 | (origin as u64) << 48 | (kind as u64) << 56)
    }

    /// The bits of the origin.
    #[inline]
    fn origin(self) -> u8 {
        (self.0 >> 48) as u8
    }

    #[inline]
    fn is_float(self) -> bool {
        self.0 >> 56 == Kind::Float as u64
    }
}

/// A value on its way to being aggregated. Copied, so that senders share no count of references.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// The [value](Sample::value)'s: an enum of two numbers would take twice as much.
    bits: u64,
    /// When it was measured, since the Unix epoch.
    pub(super) time: Time,
    mark: Mark,
}

impl Sample {
    #[inline]
    pub(super) fn new(mark: Mark, value: Value, origin: Origin, time: Time) -> Sample {
        let (kind, bits) = match value {
            Value::Int(int) => (Kind::Int, int as u64),
            Value::Float(float) => (Kind::Float, float.to_bits()),
        };
        let mark = mark.with(origin, kind);
        Sample { bits, time, mark }
    }

    #[inline]
    pub(super) fn value(&self) -> Value {
        match self.mark.is_float() {
            true => Value::Float(f64::from_bits(self.bits)),
            false => Value::Int(self.bits as i64),
        }
    }

    /// The metric, by its number in the pipeline.
    #[inline]
    pub(super) fn metric(&self) -> u16 {
        self.mark.metric()
    }

    #[inline]
    pub(super) fn series(&self) -> Series {
        self.mark.series()
    }

    #[inline]
    pub(super) fn is(&self, origin: Origin) -> bool {
        self.mark.origin() == origin as u8
    }

    /// Whether it was measured before a window began. What is sent as it is measured is not late for the
    /// clock's being coarse, or its sender's having had to wait for a processor.
    #[inline]
    pub(super) fn is_late(&self, begin: Time) -> bool {
        self.is(Origin::At) & (self.time < begin)
    }

    /// Whether all were sent as they were measured, and are of a series of their own: what most batches are,
    /// and there is nothing to look at in each.
    #[inline]
    pub(super) fn are_plain(samples: &[Sample]) -> bool {
        let look = |(origins, least), sample: &Sample| {
            let series = sample.series().0 ^ SeriesTable::OVERFLOW.0;
            (origins | sample.mark.origin(), series.min(least))
        };
        let (origins, least) = samples.iter().fold((0, u32::MAX), look);
        (origins == Origin::Now as u8) & (least > 0)
    }
}

// Senders, windows and aggregators copy samples by the thousand, and from one processor to another.
const _: () = assert!(size_of::<Sample>() == 24);
