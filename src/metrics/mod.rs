//! Metrics: values with tags go in, aggregates come out, and reach whoever wants them.

mod aggregate;
mod aggregators;
mod by_tags;
mod delivery;
mod described;
mod element;
mod error;
mod handle;
mod interner;
mod key;
mod metric;
mod options;
mod outcome;
mod pipeline;
mod sample;
mod series;
mod sink;
mod sinks;
mod snapshot;
mod tags;
mod timer;
mod value;

pub use described::{Described, Kind, Output, Role};
pub use element::Element;
pub use error::{MetricError, SendError};
pub use handle::Handle;
pub use key::KeyError;
pub use metric::{Aligned, Late, Metric};
pub use options::SinkOptions;
pub use outcome::{IntoOutcome, Outcome};
pub use pipeline::{MetricsPipeline, MetricsPipelineBuilder};
pub use sink::{Delivery, MetricSink, SinkError};
#[cfg(feature = "opentsdb")]
pub use sinks::opentsdb::{
    Answers, Confirm, OpenTsdbHttpSink, OpenTsdbSink, Resolution, Sanitize, UrlError,
};
pub use snapshot::{MetricSnapshot, MetricsSnapshot, SinkSnapshot};
pub use tags::{AsTag, IntoTags, TagRef, TagValue, Tags};
pub use timer::{Timer, TimerBuilder, Unit};
pub use value::{Total, Value};
