//! The sink of the metrics pipeline.

use std::error::Error;
use std::fmt;

use super::client::KairosDb;
use super::error::KairosError;
use super::pause::Pause;
use super::sift::{Rejected, Sifted};
use crate::metrics::{AsTag, Delivery, Element, MetricSink, SinkError, Tags};
use crate::remote::host_tag;
use crate::timeseries::Point;

/// Delivers the elements of a metrics pipeline to KairosDB.
///
/// ```
/// use headwater::metrics::{Metric, MetricsPipeline};
/// use headwater::prelude::*;
/// use headwater::timeseries::kairosdb::{KairosDb, KairosDbSink, Query};
/// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/kairosdb/in_memory.rs")); }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let url = stand_in::kairosdb_in_memory()?;
/// let client = KairosDb::new(url)?; // "http://127.0.0.1:8080"
/// let sink = KairosDbSink::new(client.clone()).on_reject(|rejected| eprintln!("{rejected}"));
/// let metrics = MetricsPipeline::builder()
///     .metric(Metric::new("requests").agg("sum", Sum).batch(3))
///     .sink(sink)
///     .spawn()?;
/// for count in [1, 2, 3] {
///     metrics.send_tagged("requests", count, [("route", "/home")])?;
/// }
/// metrics.shutdown().await?;
///
/// let answer = client.query(&Query::since(0).metric("requests.sum")).await?;
/// let sums: Vec<_> = answer.points().filter_map(|point| point.number()).collect();
/// assert_eq!(sums, [6.into()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Delivery: at least once
///
/// Elements are delivered when the store has answered that they are **queued**. Where no answer comes, they are
/// sent again; a point that arrives twice replaces itself. Batches go one after another, and so the elements of
/// a metric arrive in their order.
///
/// The client's own [attempts](super::KairosDbBuilder::attempts) are all part of one delivery; then the
/// pipeline tries again, as its [options](crate::metrics::SinkOptions) say.
///
/// | answer | what it means |
/// | --- | --- |
/// | 2xx | queued |
/// | 400, 413, 422 | the batch is sent in halves, down to what the store will not take, which is rejected ([`KairosDb::write_sifted`]) |
/// | 401, 403, 407, 408, 425, 429, 500, 502, 503, 504, none at all | to be tried again, not before `Retry-After` (60 seconds at most) |
/// | any other | it will never be taken: the rest of the batch is dropped, and the error says so |
///
/// # What is rejected
///
/// Elements with empty names or values of tags, and with infinities or NaN; and what the store refuses. They are
/// counted, logged at level `debug`, and handed to [`on_reject`](KairosDbSink::on_reject).
///
/// # What is sent
///
/// Elements without a tag get [one](KairosDbSink::default_tag), as KairosDB asks for. Values of tags that are no
/// texts become texts. Times are cut to milliseconds.
#[must_use = "a sink does nothing until it is given to a pipeline"]
pub struct KairosDbSink {
    client: KairosDb,
    max_batch: usize,
    default_tags: Tags,
    told: Option<Told>,
    pause: Pause,
}

type Told = Box<dyn FnMut(&Rejected) + Send>;

impl KairosDbSink {
    /// A sink that writes by this client.
    pub fn new(client: KairosDb) -> KairosDbSink {
        KairosDbSink {
            client,
            max_batch: 1_000,
            default_tags: [host_tag()].into(),
            told: None,
            pause: Pause::default(),
        }
    }

    /// How many elements go into a batch, at most: 1 000 by default.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn max_batch(mut self, elements: usize) -> KairosDbSink {
        assert!(
            elements > 0,
            "a batch of 0 elements delivers nothing: let it be 1 at least"
        );
        self.max_batch = elements;
        self
    }

    /// The tag of elements that have none, as KairosDB asks for one at least; `host` and the name of this
    /// machine by default. Where the client has tags for all points, this is not needed and not added.
    pub fn default_tag(mut self, name: impl AsRef<str>, value: impl AsTag) -> KairosDbSink {
        self.default_tags = Tags::new().with(name, value);
        self
    }

    /// Is told of each element that is rejected.
    pub fn on_reject(mut self, told: impl FnMut(&Rejected) + Send + 'static) -> KairosDbSink {
        self.told = Some(Box::new(told));
        self
    }
}

/// Whether another attempt can help: credentials may be mended while the program runs.
pub(super) fn can_retry(error: &KairosError) -> bool {
    error.can_retry() || matches!(error.status(), Some(401 | 403 | 407))
}

impl MetricSink for KairosDbSink {
    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        self.pause.over().await;
        let untagged = self.client.format().tags.is_empty();
        let point = |element: &Element| match untagged && element.tags().is_empty() {
            true => Point::from(element).tagged(&self.default_tags),
            false => Point::from(element),
        };
        let points: Vec<Point> = batch.iter().map(point).collect();
        let Sifted {
            rejected,
            done,
            stopped,
            ..
        } = self.client.write_sifted(&points).await;
        self.pause.heard(stopped.as_ref());
        if let Some(told) = &mut self.told {
            rejected.iter().for_each(told);
        }
        let error = match stopped {
            None if rejected.is_empty() => return Ok(()),
            None => SinkError::fatal(RejectedOf {
                rejected: rejected.len(),
                batch: batch.len(),
                first: rejected[0].to_string(),
            }),
            Some(error) => match can_retry(&error) {
                true => SinkError::retry(error),
                false => SinkError::fatal(error),
            },
        };
        Err(error.done(done).rejected(rejected.len()))
    }
}

impl fmt::Debug for KairosDbSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KairosDbSink")
            .field("client", &self.client)
            .field("max_batch", &self.max_batch)
            .finish_non_exhaustive()
    }
}

/// Some elements were rejected.
#[derive(Debug)]
struct RejectedOf {
    rejected: usize,
    batch: usize,
    first: String,
}

impl fmt::Display for RejectedOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RejectedOf {
            rejected,
            batch,
            first,
        } = self;
        write!(
            f,
            "{rejected} of {batch} points were rejected, the first one: {first}"
        )
    }
}

impl Error for RejectedOf {}
