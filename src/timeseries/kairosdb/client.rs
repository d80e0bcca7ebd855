//! The client: one method for each call of the store's REST API.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::Instrument;

use super::answer::Answer;
use super::attempt::{Credentials, Request, Response, shown};
use super::builder::{Asking, Gzip, KairosDbBuilder};
use super::encode::{Encoder, Format, check, zipped};
use super::error::{KairosError, Reason};
use super::exchange::{Excerpt, Exchange, Record};
use super::query::Query;
use super::queued::{Queued, WriteError};
use super::store::KairosStore;
use super::unfit::Unfit;
use super::{BuildError, Health};
use crate::timeseries::Point;

/// What takes a few milliseconds to read.
const READ_AT_ONCE: usize = 1 << 20;

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
/// again can help. Writes fail with a [`WriteError`], which also says what was written.
#[derive(Clone)]
pub struct KairosDb(Arc<Inner>);

struct Inner {
    base: Url,
    asking: Asking,
    credentials: Arc<Mutex<Credentials>>,
    settings: Settings,
    last: Mutex<Option<Exchange>>,
}

/// What the client itself has to know.
pub(super) struct Settings {
    pub(super) query_path: String,
    pub(super) write_path: String,
    pub(super) repeat_writes: bool,
    pub(super) gzip: Gzip,
    pub(super) keep: usize,
    pub(super) format: Format,
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

    pub(super) fn with(
        base: Url,
        asking: Asking,
        credentials: Arc<Mutex<Credentials>>,
        settings: Settings,
    ) -> KairosDb {
        KairosDb(Arc::new(Inner {
            base,
            asking,
            credentials,
            settings,
            last: Mutex::default(),
        }))
    }

