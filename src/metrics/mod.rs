//! Metrics: values with tags go in, aggregates come out, and reach whoever wants them.

mod aggregate;
mod aggregators;
mod by_tags;
mod described;
mod element;
mod error;
mod interner;
mod key;
mod metric;
mod outcome;
mod sample;
mod series;
mod sink;
mod sinks;
mod tags;
mod value;

pub use described::{Described, Kind, Output, Role};
pub use element::Element;
pub use error::{MetricError, SendError};
pub use key::KeyError;
pub use metric::{Aligned, Late, Metric};
pub use outcome::{IntoOutcome, Outcome};
pub use sink::{Delivery, MetricSink, SinkError};
pub use sinks::{
    Exposition, ExpositionCounts, ExpositionFormat, FnSink, FormatError, FuturesSink,
    IntoSinkResult, LogSink, PrintSink, PrometheusSink,
};
#[cfg(feature = "json")]
pub use sinks::{JsonFileError, JsonLinesSink, JsonTime, NonFinite, Tail};
pub use tags::{AsTag, IntoTags, TagRef, TagValue, Tags};
pub use value::{Total, Value};
