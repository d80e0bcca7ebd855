//! Metrics: values with tags go in, aggregates come out, and reach whoever wants them.

mod aggregate;
mod aggregators;
mod by_tags;
mod delivery;
mod described;
mod element;
mod error;
#[cfg(feature = "facade")]
mod facade;
mod gauge;
mod handle;
mod interner;
mod key;
mod level;
mod metric;
mod options;
mod outcome;
mod pipeline;
mod sample;
mod series;
mod sink;
mod sinks;
mod snapshot;
#[cfg(feature = "spans")]
mod spans;
mod tags;
mod timer;
mod value;

pub use described::{Described, Kind, Output, Role};
pub use element::Element;
pub use error::{MetricError, SendError};
#[cfg(feature = "facade")]
pub use facade::{FacadeRecorder, FacadeRecorderBuilder, FacadeSnapshot};
pub use gauge::Gauge;
pub use handle::Handle;
pub use key::KeyError;
pub use metric::{Aligned, Late, Metric};
pub use options::SinkOptions;
pub use outcome::{IntoOutcome, Outcome};
pub use pipeline::{MetricsPipeline, MetricsPipelineBuilder};
pub use sink::{Delivery, MetricSink, SinkError};
pub use sinks::{
    Exposition, ExpositionCounts, ExpositionFormat, FnSink, FormatError, FuturesSink,
    IntoSinkResult, LogSink, PrintSink, PrometheusSink,
};
#[cfg(feature = "json")]
pub use sinks::{JsonFileError, JsonLinesSink, JsonTime, NonFinite, Tail};
pub use snapshot::{MetricSnapshot, MetricsSnapshot, SinkSnapshot};
#[cfg(feature = "spans")]
pub use spans::{SpanLayer, SpanTimer, SpanTimers, Spent};
pub use tags::{AsTag, IntoTags, TagRef, TagValue, Tags};
pub use timer::{Timer, TimerBuilder, Unit};
pub use value::{Total, Value};
