//! Why a sharded source did not take an element.

use std::error::Error;
use std::fmt;

use super::error::Failure;

/// Why [`Sharded::send`](crate::Sharded::send) gives an element back. None of these was accepted.
#[non_exhaustive]
pub enum SendError<T> {
    /// What the calling thread's shard holds has reached its capacity: the graph is busy or an operator
    /// downstream is full, and senders were faster.
    Full(T),
    /// The source was closed.
    Closed(T),
    /// Nothing drives the graph, so that the element would wait for ever.
    Undriven(T),
    /// The graph was stopped by this failure, since it runs under `OnError::Stop`.
    Stopped(T, Failure),
    /// A closure of this graph panicked earlier; its state can't be trusted any more.
    Poisoned(T),
}

impl<T> SendError<T> {
    /// The element.
    pub fn into_element(self) -> T {
        match self {
            SendError::Full(x)
            | SendError::Closed(x)
            | SendError::Undriven(x)
            | SendError::Stopped(x, _)
            | SendError::Poisoned(x) => x,
        }
    }

    /// Whether sending the same element again later can succeed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, SendError::Full(_))
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self {
            SendError::Full(_) => "Full",
            SendError::Closed(_) => "Closed",
            SendError::Undriven(_) => "Undriven",
            SendError::Stopped(..) => "Stopped",
            SendError::Poisoned(_) => "Poisoned",
        };
        // With the sentence: a `main` that returns an error prints this, and not what is displayed.
        write!(f, "{variant}(..): {self}")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Full(_) => f.write_str(
                "not accepted: this thread's shard is full; send less, give it more room with \
                 `Shards::capacity`, or see in `graph.snapshot()` who downstream is slow",
            ),
            SendError::Closed(_) => f.write_str(
                "not accepted: the source is closed; make another with `graph.sharded()`",
            ),
            SendError::Undriven(_) => f.write_str(
                "not accepted: a sharded source is drained by the graph's driver and there is none; \
                 call `spawn`, `spawn_thread` or `drive_manually` on the graph first",
            ),
            SendError::Stopped(_, cause) => {
                write!(f, "not accepted: the graph stopped after {cause}")
            }
            SendError::Poisoned(_) => f.write_str(
                "not accepted: the graph is poisoned, since one of its closures panicked; build a new \
                 one",
            ),
        }
    }
}

impl<T> Error for SendError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SendError::Stopped(_, failure) => Some(failure),
            _ => None,
        }
    }
}
