//! The client of proficloud.io.

use std::fmt;
use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Url};

use super::answer::{IoAnswer, IoSeries, Wire};
use super::builder::ProficloudIoBuilder;
use super::error::{ProficloudError, Step};
use super::influx::{Pages, Wrong};
use super::login::below;
use super::query::IoQuery;
use super::session::Session;
use super::store::IoStore;
use super::tokens::{Access, User};
use crate::timeseries::rest::{Ask, Exchange, Reason, Response, Rest, Told, asked, read_aside};

/// A client of the time series of proficloud.io: logs in, and asks for points.
///
/// A clone is another handle of the same client, with the same token. All methods take `&self` and may run side
/// by side.
///
/// ```
/// use headwater::timeseries::Point;
/// use headwater::timeseries::proficloud::{IoQuery, Millis, ProficloudIo};
/// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/proficloud/io/in_memory.rs")); }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let url = stand_in::proficloud_in_memory()?;
/// # let builder = ProficloudIo::builder().data_url(&url).auth_url(&url);
/// # let _ = stringify! {
/// let builder = ProficloudIo::builder();
/// # };
/// let client = builder.build()?;
/// client.authenticate("somebody@example.com", "secret").await?;
/// let query = IoQuery::new("7d0e")
///     .metric("temperature")
///     .between("2023-11-14 22:00:00".parse::<Millis>()?, Millis::now());
/// let answer = client.query(&query).await?;
/// let point = Point::new("temperature", 1_700_000_000_123, 21.5).tagged([("uuid", "7d0e")]);
/// assert_eq!(answer.points().collect::<Vec<_>>(), [point]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Tokens
///
/// Name and password are shown once, for a token that expires and a token to refresh it. When a query comes
/// [a little before](ProficloudIoBuilder::refresh_early) it expires, another one is got beside it, and nobody waits for
/// that. When it has expired, or is refused (status 401) all the same, another one is got first; once for each query.
/// One request for a token is under way at a time, however many queries want it. Where no refresh token is good, the
/// password is shown again; it is kept in memory for that, and nowhere else.
///
/// While the service that gives tokens is down, queries go on until the token expires, and fail then.
///
/// # Errors
///
/// All calls fail with a [`ProficloudError`]: at which step, what was asked, the status, what the service says, and
/// whether asking again can help. What may pass is repeated, as by [`KairosDb`](crate::timeseries::kairosdb::KairosDb).
#[derive(Clone)]
#[doc(alias = "ProficloudIOMetrics")]
pub struct ProficloudIo(Arc<Inner>);

struct Inner {
    rest: Rest,
    data: Url,
    influx: bool,
    session: Session,
}

impl ProficloudIo {
    /// A client to be made.
    pub fn builder() -> ProficloudIoBuilder {
        ProficloudIoBuilder::new("proficloud.io")
    }

    /// A client to be made, for the staging environment.
    pub fn staging() -> ProficloudIoBuilder {
        ProficloudIoBuilder::new("proficloud-staging.io")
    }

    pub(super) fn with(rest: Rest, server: Url, influx: bool, session: Session) -> ProficloudIo {
        let folders: &[&str] = if influx {
            &["query"]
        } else {
            &["epts", "data"]
        };
        ProficloudIo(Arc::new(Inner {
            rest,
            data: below(&server, folders),
            influx,
            session,
        }))
    }

