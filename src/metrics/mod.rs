//! Metrics: values with tags go in from any thread, are aggregated by window or batch and by tags, and
//! reach several sinks, each at its own pace.
//!
//! A [`MetricsPipeline`] is a graph like any other, put together from the operators of this crate:
//!
//! ```text
//! handles, by name                              sharded: a buffer a thread
//!   -> per_key(metric)                          each metric a run of its own:
//!        fold_window | fold_partition             what belongs together,
//!        by tags, by aggregator                   folded by an Aggregate,
//!        elements                                 an element for each group and aggregator
//!   -> share
//!        -> buffer -> rate_limit -> partition -> try_map_async.retry      a branch a sink
//! ```
//!
//! | to | there is |
//! | --- | --- |
//! | say what is measured | [`Metric`], its [`Kind`] and [`Late`] values; aggregators are [`aggregate`](crate::aggregate)s or closures |
//! | run it | [`MetricsPipeline`], [`SinkOptions`] |
//! | send values | [`MetricsPipeline::send`], a kept [`Handle`], a [`Timer`] |
//! | wait for room, where every value counts | [`Handle::send_async`], [`Handle::blocking_send`] |
//! | get elements out | a [`MetricSink`] of one's own, or one of those below |
//! | see what happened | [`PipelineSnapshot`] |
//! | aggregate in one's own graph | [`Metric::aggregate`], [`Metric::aggregate_counted`], [`GroupBy`](crate::aggregate::GroupBy) |
//!
//! # Sinks
//!
//! | sink | where elements go | delivery |
//! | --- | --- | --- |
//! | [`PrintSink`] | standard output, or any writer | at most once |
//! | [`LogSink`] | `tracing` | at most once |
//! | `JsonLinesSink` (feature `json`) | a file, or any writer | at least once |
//! | `OpenTsdbSink`, `OpenTsdbHttpSink` (feature `opentsdb`) | OpenTSDB's telnet port; its HTTP interface | at most once; at least once |
//! | [`FnSink`] | a closure: of elements or batches, that blocks or returns a future | at least once, or at most once |
//! | [`FuturesSink`] | a `futures::Sink`; another one when it fails | at most once; at least once |
//! | [`PrometheusSink`] | an [`Exposition`], which Prometheus scrapes; see [`MetricsPipeline::prometheus`] | at most once |

mod aggregate;
mod aggregators;
mod builder;
mod by_tags;
mod carried;
mod connected;
mod counts;
mod delivery;
mod described;
mod element;
mod epoch;
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
mod recent;
mod removed;
mod sample;
mod series;
mod shown;
mod sink;
mod sinks;
mod snapshot;
#[cfg(feature = "spans")]
mod spans;
mod tags;
mod timer;
#[cfg(feature = "facade")]
mod total;
mod value;
mod waiting;
mod warned;

pub use builder::MetricsPipelineBuilder;
pub use counts::MetricCounts;
pub use described::{Described, Kind, Output, Role};
pub use element::Element;
pub use error::{MetricError, SendError, Zero};
#[cfg(feature = "facade")]
pub use facade::{FacadeRecorder, FacadeRecorderBuilder, FacadeSnapshot};
pub use gauge::{Gauge, Held};
pub use handle::Handle;
pub use key::KeyError;
pub use metric::{Aligned, Late, Metric};
pub use options::SinkOptions;
pub use outcome::{IntoOutcome, Outcome};
pub use pipeline::MetricsPipeline;
pub use sink::{Delivery, MetricSink, SinkError};
#[cfg(feature = "opentsdb")]
pub use sinks::opentsdb::{self, OpenTsdbHttpSink, OpenTsdbSink};
pub use sinks::{
    Exposition, ExpositionCounts, ExpositionFormat, FnSink, FormatError, FuturesSink,
    IntoSinkResult, LogSink, PrintSink, PrometheusSink,
};
#[cfg(feature = "json")]
pub use sinks::{JsonFileError, JsonLinesSink, JsonTime, NonFinite, Tail};
pub use snapshot::{MetricSnapshot, PipelineSnapshot, SinkSnapshot};
#[cfg(feature = "spans")]
pub use spans::{SpanLayer, SpanTimer, SpanTimers, Spent};
pub use tags::{AsTag, IntoTags, TagRef, TagValue, Tags};
pub use timer::{Timer, TimerBuilder, Unit};
pub use value::{Total, Value};
