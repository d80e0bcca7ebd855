//! The points that polls bring, as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use smallvec::{SmallVec, smallvec};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::control::PollControl;
use super::shared::Shared;
#[cfg(feature = "tables")]
use super::tables::TableStream;
use crate::timeseries::Point;
#[cfg(feature = "tables")]
use crate::timeseries::TableSchema;
use crate::{FromAckedStream, Graph, Outcome, Time};

/// A point that a poll has brought.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Polled {
    point: Point,
    late: bool,
}

impl Polled {
    pub(super) fn new(point: Point, late: bool) -> Polled {
        Polled { point, late }
    }

    /// The point.
    #[must_use]
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// The point itself.
    #[must_use]
    pub fn into_point(self) -> Point {
        self.point
    }

    /// The point's time, for a [clock led by the data](crate::FromStream::lead_clock).
    #[must_use]
    pub fn time(&self) -> Time {
        self.point.time()
    }

    /// Whether a later point of its series went before it.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.late
    }
}

impl From<Polled> for Point {
    fn from(polled: Polled) -> Point {
        polled.point
    }
}

pub(super) type Batch = Vec<(u64, Polled)>;

/// Each point of a store once, as polls bring it: from [`Polling::start`](super::Polling::start).
///
/// Its task polls at a fixed rate, one request at a time, and hands over what is new answer by answer. While nobody
/// asks for points, one answer waits, and there is no further poll; what comes in the meantime is asked for
/// later. Dropping the stream ends the task. It ends by itself after [`PollControl::stop`], with its runtime,
/// or after a fatal error if [so wished](super::Polling::end_on_fatal); a store that does not answer does not end
/// it, see [`PollControl::state`].
///
/// A point is acknowledged when the next one is asked for. Where that is too early, as points are worked on
/// elsewhere, [`acked`](MetricsStream::acked) leaves it to the user, and [`flow`](MetricsStream::flow) to a graph.
///
/// # Panics
/// `poll_next` does if the store has: what it panicked with goes on there.
#[must_use = "dropping the stream ends the polling"]
#[derive(Debug)]
pub struct MetricsStream {
    inner: Handed,
}

/// As a [`MetricsStream`], with an [`Ack`] beside each point.
#[must_use = "dropping the stream ends the polling"]
#[derive(Debug)]
pub struct AckedMetricsStream {
    inner: Handed,
}

/// What the task hands over.
#[derive(Debug)]
pub(super) struct Handed {
    task: Option<JoinHandle<()>>,
    batches: mpsc::Receiver<Batch>,
    batch: std::vec::IntoIter<(u64, Polled)>,
    /// What is acknowledged when more is asked for, by whichever kind of stream.
    pub(super) last: SmallVec<[u64; 1]>,
    pub(super) shared: Arc<Shared>,
}