    /// The URL that points are asked from.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.data.as_str()
    }

    #[cfg(feature = "tables")]
    pub(super) fn data(&self) -> &Url {
        &self.0.data
    }

    /// Logs in, as this user from now on. If it fails, all stays as it was.
    ///
    /// # Errors
    /// See [`ProficloudError`]. A wrong password is [`Step::LogIn`] with the status of the service, 401 or 400.
    pub async fn authenticate(
        &self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<(), ProficloudError> {
        let Inner { rest, session, .. } = &*self.0;
        session.authenticate(rest, User::new(user, password)).await
    }

    /// Takes a token that came from elsewhere, for all handles of this client. There is no other one once it is
    /// refused.
    pub fn set_token(&self, token: impl Into<String>) {
        self.0.session.give(token.into());
    }

    /// Asks for points.
    ///
    /// # Errors
    /// See [`ProficloudError`].
    #[doc(alias = "queryMetrics")]
    pub async fn query(&self, query: &IoQuery) -> Result<IoAnswer, ProficloudError> {
        match self.0.influx {
            true => self.query_influx(query).await,
            false => self.query_epts(query).await,
        }
    }

    async fn query_epts(&self, query: &IoQuery) -> Result<IoAnswer, ProficloudError> {
        let url = query.url(&self.0.data).map_err(|why| self.bad(why))?;
        let response = self.get(&url).await?;
        let server_time = response.server_time;
        let read: Result<Wire, Told> = read_aside(asked(&Method::GET, &url), response).await;
        Ok(read.map_err(failed)?.sorted(query, server_time))
    }

    /// Metric by metric, and page by page.
    async fn query_influx(&self, query: &IoQuery) -> Result<IoAnswer, ProficloudError> {
        let mut answer = IoAnswer::default();
        for question in query.questions().map_err(|why| self.bad(why))? {
            let mut pages = Pages::default();
            loop {
                let url = question.url(&self.0.data, pages.last());
                let asked = asked(&Method::GET, &url);
                let response = self.get(&url).await?;
                let attempts = response.attempts;
                answer.server_time = answer.server_time.or(response.server_time);
                let page = read_aside(asked.clone(), response).await.map_err(failed)?;
                let more = pages.take(page).map_err(|wrong| {
                    let reason = match wrong {
                        Wrong::Said(why) => Reason::Refused {
                            status: 200,
                            messages: vec![why],
                            retry_after: None,
                        },
                        Wrong::Odd(why) => Reason::Undecodable {
                            why,
                            body: String::new(),
                        },
                    };
                    failed(Told::new(asked, attempts, reason))
                })?;
                if !more {
                    break;
                }
            }
            if !pages.values.is_empty() {
                answer.series.push(IoSeries {
                    uuid: query.uuid().to_owned(),
                    metric: question.metric.to_owned(),
                    field: "value".to_owned(),
                    values: pages.values,
                });
            }
        }
        Ok(answer)
    }

    /// What can't be asked.
    fn bad(&self, why: String) -> ProficloudError {
        let asked = asked(&Method::GET, &self.0.data);
        failed(Told::new(asked, 0, Reason::BadQuery(why)))
    }

    /// The metrics of a query as a [`Store`](crate::timeseries::Store) that can be polled.
    #[must_use]
    #[doc(alias = "MetricsStreamIO")]
    pub fn store(&self, query: IoQuery) -> IoStore {
        IoStore::new(self.clone(), query)
    }

    /// The last request that has ended, of all handles of this client; `None` before the first. Of requests for
    /// tokens it has the length alone.
    ///
    /// All of them are events of [`tracing`] too, at level `debug`, in a span `proficloud`.
    #[must_use]
    pub fn last_exchange(&self) -> Option<Exchange> {
        self.0.rest.last_exchange()
    }

    /// With a token; with another one, if the first is refused.
    async fn get(&self, url: &Url) -> Result<Response, ProficloudError> {
        let Inner { rest, session, .. } = &*self.0;
        let (first, early) = session.access(rest, None).await?;
        if early {
            let inner = self.0.clone();
            tokio::spawn(async move { inner.session.refresh_early(&inner.rest).await });
        }
        let told = match self.get_signed(url, &first).await {
            Err(told) if told.reason.status() == Some(401) && session.can_renew() => told,
            outcome => return outcome.map_err(failed),
        };
        tracing::debug!(error = %told, "a token is refused");
        let (second, _) = session.access(rest, Some(first.number)).await?;
        let outcome = self.get_signed(url, &second).await;
        outcome.map_err(failed)
    }

    async fn get_signed(&self, url: &Url, access: &Access) -> Result<Response, Told> {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", access.token));
        let Ok(mut bearer) = bearer else {
            let why = "the token has characters that no header may have".to_owned();
            let asked = asked(&Method::GET, url);
            return Err(Told::new(asked, 0, Reason::BadQuery(why)));
        };
        bearer.set_sensitive(true);
        let ask = Ask {
            headers: vec![(AUTHORIZATION, bearer)],
            secrets: access.secrets(),
            ..Ask::new(Method::GET, url.clone())
        };
        self.0.rest.ask(ask).await
    }
}

pub(super) fn failed(told: Told) -> ProficloudError {
    ProficloudError::new(Step::Query, told)
}

impl fmt::Debug for ProficloudIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProficloudIo")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
