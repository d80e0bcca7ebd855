//! Real servers for tests: VictoriaMetrics, KairosDB and Prometheus, on loopback; and KairosDB's own client.
//!
//! A test asks for a server by its type and talks to it as anybody would:
//!
//! ```no_run
//! use headwater_services::{VictoriaMetrics, or_skip};
//!
//! # fn main() -> Result<(), headwater_services::Error> {
//! let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
//!     return Ok(());
//! };
//! let point = r#"[{"metric": "m", "timestamp": 1700000000, "value": 1, "tags": {"host": "a"}}]"#;
//! let answer = store.opentsdb_http().post("/api/put", "application/json", point)?;
//! assert_eq!(answer.status, 204);
//! assert_eq!(store.exported()?.len(), 1);
//! store.kill()?; // SIGKILL
//! store.restart()?; // same ports, same data
//! # Ok(())
//! # }
//! ```
//!
//! - Ports are free ones of 127.0.0.1, held until the handle is dropped: nobody else gets the port of a
//!   server that was killed and is to come back.
//! - Data and log are in a directory of their own under `services/run/` in the target directory. It goes
//!   with the handle, but stays where a test has failed.
//! - A handle that is dropped takes its server with it. A test process that dies without dropping anything
//!   takes its servers along too: each has a guard that waits for just that.
//! - `start` returns when the server answers. What a machine lacks is [`Error::Missing`]; with
//!   [`or_skip`] it skips the test, or fails it where the variable `CI` is `true`.
//!
//! # How to add a server
//!
//! One file here, after the model of `victoria_metrics.rs`, or of `kairosdb.rs` for one that Maven
//! fetches (`kairosdb_client.rs` is one for a client in Java): a `Kind` (name, needs), a type that is a [`Process`], and `start`. Then a line in [`ALL`]. What it reads at its start is a template in a folder of its name, beside `src`.

mod error;
mod folder;
mod http;
mod install;
mod place;
mod ports;
#[macro_use]
mod process;
mod series;
mod skip;
mod system;

mod kairosdb;
mod kairosdb_client;
mod prometheus;
mod victoria_metrics;

pub use error::Error;
pub use http::{Answer, Http};
pub use install::{Need, install, jars};
pub use place::Kind;
pub use process::Process;
pub use series::Series;
pub use skip::{ci, or_skip};

pub use kairosdb::KairosDb;
pub use kairosdb_client::KairosDbClient;
pub use prometheus::Prometheus;
pub use victoria_metrics::VictoriaMetrics;

/// All there is, in order of names.
pub static ALL: [&Kind; 4] = [
    &kairosdb::KIND,
    &kairosdb_client::KIND,
    &prometheus::KIND,
    &victoria_metrics::KIND,
];
