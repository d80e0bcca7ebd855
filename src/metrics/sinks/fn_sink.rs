//! `FnSink`: whatever a closure does.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::blocking::Blocking;
use super::tally::Tally;
use crate::metrics::{Delivery, Element, MetricSink, SinkError};

/// Gives elements to a closure: one by one or in batches; one that returns at once, one that blocks, or
/// one that returns a future.
///
/// **Delivery**: at least once. When the closure returns an error, what it was given is given to it
/// again: the element, or the whole batch. With [`at_most_once`](FnSink::at_most_once) it is counted as of
/// unknown fate instead. A [`SinkError`] says more: how far the closure came, and whether trying again can
/// help; if not, what it was given is rejected, one by one only this element.
///
/// **Blocking**: [`new`](FnSink::new) and [`batches`](FnSink::batches) run the closure where the sink is
/// polled, so it must not block; [`blocking`](FnSink::blocking) and
/// [`blocking_batches`](FnSink::blocking_batches) run it on a thread where it may.
///
/// ```
/// use headwater::metrics::{Element, FnSink, MetricSink};
/// use std::sync::mpsc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, receiver) = mpsc::channel();
/// let mut sink = FnSink::new(move |element: &Element| sender.send(element.clone()));
/// let element = Element::new("requests.sum", 3);
/// sink.deliver(&[element.clone()]).await?;
/// assert_eq!(receiver.recv()?, element);
///
/// drop(receiver);
/// let error = sink.deliver(&[element]).await.unwrap_err();
/// assert_eq!(error.to_string(), "sending on a closed channel");
/// assert!(error.can_retry());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "closure")]
#[doc(alias = "callback")]
pub struct FnSink {
    call: Call,
    delivery: Delivery,
}

type Outcome = Result<(), SinkError>;
type Boxed = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type OfElements = Box<dyn FnMut(&Element) -> Outcome + Send>;
type OfBatches = Box<dyn FnMut(&[Element]) -> Outcome + Send>;

enum Call {
    Elements(OfElements),
    Batches(OfBatches),
    BlockingElements(Blocking<OfElements>),
    BlockingBatches(Blocking<OfBatches>),
    AsyncElements(Box<dyn FnMut(Element) -> Boxed + Send>),
    AsyncBatches(Box<dyn FnMut(Vec<Element>) -> Boxed + Send>),
}

impl FnSink {
    fn of(call: Call) -> FnSink {
        FnSink {
            call,
            delivery: Delivery::AtLeastOnce,
        }
    }

    /// Calls `f` with each element. It must not block.
    #[must_use]
    pub fn new<R: IntoSinkResult>(f: impl FnMut(&Element) -> R + Send + 'static) -> FnSink {
        FnSink::of(Call::Elements(of_elements(f)))
    }

    /// Calls `f` with each batch. It must not block.
    #[must_use]
    pub fn batches<R: IntoSinkResult>(f: impl FnMut(&[Element]) -> R + Send + 'static) -> FnSink {
        FnSink::of(Call::Batches(of_batches(f)))
    }

    /// Calls `f` with each element, on a thread where it may block.
    #[must_use]
    pub fn blocking<R: IntoSinkResult>(f: impl FnMut(&Element) -> R + Send + 'static) -> FnSink {
        FnSink::of(Call::BlockingElements(Blocking::new(of_elements(f))))
    }

    /// Calls `f` with each batch, on a thread where it may block.
    #[must_use]
    pub fn blocking_batches<R: IntoSinkResult>(
        f: impl FnMut(&[Element]) -> R + Send + 'static,
    ) -> FnSink {
        FnSink::of(Call::BlockingBatches(Blocking::new(of_batches(f))))
    }

