//! The sink that speaks HTTP.

use std::time::Duration;

use reqwest::{Client, Url, redirect};
use tokio::time::Instant;

use super::Resolution;
use super::asking::{Answers, UrlError};
use super::chunks::Encoded;
use super::names::Sanitize;
use super::point::Format;
use super::post::Post;
use super::rejects::Rejects;
use crate::metrics::{Delivery, Element, MetricSink, SinkError};
use crate::remote::shown_url;

/// Delivers elements by OpenTSDB's HTTP protocol: JSON posted to `/api/put`.
///
/// OpenTSDB and VictoriaMetrics read it, among others.
///
/// ```
/// use headwater::metrics::{Element, MetricSink, OpenTsdbHttpSink};
/// use std::time::{Duration, SystemTime};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // A receiver that answers one request, and returns what it was sent.
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let receiver = tokio::spawn(async move {
///     let (mut stream, _) = listener.accept().await?;
///     let mut request = String::new();
///     while !request.ends_with("]") {
///         let mut piece = [0; 1024];
///         let count = stream.read(&mut piece).await?;
///         request.push_str(&String::from_utf8_lossy(&piece[..count]));
///     }
///     stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
///     std::io::Result::Ok(request)
/// });
///
/// let mut sink = OpenTsdbHttpSink::new(format!("http://{address}"))?;
/// let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
/// let element = Element::new("requests.sum", 3).tagged([("route", "/home")]).at(time);
/// sink.deliver(&[element]).await?;
///
/// let request = receiver.await??;
/// assert!(request.starts_with("POST /api/put?details HTTP/1.1\r\n"));
/// assert!(request.ends_with(
///     r#"[{"metric":"requests.sum","timestamp":1700000000123,"value":3,"tags":{"route":"/home"}}]"#
/// ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Delivery: at least once
///
/// Points are delivered when the receiver has answered that it took them. Where no answer comes, they are
/// sent again, and may then arrive twice: most receivers keep one point a time and series, and don't mind.
/// What was answered is not sent again.
///
/// # Requests
///
/// A request has at most 50 points and 8 192 bytes by default. That is what OpenTSDB's documentation
/// suggests, and what it reads without `tsd.http.request.enable_chunked`;
/// VictoriaMetrics takes thousands ([`max_points`](OpenTsdbHttpSink::max_points),
/// [`max_bytes`](OpenTsdbHttpSink::max_bytes)). A batch is as many requests, one after the other.
///
/// | answer | what it means |
/// | --- | --- |
/// | 2xx | taken, but for the points that the body calls wrong |
/// | 400 with a report of `details` or `summary` | the same |
/// | any other 400 | nothing was taken: the points are sent in halves, down to the bad ones, which are rejected; after 64 requests more for one batch, a part that is refused is rejected as it is |
/// | 413, and OpenTSDB's 400 for want of `enable_chunked` | too large: sent in halves, and requests stay smaller from then on |
/// | 408, 425, 429, 5xx, none at all | to be tried again, not before the seconds of `Retry-After` (60 at most) |
/// | 3xx, any other 4xx | it will never be taken: the rest of the batch is dropped, and the error says so |
///
/// Points are rejected for the reasons that [`OpenTsdbSink`](super::OpenTsdbSink) names (a line's length is
/// none), and for those the receiver gives. Each is counted, and logged at level `debug`; the batch's first is
/// named in the error, with its metric and the reason, which the pipeline warns of once. Where the receiver says
/// of a point that its storage failed, or was too slow, that point and those after it are tried again.
///
/// # What is sent
///
/// As with [`OpenTsdbSink`](super::OpenTsdbSink), with two other defaults: letters of all scripts stay as
/// they are, since JSON is UTF-8, and times are in milliseconds.
///
/// # TLS
///
/// This crate brings none along. A program that depends on `reqwest` 0.13 with its feature `rustls` or
/// `native-tls` can use `https://` here; without, every delivery fails with an error that says so.
#[derive(Debug)]
#[must_use = "a sink does nothing until it is given to a pipeline"]
pub struct OpenTsdbHttpSink {
    pub(super) post: Post,
    pub(super) format: Format,
    pub(super) max_points: usize,
    pub(super) max_bytes: usize,
    pub(super) max_batch: usize,
    /// The receiver asked not to be asked before.
    pub(super) not_before: Option<Instant>,
}

impl OpenTsdbHttpSink {
    /// A sink for the receiver at this URL, such as `http://127.0.0.1:4242`. `/api/put` is added unless
    /// the path ends with it. What the URL's query says is sent with each request: `?extra_label=job=web`
    /// labels all points for VictoriaMetrics, for example. Its values, and a password, are not shown and not
    /// logged.
    ///
    /// # Errors
    /// If it is no URL of HTTP.
    pub fn new(url: impl AsRef<str>) -> Result<OpenTsdbHttpSink, UrlError> {
        let wrong = |why: String| UrlError {
            url: shown_url(url.as_ref()),
            why,
        };
        let mut parsed = Url::parse(url.as_ref()).map_err(|error| wrong(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(wrong(format!("its scheme is {:?}", parsed.scheme())));
        }
        let path = parsed.path().trim_end_matches('/').to_owned();
        if !path.ends_with("/api/put") {
            parsed.set_path(&format!("{path}/api/put"));
        }
        Answers::Details.ask(&mut parsed);
        // A POST that is redirected becomes a GET, and the points are gone.
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(OpenTsdbHttpSink {
            post: Post {
                client,
                url: parsed,
                gzip: false,
                timeout: Duration::from_secs(30),
            },
            format: Format::new(Sanitize::escape(), Resolution::Milliseconds),
            max_points: 50,
            max_bytes: 8192,
            max_batch: 512,
            not_before: None,
        })
    }

    /// How exactly times are written; milliseconds by default.
    pub fn resolution(mut self, resolution: Resolution) -> OpenTsdbHttpSink {
        self.format.resolution = resolution;
        self
    }

    /// What is done with characters that OpenTSDB does not take; escaped by default.
    pub fn sanitize(mut self, sanitize: Sanitize) -> OpenTsdbHttpSink {
        self.format.sanitize = sanitize;
        self
    }

    /// The tag of elements that have none; `host` and the name of this machine by default.
    pub fn default_tag(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> OpenTsdbHttpSink {
        self.format.default_tag = (name.into(), value.into());
        self
    }

    /// How many points a request has, at most; 50 by default.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn max_points(mut self, points: usize) -> OpenTsdbHttpSink {
        assert!(
            points > 0,
            "a request of 0 points delivers nothing: let it be 1 at least"
        );
        self.max_points = points;
        self
    }

    /// How many bytes a request's body has, at most, before it is compressed; 8 192 by default. A point
    /// that is larger goes alone.
    pub fn max_bytes(mut self, bytes: usize) -> OpenTsdbHttpSink {
        self.max_bytes = bytes;
        self
    }

    /// How many elements go into a batch, at most: 512 by default. With one batch under way, others wait.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn max_batch(mut self, elements: usize) -> OpenTsdbHttpSink {
        assert!(
            elements > 0,
            "a batch of 0 elements delivers nothing: let it be 1 at least"
        );
        self.max_batch = elements;
        self
    }

    /// Whether bodies are compressed; they are not by default.
    pub fn gzip(mut self, gzip: bool) -> OpenTsdbHttpSink {
        self.post.gzip = gzip;
        self
    }

    /// What the receiver is asked to answer; [`Answers::Details`] by default. Receivers that don't know
    /// the question answer as if they had not been asked.
    pub fn answers(mut self, answers: Answers) -> OpenTsdbHttpSink {
        answers.ask(&mut self.post.url);
        self
    }

    /// How long a request may take, its answer included; 30 seconds by default.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> OpenTsdbHttpSink {
        assert!(
            !timeout.is_zero(),
            "no request is answered in no time: give it a longer one"
        );
        self.post.timeout = timeout;
        self
    }

    /// The client that sends requests, where it needs more than the default one has: certificates,
    /// headers with credentials, a proxy. It should not follow redirects.
    pub fn client(mut self, client: Client) -> OpenTsdbHttpSink {
        self.post.client = client;
        self
    }
}

impl MetricSink for OpenTsdbHttpSink {
    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        if let Some(time) = self.not_before {
            tokio::time::sleep_until(time).await;
            self.not_before = None;
        }
        let mut rejects = Rejects::default();
        let points = Encoded::new(batch, &self.format, &mut rejects);
        self.deliver_all(&points, &mut rejects, batch).await
    }
}