    /// The URL of the API, which ends with `/api/v1/`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.base.as_str()
    }

    /// Another bearer token, for all handles of this client and all attempts from now on.
    pub fn set_bearer(&self, token: impl Into<String>) {
        let credentials = self.0.credentials.lock();
        *credentials.unwrap_or_else(PoisonError::into_inner) = Credentials::Bearer(token.into());
    }

    /// Writes points, in as many requests as the limits ask for, one after the other. All are looked at
    /// first: if one can't be stored, nothing is sent.
    ///
    /// Integers are written as such and floats as doubles, also where they have no fraction. To the store the
    /// two are different types, and the integer 1 and the double 1.0 of the same time are two points. Tags
    /// that are no texts are written as texts. Texts of more than 256 bytes do not fit into the embedded H2
    /// store, which does not tell.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write(&self, points: &[Point]) -> Result<Queued, WriteError> {
        let common = &self.0.settings.format.tags;
        for (place, point) in points.iter().enumerate() {
            if let Err(why) = check(point, common) {
                return Err(self.unfit(Queued::default(), place, point, why));
            }
        }
        self.write_iter(points).await
    }

    /// Writes points that are made on the way. Where one can't be stored, those of its request and those
    /// behind it are not sent; requests before it are.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_iter<I>(&self, points: I) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        self.write_formatted(points, &self.0.settings.format).await
    }

    /// Writes points that the store forgets after so long, in whole seconds, rounded up.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_expiring<I>(&self, points: I, ttl: Duration) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        assert!(
            !ttl.is_zero(),
            "a `ttl` of zero means for ever to the store: call `write_iter`"
        );
        let format = Format {
            ttl: Some(ttl),
            ..self.0.settings.format.clone()
        };
        self.write_formatted(points, &format).await
    }

    async fn write_formatted<I>(&self, points: I, format: &Format) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        let mut queued = Queued::default();
        let mut encoder = Encoder::new(format);
        for (place, point) in points.into_iter().enumerate() {
            let mut pushed = encoder.push(point.borrow());
            if let Ok(false) = pushed {
                self.send_points(&mut encoder, &mut queued).await?;
                pushed = encoder.push(point.borrow());
            }
            if let Err(why) = pushed {
                return Err(self.unfit(queued, place, point.borrow(), why));
            }
        }
        if encoder.points() > 0 {
            self.send_points(&mut encoder, &mut queued).await?;
        }
        Ok(queued)
    }

    fn unfit(&self, queued: Queued, place: usize, point: &Point, why: Unfit) -> WriteError {
        WriteError {
            queued,
            uncertain: queued.points..queued.points,
            error: self.unfit_error(place, point, why),
        }
    }

    pub(super) fn unfit_error(&self, place: usize, point: &Point, why: Unfit) -> KairosError {
        let metric = point.metric().to_owned();
        let asked = asked(&Method::POST, &self.path(&self.0.settings.write_path));
        KairosError::new(asked, 0, Reason::Unfit { place, metric, why })
    }

    pub(super) fn format(&self) -> &Format {
        &self.0.settings.format
    }

    async fn send_points(
        &self,
        encoder: &mut Encoder<'_>,
        queued: &mut Queued,
    ) -> Result<(), WriteError> {
        let points = encoder.points();
        let body = encoder.take();
        let bytes = body.len();
        match self.send_body(body.into()).await {
            Ok(()) => {
                *queued += Queued {
                    points,
                    requests: 1,
                    bytes,
                };
                Ok(())
            }
            Err(error) => Err(WriteError {
                queued: *queued,
                uncertain: queued.points..queued.points + points,
                error,
            }),
        }
    }

    /// Writes what is JSON already, as the store understands it.
    ///
    /// # Errors
    /// See [`KairosError`]. With status 400 the store may have taken a part.
    pub async fn write_raw(&self, json: impl Into<Bytes>) -> Result<(), KairosError> {
        self.send_body(json.into()).await
    }

    async fn send_body(&self, body: Bytes) -> Result<(), KairosError> {
        let settings = &self.0.settings;
        let path = self.path(&settings.write_path);
        let mut headers = Vec::new();
        let packed = match settings.gzip {
            Gzip::Off => None,
            _ => zipped(&body),
        };
        let kind = match (&packed, settings.gzip) {
            (Some(_), Gzip::ContentType) => "application/gzip",
            _ => "application/json",
        };
        headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
        if packed.is_some() && settings.gzip == Gzip::ContentEncoding {
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        let payload = Excerpt::of(&body, settings.keep);
        let body = packed.map_or(body, Bytes::from);
        let repeat = settings.repeat_writes;
        self.ask(Method::POST, path, headers, Some((payload, body)), repeat)
            .await?;
        Ok(())
    }

    /// Asks for points.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn query(&self, query: &Query) -> Result<Answer, KairosError> {
        let path = self.path(&self.0.settings.query_path);
        self.answer(path, query).await
    }

    /// Asks for points by a query in JSON.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn query_raw(&self, json: impl Into<Bytes>) -> Result<Answer, KairosError> {
        let path = self.path(&self.0.settings.query_path);
        self.answer_raw(path, json.into()).await
    }

    /// Asks which tags and values the metrics of a query have in its stretch of time, without their points.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn query_tags(&self, query: &Query) -> Result<Answer, KairosError> {
        let path = self.path("datapoints/query/tags");
        self.answer(path, query).await
    }

    /// The names of all tags that the metrics of a query have in its stretch of time, sorted.
    ///
    /// KairosDB up to 1.2 had a call for the tags of all metrics and all times; 1.3 has none.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn tag_names(&self, query: &Query) -> Result<Vec<String>, KairosError> {
        let tags = self.all_tags(query).await?;
        Ok(tags.into_keys().collect())
    }

    /// The values of a tag that the metrics of a query have in its stretch of time, sorted.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn tag_values(&self, query: &Query, tag: &str) -> Result<Vec<String>, KairosError> {
        let mut tags = self.all_tags(query).await?;
        Ok(tags.remove(tag).unwrap_or_default().into_iter().collect())
    }

    async fn all_tags(
        &self,
        query: &Query,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, KairosError> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let answer = self.query_tags(query).await?;
        let results = answer.queries.into_iter().flat_map(|query| query.results);
        for (name, values) in results.flat_map(|result| result.tags) {
            all.entry(name).or_default().extend(values);
        }
        Ok(all)
    }

    /// Deletes the points that a query would find. Where it takes several attempts, points that were written in
    /// between go too.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn delete(&self, query: &Query) -> Result<(), KairosError> {
        let path = self.path("datapoints/delete");
        self.post_query(path, query).await?;
        Ok(())
    }

    /// Deletes a metric, with all its points. One that does not exist is none any more, either.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn delete_metric(&self, name: &str) -> Result<(), KairosError> {
        let path = self.below(["metric", name]);
        self.ask(Method::DELETE, path, Vec::new(), None, true)
            .await?;
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
        self.ask(Method::GET, path, Vec::new(), None, false).await?;
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
        self.get(self.below(["features", name])).await
    }

    /// The metrics of a query as a [`Store`](crate::timeseries::Store) that can be polled.
    #[must_use]
    pub fn store(&self, query: Query) -> KairosStore {
        KairosStore::new(self.clone(), query)
    }

    /// The last request that has ended, of all handles of this client; `None` before the first.
    ///
    /// All of them are events of [`tracing`] too, at level `debug`, in a span `kairosdb`.
    #[must_use]
    pub fn last_exchange(&self) -> Option<Exchange> {
        let last = self.0.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn path(&self, path: &str) -> Url {
        let mut url = self.0.base.clone();
        url.set_path(&format!("{}{path}", url.path()));
        url
    }

    fn below<const N: usize>(&self, segments: [&str; N]) -> Url {
        let mut url = self.0.base.clone();
        // URLs of HTTP can be a base.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn post_query(&self, path: Url, query: &Query) -> Result<Response, KairosError> {
        let json = query.to_json();
        if let Some(at) = null(&json, "query") {
            let why = format!("{at} is no number that JSON has, or none at all");
            let asked = asked(&Method::POST, &path);
            return Err(KairosError::new(asked, 0, Reason::BadQuery(why)));
        }
        self.post(path, json.to_string().into()).await
    }

    async fn post(&self, path: Url, body: Bytes) -> Result<Response, KairosError> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let payload = Excerpt::of(&body, self.0.settings.keep);
        self.ask(Method::POST, path, vec![json], Some((payload, body)), true)
            .await
    }

    async fn answer(&self, path: Url, query: &Query) -> Result<Answer, KairosError> {
        let asked = asked(&Method::POST, &path);
        let response = self.post_query(path, query).await?;
        read_answer(asked, response).await
    }

    async fn answer_raw(&self, path: Url, body: Bytes) -> Result<Answer, KairosError> {
        let asked = asked(&Method::POST, &path);
        let response = self.post(path, body).await?;
        read_answer(asked, response).await
    }

    async fn get<T: DeserializeOwned>(&self, path: Url) -> Result<T, KairosError> {
        let asked = asked(&Method::GET, &path);
        let response = self.ask(Method::GET, path, Vec::new(), None, true).await?;
        read(&asked, &response)
    }

    /// Sends a request, as often as it takes, and keeps what went over the wire.
    async fn ask(
        &self,
        method: Method,
        url: Url,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Option<(Excerpt, Bytes)>,
        repeat: bool,
    ) -> Result<Response, KairosError> {
        let asked = asked(&method, &url);
        let (payload, body) = body.unzip();
        let sent = body.as_ref().map_or(0, Bytes::len);
        let record = Record::new(&asked, payload.unwrap_or_default(), sent);
        let request = Request {
            method,
            url,
            headers,
            body,
            repeat,
            record: record.clone(),
        };
        let begin = Instant::now();
        let span = tracing::debug_span!("kairosdb", asked);
        let asking = self
            .0
            .asking
            .clone()
            .oneshot(request)
            .instrument(span.clone());
        let outcome = asking.await;
        let mut exchange = record.read();
        exchange.total = begin.elapsed();
        exchange.error = outcome.as_ref().err().map(Reason::to_string);
        let Exchange {
            attempts, status, ..
        } = exchange;
        span.in_scope(|| {
            tracing::debug!(
                attempts,
                status,
                sent_bytes = exchange.sent_bytes,
                answer_bytes = exchange.answer.len(),
                until_head = ?exchange.until_head,
                total = ?exchange.total,
                error = exchange.error,
                "exchanged"
            );
        });
        let last = self.0.last.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(exchange);
        outcome.map_err(|reason| KairosError::new(asked, attempts, reason))
    }
}

