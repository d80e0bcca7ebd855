//! What can be wrong with a metric, a pipeline, or a value that is sent.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::value::Value;

/// Why a metric cannot be aggregated, or a pipeline cannot be built, as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricError {
    /// The metric has no name, or a blank one.
    NoName,
    /// The metric's name has a line break in it.
    LineBreak(Arc<str>),
    /// An aggregator's name is blank, or has a line break in it.
    AggregatorName {
        /// The metric.
        metric: Arc<str>,
        /// The name of the aggregator.
        aggregator: Arc<str>,
    },
    /// Batches, which have no beginning in time, are to be aligned to the wall clock.
    AlignedBatch(Arc<str>),
    /// Neither a window nor a batch was named.
    NoGrouping(Arc<str>),
    /// A window and a batch were named, or one of them twice.
    TwoGroupings(Arc<str>),
    /// A window of no time.
    ZeroWindow(Arc<str>),
    /// A batch of no values.
    ZeroBatch(Arc<str>),
    /// No aggregator was named.
    NoAggregator(Arc<str>),
    /// Two aggregators of the metric have this name.
    SameAggregator {
        /// The metric.
        metric: Arc<str>,
        /// The name that comes twice.
        aggregator: Arc<str>,
    },
    /// Windows are aligned to the wall clock, and nobody said how the graph's clock relates to it.
    NoEpoch(Arc<str>),
    /// Another metric has this name.
    SameMetric(Arc<str>),
    /// Another metric makes elements of this name.
    SameOutput {
        /// The metric.
        metric: Arc<str>,
        /// What elements of both would be called.
        element: Arc<str>,
    },
    /// There are as many metrics as a pipeline may have.
    TooMany(Arc<str>),
    /// A bound of the metric is zero.
    ZeroBound {
        /// The metric.
        metric: Arc<str>,
        /// What is zero.
        zero: Zero,
    },
    /// An option of the sink is zero, or what it says itself.
    ZeroOption {
        /// The sink.
        sink: Arc<str>,
        /// What is zero.
        zero: Zero,
    },
    /// Another sink has this name.
    SameSink(Arc<str>),
    /// The pipeline was shut down.
    Closed,
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetricError::NoName => f.write_str(
                "a metric has an empty or blank name: its elements are called by it, so give it one",
            ),
            MetricError::LineBreak(metric) => write!(
                f,
                "the name of metric {metric:?} has a line break in it, which receivers of lines would take \
                 for its end: leave it out"
            ),
            MetricError::AggregatorName { metric, aggregator } => write!(
                f,
                "metric {metric:?} has an aggregator called {aggregator:?}: give it a name that is not \
                 blank, without line breaks"
            ),
            MetricError::AlignedBatch(metric) => write!(
                f,
                "metric {metric:?} has batches, which begin at no time and cannot be aligned to the wall \
                 clock: leave `aligned` out, or call `.window(duration)` instead of `.batch(n)`"
            ),
            MetricError::NoGrouping(metric) => write!(
                f,
                "metric {metric:?} says neither of a window nor of a batch what is aggregated \
                 together: call `.window(duration)` or `.batch(n)`"
            ),
            MetricError::TwoGroupings(metric) => write!(
                f,
                "metric {metric:?} says twice what is aggregated together: call one of \
                 `.window(duration)` and `.batch(n)`, once"
            ),
            MetricError::ZeroWindow(metric) => {
                write!(
                    f,
                    "metric {metric:?} has windows of no time: give them a duration"
                )
            }
            MetricError::ZeroBatch(metric) => {
                write!(
                    f,
                    "metric {metric:?} has batches of 0 values: let it be 1 at least"
                )
            }
            MetricError::NoAggregator(metric) => write!(
                f,
                "metric {metric:?} has no aggregator and would emit nothing: call `.agg(name, \
                 aggregate)`"
            ),
            MetricError::SameAggregator { metric, aggregator } => write!(
                f,
                "metric {metric:?} has two aggregators called {aggregator:?}, whose elements could \
                 not be told apart: give one another name"
            ),
            MetricError::NoEpoch(metric) => write!(
                f,
                "metric {metric:?} has windows aligned to the wall clock: say by `.epoch(time)` when \
                 the graph's clock was zero"
            ),
            MetricError::SameMetric(metric) => {
                write!(
                    f,
                    "there is a metric {metric:?} already: give this one another name"
                )
            }
            MetricError::SameOutput { metric, element } => write!(
                f,
                "metric {metric:?} would make elements called {element:?}, as another metric does: give \
                 it, or its aggregator, another name"
            ),
            MetricError::TooMany(metric) => write!(
                f,
                "there is no room for metric {metric:?}: a pipeline has at most 65536 metrics; use \
                 tags where the names are made by the program"
            ),
            MetricError::ZeroBound { metric, zero } => write!(f, "metric {metric:?}: {zero}"),
            MetricError::ZeroOption { sink, zero } => write!(f, "sink {sink:?}: {zero}"),
            MetricError::SameSink(sink) => write!(
                f,
                "there is a sink {sink:?} already: give this one a name of its own by \
                 `SinkOptions::name`"
            ),
            MetricError::Closed => f.write_str(
                "the pipeline was shut down, and takes no further metrics and sinks: build another one",
            ),
        }
    }
}

