//! `Gauge`: a quantity that goes up and down.

use std::sync::Arc;

use super::handle::Handle;
use super::level::Level;
use super::tags::Tags;

/// A quantity that goes up and down, and that many threads may change: requests under way, entries of a
/// cache, a temperature. All gauges of one metric and one set of tags are the same quantity, which starts
/// at 0.
///
/// Each change sends what the quantity is then. An aggregator `Last` comes to what the quantity is at the
/// end of the window or batch, and not to the value that happened to come last: values of several threads
/// arrive in no particular order. Nothing is emitted for a window in which nothing changed. What is sent
/// by a [`Handle`] of the same series does not move the quantity.
///
/// As long as there is a `Gauge` the quantity is known; it is forgotten with its series.
///
/// ```
/// use headwater::metrics::{Metric, MetricsPipeline};
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = MetricsPipeline::builder()
///     .metric(Metric::new("under way").agg("now", Last).window(Duration::from_secs(10)))
///     .spawn()?;
/// let elements = metrics.elements().map(|e| e.to_string()).sink_to_list();
/// let under_way = metrics.gauge("under way", ())?;
/// let workers: Vec<_> = (0..4)
///     .map(|_| {
///         let under_way = under_way.clone();
///         std::thread::spawn(move || {
///             under_way.add(2.0);
///             under_way.sub(1.0);
///         })
///     })
///     .collect();
/// for worker in workers {
///     worker.join().unwrap();
/// }
/// metrics.shutdown().await?;
/// assert_eq!(elements.take(), ["under way.now 4.0"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gauge {
    handle: Handle,
    level: Arc<Level>,
}

impl Gauge {
    pub(super) fn new(handle: Handle) -> Gauge {
        let level = handle.entry().level().clone();
        Gauge { handle, level }
    }

    /// It is this much now.
    pub fn set(&self, value: f64) {
        self.level.set(value);
        self.handle.send(value);
    }

    /// It is so much more than it was.
    #[doc(alias = "increment")]
    pub fn add(&self, more: f64) {
        self.handle.send(self.level.add(more));
    }

    /// It is so much less than it was.
    #[doc(alias = "decrement")]
    pub fn sub(&self, less: f64) {
        self.add(-less);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.level.get()
    }

    /// The tags of its series.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        self.handle.tags()
    }
}