impl Handed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(u64, Polled)>> {
        Poll::Ready(match ready!(self.poll_batch(cx)) {
            true => self.batch.next(),
            false => None,
        })
    }

    /// All that is left of the answer that was handed over last, or else the next one.
    #[cfg(feature = "tables")]
    pub(super) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        Poll::Ready(match ready!(self.poll_batch(cx)) {
            true => Some(self.batch.by_ref().collect()),
            false => None,
        })
    }

    /// Waits until there is a point in the batch; says whether there will be one.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.last.is_empty() {
            self.shared.pending().close(&self.last);
            self.last = SmallVec::new();
        }
        loop {
            if !self.batch.as_slice().is_empty() {
                return Poll::Ready(true);
            }
            // Its room is not kept until the next one comes.
            self.batch = Vec::new().into_iter();
            match ready!(self.batches.poll_recv(cx)) {
                Some(batch) => self.batch = batch.into_iter(),
                None => break,
            }
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(false);
        };
        let ended = ready!(Pin::new(task).poll(cx));
        self.task = None;
        match ended {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => Poll::Ready(false),
        }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl MetricsStream {
    pub(super) fn new(
        task: JoinHandle<()>,
        batches: mpsc::Receiver<Batch>,
        shared: Arc<Shared>,
    ) -> MetricsStream {
        let inner = Handed {
            task: Some(task),
            batches,
            batch: Vec::new().into_iter(),
            last: SmallVec::new(),
            shared,
        };
        MetricsStream { inner }
    }

    /// A handle to look at it and to change it.
    #[must_use]
    pub fn control(&self) -> PollControl {
        PollControl::new(self.inner.shared.clone())
    }

    /// The same points, each with a handle to acknowledge it. One that was taken before is acknowledged when the
    /// next one is asked for, as ever.
    pub fn acked(self) -> AckedMetricsStream {
        AckedMetricsStream { inner: self.inner }
    }

    /// The points as tables of these columns: one for each answer that brought something.
    #[cfg(feature = "tables")]
    pub fn tables(self, schema: TableSchema) -> TableStream {
        TableStream::new(self.inner, schema)
    }

    /// A flow of the points into a graph, which acknowledges each one as soon as all that was made of
    /// it has arrived. What was lost on the way is [not acknowledged](Ack::settle), and comes again
    /// after a restart from the cursor.
    ///
    /// Until then all that is newer than what was lost is remembered; when that reaches
    /// [`max_points`](super::Polling::max_points), polls fail and [the state](super::PollState) says
    /// so. Where single points may be lost for good, use
    /// `graph.from_acked_stream(stream.acked(), ..)` and [give them up](Ack::give_up), which is counted.
    ///
    /// The clock of the graph follows the points' times with
    /// [`lead_clock`](FromAckedStream::lead_clock).
    #[track_caller]
    pub fn flow(self, graph: &Graph) -> FromAckedStream<AckedMetricsStream, fn(Ack, Outcome)> {
        graph.from_acked_stream(self.acked(), Ack::settle)
    }
}

impl AckedMetricsStream {
    /// A handle to look at it and to change it.
    #[must_use]
    pub fn control(&self) -> PollControl {
        PollControl::new(self.inner.shared.clone())
    }
}

impl Stream for MetricsStream {
    type Item = Polled;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Polled>> {
        let next = ready!(self.inner.poll(cx));
        Poll::Ready(next.map(|(id, polled)| {
            self.inner.last.push(id);
            polled
        }))
    }
}

impl Stream for AckedMetricsStream {
    type Item = (Polled, Ack);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(Polled, Ack)>> {
        let next = ready!(self.inner.poll(cx));
        Poll::Ready(next.map(|(id, polled)| {
            let shared = self.inner.shared.clone();
            (polled, Ack::new(smallvec![id], shared))
        }))
    }
}

/// What acknowledges a point, or all points of a table, so that the [cursor](super::Cursor) can move past it.
///
/// Dropped without a word, the point stays unacknowledged: it comes again after a restart from the
/// cursor, and until then all that is newer is remembered, up to
/// [`max_points`](super::Polling::max_points).
#[derive(Debug)]
pub struct Ack {
    ids: SmallVec<[u64; 1]>,
    shared: Arc<Shared>,
}

impl Ack {
    pub(super) fn new(ids: SmallVec<[u64; 1]>, shared: Arc<Shared>) -> Ack {
        Ack { ids, shared }
    }

    /// The numbers of its points.
    #[cfg(feature = "tables")]
    pub(super) fn into_ids(self) -> SmallVec<[u64; 1]> {
        self.ids
    }

    /// The point is done with.
    pub fn acknowledge(self) {
        self.shared.pending().close(&self.ids);
    }

    /// The point is lost, and is not wanted again: that is counted.
    pub fn give_up(self) {
        let lost = self.ids.len() as u64;
        self.shared.count(|stats| stats.given_up += lost);
        self.acknowledge();
    }

    /// Acknowledges the point if all went well, and leaves it unacknowledged if not: for
    /// [`Graph::from_acked_stream`].
    pub fn settle(self, outcome: Outcome) {
        if outcome.is_ok() {
            self.acknowledge();
        }
    }
}
