//! Proficloud: its time-series services, and what its users need beside them.
//!
//! | what | where |
//! | --- | --- |
//! | the services TSD and EWIMA of proficloud.net, which are [KairosDB](super::kairosdb) behind a gateway | [`Tsd`], [`Ewima`], [`Token`] |
//! | the time series of proficloud.io, whose tokens expire | [`ProficloudIo`], [`IoQuery`], [`IoAnswer`] |
//! | polling it | [`ProficloudIo::store`] |
//! | lists of metrics in CSV | [`MetricsCsv`] |
//! | times: text, milliseconds, `SystemTime` | [`Millis`] |
//!
//! Sources: what the Python package `proficloud` asks for and understands; the token endpoint is that of OpenID
//! Connect (RFC 6749, sections 4.3, 5 and 6). Who knows that package finds all of it in
//! [the guide](crate::guide::from_proficloud).

mod ewima;
mod io;
mod metrics_csv;
mod millis;
mod token;
mod tsd;

pub use ewima::Ewima;
pub use io::{
    IoAnswer, IoQuery, IoSeries, IoStore, ProficloudError, ProficloudIo, ProficloudIoBuilder, Step,
};
pub use metrics_csv::{CsvError, CsvProblem, MetricsCsv, NamedMetric};
pub use millis::{Millis, TimeError};
pub use token::{Token, TokenError};
pub use tsd::Tsd;
