//! A flow of points, written to the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::client::KairosDb;
use super::error::KairosError;
use super::pause::Pause;
use super::sift::Rejected;
use super::sink::can_retry;
use crate::prelude::*;
use crate::timeseries::Point;
use crate::{BoxError, Retry, again};

/// Writes a flow of points, in batches by count and age; made by [`KairosDb::point_sink`].
///
/// ```
/// use headwater::prelude::*;
/// use headwater::timeseries::Point;
/// use headwater::timeseries::kairosdb::{KairosDb, Query};
/// use std::time::Duration;
/// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/kairosdb/in_memory.rs")); }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let url = stand_in::kairosdb_in_memory()?;
/// let client = KairosDb::new(url)?; // "http://127.0.0.1:8080"
/// let graph = Graph::new();
/// let points = graph.source::<Point>();
/// let sink = client.point_sink().max_batch(100).max_age(Duration::from_millis(500));
/// sink.write(&points).sink(|rejected| eprintln!("{rejected}"));
/// let driver = graph.spawn();
/// for n in 0..250 {
///     points.send(Point::new("m", n, n).tagged([("host", "a")])).await?;
/// }
/// graph.shutdown().await?;
///
/// let answer = client.query(&Query::since(0).metric("m")).await?;
/// assert_eq!(answer.points().count(), 250);
/// # drop(driver);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it is given a flow"]
pub struct PointSink {
    client: KairosDb,
    max_batch: usize,
    max_age: Duration,
    retry: Retry,
}

impl KairosDb {
    /// What writes a flow of points.
    pub fn point_sink(&self) -> PointSink {
        PointSink {
            client: self.clone(),
            max_batch: 1_000,
            max_age: Duration::from_secs(1),
            retry: again::for_ever(),
        }
    }
}

impl PointSink {
    /// How many points go into a batch, at most; 1 000 by default.
    ///
    /// # Panics
    /// If it is 0, when it is given a flow.
    pub fn max_batch(self, points: usize) -> PointSink {
        PointSink {
            max_batch: points,
            ..self
        }
    }

    /// How long a point waits at most for others to be written with; 1 second by default.
    ///
    /// # Panics
    /// If it is zero, when it is given a flow.
    pub fn max_age(self, age: Duration) -> PointSink {
        PointSink {
            max_age: age,
            ..self
        }
    }

    /// How often a batch is tried, beyond the [attempts](super::KairosDbBuilder::attempts) of the client, where
    /// that can help. By default for as long as it takes, after a tenth of a second at most, and then after
    /// twice as long each time, up to 30 seconds; each delay is shortened by chance, down to the half. A store that
    /// asks to be left alone (`Retry-After`) is obeyed where that is longer, for 60 seconds at most. A
    /// [`when`](Retry::when) of yours is asked first, and can only make attempts fewer.
    pub fn retry(self, retry: Retry) -> PointSink {
        PointSink { retry, ..self }
    }

    /// Writes a flow, and gives the points that the store will never take.
    ///
    /// - **Emits** each point that is rejected, with the reason ([`KairosDb::write_sifted`] says how these are
    ///   found). A batch that is given up is a failure, for a [`catch`](crate::Flow::catch), which has its points:
    ///   an `Arc<Vec<Point>>` is its [element](crate::Failure::element).
    /// - **Holds** up to two batches: one under way, one that gathers. Behind them pressure builds up.
    /// - **Waits** for the store: batches go one after another, and so all points arrive in their order. A batch
    ///   that failed half-way is sent again from its beginning.
    /// - **On close** writes what it holds.
    /// - **Drops** nothing. A point is done with, for [lineage](crate::guide::lineage), when the store has queued
    ///   or rejected it; what is sent again after a failure may arrive twice, and then replaces itself.
    /// - **Panics** outside of a tokio runtime: requests run there, whatever drives the graph.
    #[track_caller]
    pub fn write<F: Flow<Item = Point>>(self, points: F) -> impl Run<Item = Rejected> {
        let (client, runtime) = (self.client, Handle::current());
        let pause = Arc::new(Pause::default());
        points
            .partition(self.max_batch)
            .max_age(self.max_age)
            .map(Arc::new)
            .try_map_async(1, move |points: Arc<Vec<Point>>| {
                let (client, pause) = (client.clone(), pause.clone());
                // Aborted with its set if nobody waits for it any more.
                let mut attempt = JoinSet::new();
                attempt.spawn_on(
                    async move { written(&client, &pause, &points).await },
                    &runtime,
                );
                async move {
                    match attempt.join_next().await {
                        Some(ended) => ended?.map_err(BoxError::from),
                        None => Ok(Vec::new()),
                    }
                }
            })
            .retry(self.retry.when(|error| {
                let error = error.downcast_ref::<KairosError>();
                error.is_some_and(can_retry)
            }))
            .named("kairosdb")
            .flatten()
    }
}

/// Writes a batch, down to what will never be taken.
async fn written(
    client: &KairosDb,
    pause: &Pause,
    points: &[Point],
) -> Result<Vec<Rejected>, KairosError> {
    pause.over().await;
    let sifted = client.write_sifted(points).await;
    pause.heard(sifted.stopped.as_ref());
    match sifted.stopped {
        None => Ok(sifted.rejected),
        Some(error) => {
            tracing::warn!(%error, "a batch of points was not written");
            Err(error)
        }
    }
}
