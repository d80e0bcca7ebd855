//! How a client is made.

use std::fmt;
use std::time::Duration;

use super::encode::Format;
use super::gateway::Gateway;
use crate::metrics::{AsTag, IntoTags, Tags};
use crate::remote::shown_url;
use crate::timeseries::rest::{Credentials, Transport, transport_options};

/// How bodies of points are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gzip {
    /// They are not, which is the default: on a fast network compressing takes longer than sending.
    Off,
    /// With `Content-Encoding: gzip`. From KairosDB 1.3 on.
    ContentEncoding,
    /// With `Content-Type: application/gzip`. All versions read it; for 1.2 it is the only way.
    ContentType,
}

/// How a client is made: who it is, which way it takes, how patient it is.
///
/// ```
/// use headwater::timeseries::kairosdb::KairosDb;
/// use std::time::Duration;
///
/// let client = KairosDb::builder("http://127.0.0.1:8080")
///     .basic_auth("reader", "secret")
///     .header("x-tenant", "plant 7")
///     .tag("site", "plant 7")
///     .timeout(Duration::from_secs(10))
///     .attempts(5)
///     .build()?;
/// # drop(client);
/// # Ok::<(), headwater::timeseries::kairosdb::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct KairosDbBuilder {
    pub(super) url: String,
    pub(super) query_path: String,
    pub(super) write_path: String,
    pub(super) credentials: Credentials,
    pub(super) transport: Transport,
    pub(super) gateway: Option<Gateway>,
    pub(super) repeat_writes: bool,
    pub(super) gzip: Gzip,
    pub(super) format: Format,
}

impl KairosDbBuilder {
    pub(super) fn new(url: String) -> KairosDbBuilder {
        KairosDbBuilder {
            url,
            query_path: "datapoints/query".to_owned(),
            write_path: "datapoints".to_owned(),
            credentials: Credentials::None,
            transport: Transport::default(),
            gateway: None,
            repeat_writes: true,
            gzip: Gzip::Off,
            format: Format {
                tags: Tags::new(),
                ttl: None,
                max_points: 10_000,
                max_bytes: 1 << 20,
            },
        }
    }

    /// Basic authentication, with each request.
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Credentials::Basic(user.into(), password.into());
        self
    }

    /// A bearer token, with each request; [`KairosDb::set_bearer`](super::KairosDb::set_bearer) replaces it.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.credentials = Credentials::Bearer(token.into());
        self
    }

    /// Behind a gateway, that signs in by these credentials.
    #[cfg(feature = "proficloud")]
    pub(in crate::timeseries) fn behind(
        self,
        gateway: Gateway,
        credentials: Credentials,
    ) -> KairosDbBuilder {
        KairosDbBuilder {
            gateway: Some(gateway),
            credentials,
            query_path: gateway.query_path.to_owned(),
            write_path: gateway.write_path.to_owned(),
            ..self
        }
    }

    transport_options!();

    /// Whether writes are sent again too; they are by default. A point that arrives twice replaces itself: the
    /// store keeps one for each metric, tags, time and type. Only somebody else's change of the same point in
    /// between would be undone.
    pub fn repeat_writes(mut self, repeat: bool) -> Self {
        self.repeat_writes = repeat;
        self
    }

    /// How points are compressed on their way; not at all by default. Queries are not: the store can't read
    /// them then.
    pub fn gzip(mut self, gzip: Gzip) -> Self {
        self.gzip = gzip;
        self
    }

    /// A tag of every point that is written. Where a point has it too, this value holds.
    pub fn tag(mut self, name: impl AsRef<str>, value: impl AsTag) -> Self {
        self.format.tags = self.format.tags.with(name, value);
        self
    }

    /// Tags of every point that is written.
    pub fn tags(mut self, tags: impl IntoTags) -> Self {
        self.format.tags = self.format.tags.merged(&tags.into_tags());
        self
    }

    /// After how long the store forgets what is written, in whole seconds, rounded up; never by default.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.format.ttl = Some(ttl);
        self
    }

    /// How many points a request has, at most; 10 000 by default.
    pub fn max_points(mut self, points: usize) -> Self {
        self.format.max_points = points;
        self
    }

    /// How many bytes a request's points have, at most, before they are compressed; 1 MiB by default. A point
    /// that is larger goes alone.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.format.max_bytes = bytes;
        self
    }

    /// Where queries go, below `api/v1/`; `datapoints/query` by default.
    pub fn query_path(mut self, path: impl Into<String>) -> Self {
        self.query_path = path.into();
        self
    }

    /// Where points go, below `api/v1/`; `datapoints` by default.
    pub fn write_path(mut self, path: impl Into<String>) -> Self {
        self.write_path = path.into();
        self
    }
}

impl fmt::Debug for KairosDbBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KairosDbBuilder")
            .field("url", &shown_url(&self.url))
            .field("timeout", &self.transport.timeout)
            .finish_non_exhaustive()
    }
}