    /// Calls `f` with each element, and waits for the future it returns before the next one.
    #[must_use]
    pub fn future<Fut>(mut f: impl FnMut(Element) -> Fut + Send + 'static) -> FnSink
    where
        Fut: Future<Output: IntoSinkResult> + Send + 'static,
    {
        FnSink::of(Call::AsyncElements(Box::new(move |element| {
            let future = f(element);
            Box::pin(async { future.await.into_sink_result() })
        })))
    }

    /// Calls `f` with each batch, and waits for the future it returns before the next one.
    #[must_use]
    pub fn future_batches<Fut>(mut f: impl FnMut(Vec<Element>) -> Fut + Send + 'static) -> FnSink
    where
        Fut: Future<Output: IntoSinkResult> + Send + 'static,
    {
        FnSink::of(Call::AsyncBatches(Box::new(move |batch| {
            let future = f(batch);
            Box::pin(async { future.await.into_sink_result() })
        })))
    }

    /// What the closure fails on is not given to it again: it is counted as of
    /// [unknown](crate::metrics::SinkSnapshot::unknown) fate, or as rejected where the closure says by a
    /// [fatal](SinkError::fatal) error that it will never take it.
    #[must_use]
    pub fn at_most_once(self) -> FnSink {
        FnSink {
            delivery: Delivery::AtMostOnce,
            ..self
        }
    }
}

fn of_elements<R: IntoSinkResult>(mut f: impl FnMut(&Element) -> R + Send + 'static) -> OfElements {
    Box::new(move |element| f(element).into_sink_result())
}

fn of_batches<R: IntoSinkResult>(mut f: impl FnMut(&[Element]) -> R + Send + 'static) -> OfBatches {
    Box::new(move |batch| f(batch).into_sink_result())
}

/// One by one.
fn each(f: &mut OfElements, batch: &[Element], delivery: Delivery) -> Outcome {
    let mut tally = Tally::new(delivery);
    batch.iter().try_for_each(|element| tally.add(f(element)))?;
    tally.end()
}

impl MetricSink for FnSink {
    fn delivery(&self) -> Delivery {
        self.delivery
    }

    async fn deliver(&mut self, batch: &[Element]) -> Outcome {
        let delivery = self.delivery;
        let owned = || batch.to_vec();
        let result = match &mut self.call {
            Call::Elements(f) => return each(f, batch, delivery),
            Call::BlockingElements(f) => {
                let batch = owned();
                return f.run(move |f| each(f, &batch, delivery)).await?;
            }
            Call::AsyncElements(f) => {
                let mut tally = Tally::new(delivery);
                for element in batch {
                    tally.add(f(element.clone()).await)?;
                }
                return tally.end();
            }
            Call::Batches(f) => f(batch),
            Call::BlockingBatches(f) => {
                let batch = owned();
                f.run(move |f| f(&batch)).await?
            }
            Call::AsyncBatches(f) => f(owned()).await,
        };
        result.map_err(|error| match delivery {
            Delivery::AtLeastOnce => error,
            // Nobody knows how far it came beyond what it says.
            Delivery::AtMostOnce => {
                let rest = batch.len().saturating_sub(error.done_count());
                let (rejected, unknown) = match error.can_retry() {
                    true => (0, rest),
                    false => (rest, 0),
                };
                let rejected = error.rejected_count() + rejected;
                let unknown = error.unknown_count() + unknown;
                let error = SinkError::fatal(error).done(batch.len());
                error.rejected(rejected).unknown(unknown)
            }
        })
    }
}

impl fmt::Debug for FnSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = match self.call {
            Call::Elements(_) => "new",
            Call::Batches(_) => "batches",
            Call::BlockingElements(_) => "blocking",
            Call::BlockingBatches(_) => "blocking_batches",
            Call::AsyncElements(_) => "future",
            Call::AsyncBatches(_) => "future_batches",
        };
        write!(f, "FnSink::{call}({:?})", self.delivery)
    }
}

/// What the closure of an [`FnSink`] may return: nothing, or a `Result` of that with any error. A
/// [`SinkError`] is taken as it is; with any other error trying again can help.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what the closure of a sink can return",
    note = "it has to be `()`, or a `Result<(), E>` with any error"
)]
pub trait IntoSinkResult {
    /// As a result.
    ///
    /// # Errors
    /// That of the closure.
    fn into_sink_result(self) -> Result<(), SinkError>;
}

impl IntoSinkResult for () {
    fn into_sink_result(self) -> Result<(), SinkError> {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> IntoSinkResult for Result<(), E> {
    fn into_sink_result(self) -> Result<(), SinkError> {
        self.map_err(|error| match error.into().downcast::<SinkError>() {
            Ok(error) => *error,
            Err(error) => SinkError::retry(error),
        })
    }
}