fn asked(method: &Method, url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{method} {}?{query}", url.path()),
        None => format!("{method} {}", url.path()),
    }
}

fn sorted(mut names: Names) -> Vec<String> {
    names.results.sort();
    names.results
}

fn read<T: DeserializeOwned>(asked: &str, response: &Response) -> Result<T, KairosError> {
    let body = &response.body;
    serde_json::from_slice(body).map_err(|error| {
        let reason = Reason::Undecodable {
            why: error.to_string(),
            body: shown(body),
        };
        KairosError::new(asked, response.attempts, reason)
    })
}

/// Large answers are read on a thread for what blocks: others want to run on this one.
async fn read_answer(asked: String, response: Response) -> Result<Answer, KairosError> {
    let (told, attempts) = (asked.clone(), response.attempts);
    let small = response.body.len() <= READ_AT_ONCE;
    let read = move || {
        let mut answer: Answer = read(&asked, &response)?;
        answer.server_time = response.server_time;
        Ok(answer)
    };
    if small {
        return read();
    }
    let ended = tokio::task::spawn_blocking(read).await;
    ended.unwrap_or_else(|error| {
        // The runtime is shutting down.
        let reason = Reason::Transport(Arc::new(error));
        Err(KairosError::new(told, attempts, reason))
    })
}

/// Where there is a null in a query: a float that JSON has no number for.
fn null(json: &serde_json::Value, at: &str) -> Option<String> {
    match json {
        serde_json::Value::Null => Some(at.to_owned()),
        serde_json::Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(n, item)| null(item, &format!("{at}[{n}]")))
        }
        serde_json::Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(name, field)| null(field, &format!("{at}.{name}")))
        }
        _ => None,
    }
}

impl fmt::Debug for KairosDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KairosDb")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
