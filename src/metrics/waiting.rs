//! Sending that waits for room: for programs whose every value counts, and that have the time.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::error::SendError;
use super::handle::Handle;
use super::sample::Sample;
use super::value::Value;
use crate::GraphError;

impl Handle {
    /// Sends a value, and where the pipeline does not keep up waits until there is room for it.
    ///
    /// It returns at once as long as there is room, and lets other tasks run when there is none. A value
    /// whose future is dropped before it is ready was not sent. So that sinks don't drop either what comes
    /// too fast for them, give them [`OnFull::Wait`](crate::OnFull::Wait).
    ///
    /// ```
    /// use headwater::metrics::{Metric, MetricsPipeline};
    /// use headwater::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let metrics = MetricsPipeline::builder()
    ///     .metric(Metric::new("words").agg("sum", Sum).batch(1_000))
    ///     .spawn()?;
    /// let words = metrics.handle("words", ())?;
    /// for _ in 0..100_000 {
    ///     words.send_async(1).await?;
    /// }
    /// let report = metrics.shutdown().await?;
    /// assert_eq!((report.metric("words").unwrap().values, report.overflow), (100_000, 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`] after the shutdown, [`SendError::Undriven`] if the runtime that drove the
    /// pipeline has gone. [`SendError::Full`] only where waiting would never end: in a closure of the
    /// pipeline's own graph, such as an aggregator.
    pub async fn send_async(&self, value: impl Into<Value>) -> Result<(), SendError> {
        let sample = self.sample_now(value.into());
        let mut refused = match self.put(sample) {
            Err(SendError::Full(_)) => self.put_after_a_visit(sample),
            done => return done,
        };
        while let Err(SendError::Full(value)) = refused {
            // The sinks may be served by this very thread.
            tokio::task::yield_now().await;
            if let Err(error) = self.intake().flushed().await {
                return Err(why(error, value));
            }
            refused = self.put(sample);
        }
        refused
    }

    /// As [`send_async`](Handle::send_async), on the calling thread: for programs and threads that are not
    /// asynchronous.
    ///
    /// Where there is no room the thread first takes part in the pipeline's work, and waits only if sinks
    /// with [`OnFull::Wait`](crate::OnFull::Wait) keep the pipeline from taking more.
    ///
    /// ```
    /// use headwater::metrics::{Metric, MetricsPipeline};
    /// use headwater::prelude::*;
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// let _runtime = runtime.enter();
    /// let metrics = MetricsPipeline::builder()
    ///     .metric(Metric::new("words").agg("sum", Sum).batch(1_000))
    ///     .spawn()?;
    /// let words = metrics.handle("words", ())?;
    /// for _ in 0..100_000 {
    ///     words.blocking_send(1)?;
    /// }
    /// let report = runtime.block_on(metrics.shutdown())?;
    /// assert_eq!((report.metric("words").unwrap().values, report.overflow), (100_000, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`send_async`](Handle::send_async).
    ///
    /// # Panics
    /// In asynchronous code, if it has to wait: the thread might be the one that makes room. There, use
    /// [`send_async`](Handle::send_async), or `tokio::task::spawn_blocking` around what sends.
    pub fn blocking_send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        let sample = self.sample_now(value.into());
        let mut refused = match self.put(sample) {
            Err(SendError::Full(_)) => self.put_after_a_visit(sample),
            done => return done,
        };
        while let Err(SendError::Full(value)) = refused {
            if let Err(error) = self.wait_for_room() {
                return Err(why(error, value));
            }
            refused = self.put(sample);
        }
        refused
    }

    fn wait_for_room(&self) -> Result<(), GraphError> {
        let first = pin!(self.intake().flushed()).poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = first {
            return done;
        }
        assert_may_block();
        self.intake().blocking_flush()
    }

    /// Takes what the pipeline has room for into it, and tries once more.
    #[cold]
    fn put_after_a_visit(&self, sample: Sample) -> Result<(), SendError> {
        // Whatever it says, it is said of this value too.
        let _ = self.intake().flush();
        self.put(sample)
    }
}

/// Panics on a thread that drives futures: to block that one might be to wait for oneself.
fn assert_may_block() {
    // Tokio knows which threads those are, and tells by a panic, as its own blocking functions do.
    let (ready, waiting) = tokio::sync::oneshot::channel();
    let _ = ready.send(());
    let _ = waiting.blocking_recv();
}

/// Why there will be no room for a value.
fn why(error: GraphError, value: Value) -> SendError {
    match error {
        GraphError::Undriven => SendError::Undriven(value),
        GraphError::Inside => SendError::Full(value),
        GraphError::Poisoned => SendError::Poisoned(value),
        GraphError::Stopped(_) => SendError::Stopped(value),
        _ => SendError::Closed(value),
    }
}
