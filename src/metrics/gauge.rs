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
/// arrive in no particular order. What is sent by a [`Handle`] of the same series does not move the quantity.
///
/// As long as there is a `Gauge` the quantity is known, and part of each window, from the first change on:
/// a window begins with what it is then, as if that were sent, though it is not counted as a value that came.
/// So a gauge that does not change is emitted all the same and does not go [stale](super::PrometheusSink),
/// and where it fell from 5 to 1 `Max` comes to 5. When nobody holds it any more nothing more is emitted,
/// and it is forgotten with its series. In a metric of batches, which have no beginning, nothing is added.
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

    /// It is so much more until what is returned is dropped, be it by a panic or as a future is given up
    /// half-way: requests under way, tasks at work, connections that are open.
    ///
    /// ```
    /// use headwater::metrics::{Metric, MetricsPipeline};
    /// use headwater::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let metrics = MetricsPipeline::builder()
    ///     .metric(Metric::new("under way").agg("now", Last).agg("max", Max).batch(100))
    ///     .spawn()?;
    /// let under_way = metrics.gauge("under way", ())?;
    /// {
    ///     let _held = under_way.hold(1.0);
    ///     assert_eq!(under_way.get(), 1.0);
    /// }
    /// assert_eq!(under_way.get(), 0.0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "guard")]
    pub fn hold(&self, more: f64) -> Held {
        self.add(more);
        Held {
            gauge: self.clone(),
            more,
        }
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

/// A [gauge](Gauge::hold) is so much more until this is dropped.
#[derive(Debug)]
#[must_use = "what is dropped at once has held nothing: give it a name, as `let _held`"]
pub struct Held {
    gauge: Gauge,
    more: f64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.sub(self.more);
    }
}
