//! `FuturesSink`: elements go into a `futures::Sink`.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use futures_sink::Sink;
use futures_util::SinkExt;

use crate::metrics::{Delivery, Element, MetricSink, SinkError};

/// Gives elements to a [`futures::Sink`](Sink), and flushes it after each batch.
///
/// **Delivery**: when a `futures::Sink` has returned an error, it is usually of no use any more.
///
/// - With [`new`](FuturesSink::new), at most once: the batch that fails is counted as of
///   [unknown](crate::metrics::SinkSnapshot::unknown) fate, as nobody knows how much of it has arrived, and all
///   that comes after it is given up.
/// - With [`connect`](FuturesSink::connect), at least once: another sink is made, and gets the whole
///   batch again. How long to wait before that is the pipeline's affair.
///
/// **Blocking**: the sink is polled with the pipeline's sinks, and must not block.
///
/// ```
/// use futures::StreamExt;
/// use futures::channel::mpsc;
/// use headwater::metrics::{Element, FuturesSink, MetricSink};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, mut receiver) = mpsc::channel(8);
/// let mut sink = FuturesSink::new(sender);
/// let element = Element::new("requests.sum", 3);
/// sink.deliver(&[element.clone()]).await?;
/// sink.close().await?;
/// assert_eq!(receiver.next().await, Some(element));
/// assert_eq!(receiver.next().await, None);
/// # Ok(())
/// # }
/// ```
pub struct FuturesSink<S> {
    sink: Option<Pin<Box<S>>>,
    connect: Option<Connect<S>>,
}

type Made<S> = Result<S, Box<dyn Error + Send + Sync>>;
type Making<S> = Pin<Box<dyn Future<Output = Made<S>> + Send>>;
type Connect<S> = Box<dyn FnMut() -> Making<S> + Send>;

impl<S> FuturesSink<S>
where
    S: Sink<Element, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    /// Into this sink, until it fails.
    #[must_use]
    pub fn new(sink: S) -> FuturesSink<S> {
        FuturesSink {
            sink: Some(Box::pin(sink)),
            connect: None,
        }
    }

    /// Into a sink that `connect` makes: when the first batch comes, and after each failure.
    #[must_use]
    #[doc(alias = "reconnect")]
    pub fn connect<Fut, E>(mut connect: impl FnMut() -> Fut + Send + 'static) -> FuturesSink<S>
    where
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        FuturesSink {
            sink: None,
            connect: Some(Box::new(move || {
                let making = connect();
                Box::pin(async { making.await.map_err(Into::into) })
            })),
        }
    }

    /// The sink that is in use, or another one.
    async fn take(&mut self) -> Result<Pin<Box<S>>, SinkError> {
        // While it is in use it is not here: a delivery that fails or is given up leaves none.
        match (self.sink.take(), &mut self.connect) {
            (Some(sink), _) => Ok(sink),
            (None, Some(connect)) => connect().await.map(Box::pin).map_err(SinkError::retry),
            (None, None) => Err(SinkError::fatal(
                "the sink has failed before, and no other one is made; `FuturesSink::connect` would",
            )),
        }
    }

    /// In the middle of so many elements.
    fn failed(&self, error: S::Error, batch: usize) -> SinkError {
        match self.connect {
            Some(_) => SinkError::retry(error),
            None => SinkError::fatal(error).done(batch).unknown(batch),
        }
    }
}

impl<S> MetricSink for FuturesSink<S>
where
    S: Sink<Element, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    fn delivery(&self) -> Delivery {
        match self.connect {
            Some(_) => Delivery::AtLeastOnce,
            None => Delivery::AtMostOnce,
        }
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let mut sink = self.take().await?;
        for element in batch {
            let fed = sink.feed(element.clone()).await;
            fed.map_err(|error| self.failed(error, batch.len()))?;
        }
        let flushed = sink.flush().await;
        flushed.map_err(|error| self.failed(error, batch.len()))?;
        self.sink = Some(sink);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        match self.sink.take() {
            Some(mut sink) => sink.close().await.map_err(SinkError::fatal),
            None => Ok(()),
        }
    }
}

impl<S> fmt::Debug for FuturesSink<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FuturesSink")
            .field("in_use", &self.sink.is_some())
            .field("connects", &self.connect.is_some())
            .finish()
    }
}