impl Error for MetricError {}

/// What is zero and must not be, and what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zero {
    option: &'static str,
    advice: &'static str,
}

impl Zero {
    pub(super) fn of(option: &'static str, advice: &'static str) -> Zero {
        Zero { option, advice }
    }

    /// The name of the method that was given zero.
    #[must_use]
    pub fn option(&self) -> &'static str {
        self.option
    }
}

impl fmt::Display for Zero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Zero { option, advice } = self;
        write!(f, "`{option}` is zero: {advice}")
    }
}

/// Why a value was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no metric of this name.
    Unknown {
        /// The name that was given.
        metric: String,
        /// The names that there are, sorted.
        known: Arc<[Arc<str>]>,
    },
    /// The buffer of the sending thread is full: the pipeline does not keep up.
    Full(Value),
    /// The pipeline was shut down.
    Closed(Value),
    /// The runtime that drove the pipeline has gone, so that nobody would take the value.
    Undriven(Value),
    /// A closure in the pipeline's graph panicked: one of a branch of one's own, as those of metrics and sinks
    /// are caught.
    Poisoned(Value),
    /// A failure in a branch of one's own stopped the pipeline's graph, which was told to do so by
    /// [`on_error`](crate::Graph::on_error).
    Stopped(Value),
}

/// How many names of metrics an error shows: there may be thousands, and the error be logged for each value.
const SHOWN: usize = 50;

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Unknown { metric, known } if known.is_empty() => {
                write!(
                    f,
                    "there is no metric {metric:?}, and no other one: add it first"
                )
            }
            SendError::Unknown { metric, known } => {
                write!(
                    f,
                    "there is no metric {metric:?}; known are {}",
                    known[..known.len().min(SHOWN)].join(", ")
                )?;
                match known.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
            SendError::Full(value) => write!(
                f,
                "the value {value} was not taken: the buffer of this thread is full, since the \
                 pipeline does not keep up; `send_async` and `blocking_send` of a handle wait for room"
            ),
            SendError::Undriven(value) => write!(
                f,
                "the value {value} was not taken: the runtime that drove the pipeline has gone; call \
                 `shutdown` on the pipeline while that runs"
            ),
            SendError::Closed(value) => {
                write!(
                    f,
                    "the value {value} was not taken: the pipeline was shut down"
                )
            }
            SendError::Poisoned(value) => write!(
                f,
                "the value {value} was not taken: a closure in the pipeline's graph panicked, and \
                 `graph().poisoned_below()` says where; build another pipeline"
            ),
            SendError::Stopped(value) => write!(
                f,
                "the value {value} was not taken: a failure stopped the pipeline's graph, and a snapshot \
                 says which; build another pipeline"
            ),
        }
    }
}

impl Error for SendError {}
