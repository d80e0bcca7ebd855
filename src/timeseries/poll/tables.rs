//! The points that polls bring, as a stream of tables.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use arrow_schema::SchemaRef;
use futures_core::Stream;

use super::control::PollControl;
use super::stream::{Ack, Handed};
use crate::timeseries::{TableSchema, Tabled};
use crate::{FromAckedStream, Graph, Outcome};

/// The points of a [`MetricsStream`](super::MetricsStream) as tables, from
/// [`tables`](super::MetricsStream::tables).
///
/// A table has what one answer of the store brought that was not there before, in the order of time; so there is one
/// a poll that brought something, and several where a longer stretch of time is asked for in chunks, or points
/// [settle](super::Order::Settled) at its end. As each point comes once, a value that was stored late comes in a
/// row of its own, with gaps beside it, in a table after the one that had the other values of that time.
///
/// All tables have the [schema](TableStream::schema) that was given. Points without a place in it come
/// [beside the table](Tabled::unplaced), and are [counted](super::PollStats::unplaced): a table may have no
/// rows, if nothing else came.
///
/// A table is acknowledged, with all its points and those beside it, when the next one is asked for;
/// [`acked`](TableStream::acked) and [`flow`](TableStream::flow) are as those of the points.
///
/// # Panics
/// `poll_next` does if the store has: what it panicked with goes on there.
///
/// ```
/// use futures::StreamExt;
/// use headwater::timeseries::{Column, Fetched, Point, Polling, Range, Store, StoreError, TableSchema};
/// use std::time::Duration;
///
/// /// Two figures a second.
/// struct Engine;
///
/// impl Store for Engine {
///     async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
///         let seconds = (range.from + 999).div_euclid(1000)..=range.to.div_euclid(1000);
///         Ok(Fetched::new(seconds.flat_map(|second| {
///             let point = |metric: &str, value: f64| Point::new(metric, second * 1000, value);
///             [point("speed", 1_500.0), point("torque", 80.5)]
///         })))
///     }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
/// # runtime.block_on(async {
/// let points = Polling::new(Engine).buffer(Duration::from_secs(60)).start()?;
/// let mut tables = points.tables(TableSchema::new(["torque", "speed"]));
/// assert_eq!(tables.schema().fields().len(), 3); // known before the first data
/// let first = tables.next().await.unwrap();
/// assert!(first.table.len() >= 60 && first.table.drop_gaps() == first.table);
/// assert!(first.unplaced.is_empty());
/// # Ok::<(), headwater::BoxError>(())
/// # })?;
/// # Ok::<(), headwater::BoxError>(())
/// ```
#[must_use = "dropping the stream ends the polling"]
#[derive(Debug)]
pub struct TableStream {
    inner: AckedTableStream,
}

/// As a [`TableStream`], with an [`Ack`] beside each table, which stands for all its points and those beside it.
#[must_use = "dropping the stream ends the polling"]
#[derive(Debug)]
pub struct AckedTableStream {
    inner: Handed,
    schema: TableSchema,
}

impl TableStream {
    pub(super) fn new(inner: Handed, schema: TableSchema) -> TableStream {
        let inner = AckedTableStream { inner, schema };
        TableStream { inner }
    }

    /// The Arrow schema that all tables have.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.inner.schema()
    }

    /// A handle to look at it and to change it.
    #[must_use]
    pub fn control(&self) -> PollControl {
        self.inner.control()
    }

    /// The same tables, each with a handle to acknowledge it. One that was taken before is acknowledged when the
    /// next one is asked for, as ever.
    pub fn acked(self) -> AckedTableStream {
        self.inner
    }

    /// A flow of the tables into a graph, which acknowledges each one as soon as all that was made of it
    /// has arrived. What was lost on the way is [not acknowledged](Ack::settle), and its points come
    /// again after a restart from the cursor.
    #[track_caller]
    pub fn flow(self, graph: &Graph) -> FromAckedStream<AckedTableStream, fn(Ack, Outcome)> {
        graph.from_acked_stream(self.acked(), Ack::settle)
    }
}

impl AckedTableStream {
    /// The Arrow schema that all tables have.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.schema.arrow()
    }

    /// A handle to look at it and to change it.
    #[must_use]
    pub fn control(&self) -> PollControl {
        PollControl::new(self.inner.shared.clone())
    }
}

impl Stream for TableStream {
    type Item = Tabled;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Tabled>> {
        let next = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(next.map(|(tabled, ack)| {
            self.inner.inner.last = ack.into_ids();
            tabled
        }))
    }
}

impl Stream for AckedTableStream {
    type Item = (Tabled, Ack);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(Tabled, Ack)>> {
        let Some(batch) = ready!(self.inner.poll_all(cx)) else {
            return Poll::Ready(None);
        };
        let ids = batch.iter().map(|(id, _)| *id).collect();
        let points = batch.into_iter().map(|(_, polled)| polled.into_point());
        let tabled = self.schema.table(points);
        let shared = &self.inner.shared;
        shared.count(|stats| stats.unplaced += tabled.unplaced.len() as u64);
        Poll::Ready(Some((tabled, Ack::new(ids, shared.clone()))))
    }
}
