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
    Int,
    Float,
}

/// A value on its way to being aggregated. Copied, so that senders share no count of references.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// The metric, by its number in the pipeline.
    pub(super) metric: u16,
    pub(super) origin: Origin,
    kind: Kind,
    pub(super) series: Series,
    /// The [value](Sample::value)'s: an enum of two numbers would take twice as much.
    bits: u64,
    /// When it was measured, since the Unix epoch.
    pub(super) time: Time,
}

impl Sample {
    #[inline]
    pub(super) fn new(
        (metric, series): (u16, Series),
        value: Value,
        origin: Origin,
        time: Time,
    ) -> Sample {
        let (kind, bits) = match value {
            Value::Int(int) => (Kind::Int, int as u64),
            Value::Float(float) => (Kind::Float, float.to_bits()),
        };
        Sample {
            metric,
            origin,
            kind,
            series,
            bits,
            time,
        }
    }

    #[inline]
    pub(super) fn value(&self) -> Value {
        match self.kind {
            Kind::Int => Value::Int(self.bits as i64),
            Kind::Float => Value::Float(f64::from_bits(self.bits)),
        }
    }

    /// Whether it was measured before a window began. What is sent as it is measured is not late for the
    /// clock's being coarse, or its sender's having had to wait for a processor.
    #[inline]
    pub(super) fn is_late(&self, begin: Time) -> bool {
        (self.origin == Origin::At) & (self.time < begin)
    }

    /// Whether all were sent as they were measured, and are of a series of their own: what most batches are,
    /// and there is nothing to look at in each.
    #[inline]
    pub(super) fn are_plain(samples: &[Sample]) -> bool {
        let look = |(origins, least), sample: &Sample| {
            let series = sample.series.0 ^ SeriesTable::OVERFLOW.0;
            (origins | sample.origin as u8, series.min(least))
        };
        let (origins, least) = samples.iter().fold((0, u32::MAX), look);
        (origins == Origin::Now as u8) & (least > 0)
    }
}

// Senders, windows and aggregators copy samples by the thousand, and from one processor to another.
const _: () = assert!(size_of::<Sample>() == 24);
