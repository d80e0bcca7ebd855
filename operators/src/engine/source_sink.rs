//! A source as a `futures::Sink`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use super::error::EmitError;
use super::line::Place;
use super::lineage::Token;
use super::source::Source;
use super::way::Offered;
use crate::InGraph;

/// A handle of a source as a `futures::Sink`: see [`Source::to_sink`].
///
/// It is ready when no operator downstream is full; an element that finds the source full after all,
/// since others emit too, is kept (one at the most) and sent first. Flushed means handed over to
/// the graph. Closing gives up this handle, and closes the source if it was the last.
///
/// Its errors are those of [`Source::send`]; after one it can be used further, where the source can.
#[must_use = "a sink does nothing until elements are sent into it"]
pub struct SourceSink<T> {
    /// `None` once it was closed.
    source: Option<Source<T>>,
    kept: Option<T>,
    /// The element lies in the graph's inbox and nobody is known to have seen it.
    left: bool,
    /// Where it waits for room.
    place: Place,
}

// Nothing in here is ever pinned.
impl<T> Unpin for SourceSink<T> {}

impl<T: InGraph> Source<T> {
    /// A handle of this source as a `futures::Sink`, for `StreamExt::forward` and its kin.
    ///
    /// ```
    /// use futures::{SinkExt, StreamExt, stream};
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// # futures::executor::block_on(async {
    /// let source = Source::<u32>::new();
    /// let list = source.sink_to_list();
    /// stream::iter([1, 2, 3]).map(Ok).forward(source.to_sink()).await?;
    /// source.to_sink().send(4).await?;
    /// assert_eq!(list.take(), [1, 2, 3, 4]);
    /// # Ok::<(), EmitError<u32>>(())
    /// # }).unwrap();
    /// ```
    pub fn to_sink(&self) -> SourceSink<T> {
        SourceSink {
            source: Some(self.clone()),
            kept: None,
            left: false,
            place: None,
        }
    }
}

impl<T: InGraph> SourceSink<T> {
    fn offer(&mut self, item: T) -> Result<(), EmitError<T>> {
        let Some(source) = &self.source else {
            return Err(EmitError::Closed(item));
        };
        match source.way.offer(item, Token::NONE) {
            Ok(Offered::Ran) => {}
            Ok(Offered::Left) => self.left = true,
            Err(EmitError::Full(item)) => self.kept = Some(item),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Hands over what was kept or left.
    fn poll_empty(&mut self, task: &mut Context<'_>) -> Poll<Result<(), EmitError<T>>> {
        if let Some(item) = self.kept.take() {
            self.offer(item)?;
        }
        let Some(source) = &self.source else {
            return Poll::Ready(Ok(()));
        };
        if self.kept.is_some() {
            source.way.listen(&mut self.place, task);
            return Poll::Pending;
        }
        if self.left {
            ready!(source.way.hand_over(task));
            self.left = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for SourceSink<T> {
    fn drop(&mut self) {
        if let Some(source) = &self.source {
            source.way.quit_line(self.place);
        }
    }
}

impl<T: InGraph> Sink<T> for SourceSink<T> {
    type Error = EmitError<T>;

    fn poll_ready(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), EmitError<T>>> {
        let this = self.get_mut();
        ready!(this.poll_empty(task))?;
        match &this.source {
            // A source that takes nothing more is ready too: the element comes back in the error.
            Some(source) if source.way.waits_for_room() => {
                source.way.listen(&mut this.place, task);
                Poll::Pending
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), EmitError<T>> {
        self.get_mut().offer(item)
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), EmitError<T>>> {
        self.get_mut().poll_empty(task)
    }

    fn poll_close(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), EmitError<T>>> {
        let this = self.get_mut();
        ready!(this.poll_empty(task))?;
        if let Some(source) = this.source.take() {
            source.way.quit_line(this.place.take());
            let graph = source.graph();
            drop(source);
            // Closures run in this call: a destructor only marks.
            graph.look_after(task.waker());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> fmt::Debug for SourceSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSink")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
