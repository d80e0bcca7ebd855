//! The client: one method for each call of the store's REST API.

use std::fmt;
use std::sync::Arc;

use reqwest::{Method, Url};
use serde::Deserialize;

use super::builder::{Gzip, KairosDbBuilder};
use super::encode::Format;
use super::error::KairosError;
use super::gateway::Gateway;
use super::health::Health;
use crate::timeseries::rest::{Ask, BuildError, Credentials, Exchange, Rest};

/// A client of KairosDB's REST API, version 1: writes points, queries and deletes them.
///
/// A clone is another handle of the same client. All methods take `&self` and may run side by side.
///
/// ```
/// use headwater::timeseries::Point;
/// use headwater::timeseries::kairosdb::{KairosDb, Query, Relative};
/// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/kairosdb/in_memory.rs")); }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let url = stand_in::kairosdb_in_memory()?;
/// let client = KairosDb::new(url)?; // "http://127.0.0.1:8080"
/// let point = Point::new("temperature", 1_700_000_000_000, 21.5).tagged([("room", "hall")]);
/// let queued = client.write(&[point.clone()]).await?;
/// assert_eq!(queued.points, 1);
///
/// let query = Query::since(Relative::years(10)).metric("temperature");
/// let answer = client.query(&query).await?;
/// assert_eq!(answer.points().collect::<Vec<_>>(), [point]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Attempts
///
/// An attempt that got no answer, or one of status 408, 425, 429, 500, 502, 503 or 504, is repeated, after
/// a delay that grows and that chance makes longer; `Retry-After` is obeyed. That is done with all calls,
/// since all can be repeated without harm: queries and names change nothing, what was deleted stays deleted,
/// and points replace themselves ([unless it is switched off](KairosDbBuilder::repeat_writes)).
///
/// # Errors
///
/// All calls fail with a [`KairosError`]: what was asked, the status, what the store says, and whether asking
/// again can help. Writes fail with a [`WriteError`](super::WriteError), which also says what was written.
#[derive(Clone)]
pub struct KairosDb(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) base: Url,
    pub(super) rest: Rest,
    pub(super) settings: Settings,
}

/// What the client itself has to know.
pub(super) struct Settings {
    pub(super) query_path: String,
    pub(super) write_path: String,
    pub(super) repeat_writes: bool,
    pub(super) gzip: Gzip,
    pub(super) format: Format,
    /// What stands in front of the store, if that does not pass everything on.
    pub(super) gateway: Option<Gateway>,
}

#[derive(Deserialize)]
struct Names {
    results: Vec<String>,
}

impl KairosDb {
    /// A client with defaults for the store at this URL, such as `http://127.0.0.1:8080`. `/api/v1/` is added
    /// unless the URL ends with it.
    ///
    /// # Errors
    /// If it is no URL of HTTP.
    pub fn new(url: impl Into<String>) -> Result<KairosDb, BuildError> {
        KairosDb::builder(url).build()
    }

    /// A client to be made, for the store at this URL.
    pub fn builder(url: impl Into<String>) -> KairosDbBuilder {
        KairosDbBuilder::new(url.into())
    }

    pub(super) fn with(base: Url, rest: Rest, settings: Settings) -> KairosDb {
        KairosDb(Arc::new(Inner {
            base,
            rest,
            settings,
        }))
    }

    /// The URL of the API, which ends with `/api/v1/`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.base.as_str()
    }

    /// Another bearer token, for all handles of this client and all attempts from now on.
    pub fn set_bearer(&self, token: impl Into<String>) {
        self.0.rest.sign_with(Credentials::Bearer(token.into()));
    }

    /// Deletes a metric, with all its points. One that does not exist is none any more, either.
    ///
    /// # Errors
    /// See [`KairosError`]. Metrics that are called `.` or `..` can't be named here; their points are deleted by a
    /// [query](KairosDb::delete).
    pub async fn delete_metric(&self, name: &str) -> Result<(), KairosError> {
        let path = self.below(&Method::DELETE, "metric", name)?;
        self.ask(Ask::new(Method::DELETE, path)).await?;
        Ok(())
    }

    /// The names of all metrics, sorted.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn metric_names(&self) -> Result<Vec<String>, KairosError> {
        let names: Names = self.get(self.path("metricnames")).await?;
        Ok(sorted(names))
    }

    /// The names of all metrics that begin with this, sorted.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn metric_names_with(&self, prefix: &str) -> Result<Vec<String>, KairosError> {
        let mut path = self.path("metricnames");
        path.query_pairs_mut().append_pair("prefix", prefix);
        let names: Names = self.get(path).await?;
        Ok(sorted(names))
    }

    /// Whether the store says that it is well. If not, that is an error of status 500; it is asked once.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn health_check(&self) -> Result<(), KairosError> {
        let path = self.path("health/check");
        let ask = Ask {
            repeat: false,
            ..Ask::new(Method::GET, path)
        };
        self.ask(ask).await?;
        Ok(())
    }

    /// How each part of the store fares.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn health_status(&self) -> Result<Vec<Health>, KairosError> {
        let lines: Vec<String> = self.get(self.path("health/status")).await?;
        Ok(lines.iter().map(|line| Health::read(line)).collect())
    }

    /// The store's version, such as `KairosDB 1.3.0-1.20210808223203`.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn version(&self) -> Result<String, KairosError> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let version: Version = self.get(self.path("version")).await?;
        Ok(version.version)
    }

    /// What the store can do, with parameters: `aggregators` and `group_by`, as it describes them in JSON.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn features(&self) -> Result<serde_json::Value, KairosError> {
        self.get(self.path("features")).await
    }

    /// One kind of what the store can do: `aggregators`, for instance.
    ///
    /// # Errors
    /// See [`KairosError`]; one that does not exist is status 404.
    pub async fn feature(&self, name: &str) -> Result<serde_json::Value, KairosError> {
        self.get(self.below(&Method::GET, "features", name)?).await
    }

    /// The last request that has ended, of all handles of this client; `None` before the first.
    ///
    /// All of them are events of [`tracing`] too, at level `debug`, in a span `kairosdb`.
    #[must_use]
    pub fn last_exchange(&self) -> Option<Exchange> {
        self.0.rest.last_exchange()
    }
}

fn sorted(mut names: Names) -> Vec<String> {
    names.results.sort();
    names.results
}

impl fmt::Debug for KairosDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KairosDb")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
