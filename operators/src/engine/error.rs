//! What can go wrong, as values: a failure in the graph, and an element that was not accepted.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex};

use super::topology::Label;

/// Any error that may cross threads: what fallible closures return.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// An element that failed in an operator: which node, why, and the element where it was still there.
///
/// Cloning is cheap; clones share the element, which can be taken once.
#[derive(Clone)]
pub struct Failure(Arc<Inner>);

struct Inner {
    label: Arc<Label>,
    error: BoxError,
    element: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Failure {
    /// A failure at the node that `label` names.
    pub fn new(label: &Arc<Label>, error: impl Into<BoxError>) -> Self {
        Failure(Arc::new(Inner {
            label: label.shown().clone(),
            error: error.into(),
            element: Mutex::new(None),
        }))
    }

    /// A failure that brings its element along.
    pub fn with_element<T: Send + 'static>(
        label: &Arc<Label>,
        error: impl Into<BoxError>,
        element: T,
    ) -> Self {
        Failure(Arc::new(Inner {
            label: label.shown().clone(),
            error: error.into(),
            element: Mutex::new(Some(Box::new(element))),
        }))
    }

    /// The name of the node that failed, or its kind where it was not named.
    #[must_use]
    pub fn node(&self) -> &str {
        self.0.label.title()
    }

    /// The kind of the operator that failed, such as `try_map`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.0.label.kind()
    }

    /// Where in the user's source the operator was made.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.0.label.location()
    }

    /// What the closure returned, or what the operator found.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.error
    }

    /// A copy of the element that failed, if the operator still had it and nobody took it.
    ///
    /// `None` for another type than the element's. Which operators still have the element: those that
    /// look at it by reference (`try_filter`), that lend it
    /// ([`try_map_async_ref`](crate::Flow::try_map_async_ref)), that refuse it (a full buffer), or that
    /// keep it to [`retry`](crate::TryMapAsync::retry).
    #[must_use]
    pub fn element<T: Clone + 'static>(&self) -> Option<T> {
        self.0
            .element
            .lock()
            .ok()?
            .as_ref()?
            .downcast_ref()
            .cloned()
    }

    /// The element that failed, if the operator still had it and nobody took it before.
    ///
    /// Returns `None` for another type than the element's, and leaves the element where it is.
    #[must_use]
    pub fn take_element<T: 'static>(&self) -> Option<T> {
        let mut slot = self.0.element.lock().ok()?;
        match slot.take()?.downcast() {
            Ok(element) => Some(*element),
            Err(other) => {
                *slot = Some(other);
                None
            }
        }
    }

    pub(crate) fn label(&self) -> &Arc<Label> {
        &self.0.label
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("node", &self.node())
            .field("location", &format_args!("{}", self.location()))
            .field("error", &self.0.error)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` at {} failed: {}",
            self.node(),
            self.location(),
            self.0.error
        )
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0.error)
    }
}

/// Why an emitted element did not go through.
///
/// [`Failed`](EmitError::Failed) means *accepted and failed*: emitting it again would be a second
/// attempt. All others mean *not accepted* and give the element back.
#[non_exhaustive]
pub enum EmitError<T> {
    /// An operator downstream is full. Emit it again later, or use `send(x).await` or
    /// `blocking_send(x)`, which wait.
    Full(T),
    /// The source was closed.
    Closed(T),
    /// The graph holds timers or futures and nothing drives it, so that the element would wait for
    /// ever. Call `graph.spawn()`, `graph.spawn_thread()` or `graph.drive_manually()` first.
    Undriven(T),
    /// The element was accepted, an operator failed on it, and no `.catch` stood below.
    Failed(Failure),
    /// The graph was stopped by an earlier failure, since it runs under `OnError::Stop`.
    Stopped(T, Failure),
    /// A closure of this graph panicked earlier; its state can't be trusted any more.
    /// [`Graph::poisoned_below`](crate::Graph::poisoned_below) says where.
    Poisoned(T),
    /// `blocking_send` was called from inside a closure of a graph, where waiting would be for ever.
    Inside(T),
}

impl<T> EmitError<T> {
    /// The element, unless it was accepted.
    pub fn into_element(self) -> Option<T> {
        match self {
            EmitError::Full(x)
            | EmitError::Closed(x)
            | EmitError::Undriven(x)
            | EmitError::Stopped(x, _)
            | EmitError::Poisoned(x)
            | EmitError::Inside(x) => Some(x),
            EmitError::Failed(_) => None,
        }
    }

    /// Whether emitting the same element again later can succeed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, EmitError::Full(_))
    }
}

impl<T> fmt::Debug for EmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self {
            EmitError::Full(_) => "Full",
            EmitError::Closed(_) => "Closed",
            EmitError::Undriven(_) => "Undriven",
            EmitError::Failed(_) => "Failed",
            EmitError::Stopped(..) => "Stopped",
            EmitError::Poisoned(_) => "Poisoned",
            EmitError::Inside(_) => "Inside",
        };
        // With the sentence: a `main` that returns an error prints this, and not what is displayed.
        write!(f, "{variant}(..): {self}")
    }
}

impl<T> fmt::Display for EmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmitError::Full(_) => f.write_str(
                "not accepted: an operator downstream is full; wait with `send` or `blocking_send`, or \
                 see in `graph.snapshot()` which it is and since when",
            ),
            EmitError::Closed(_) => f.write_str(
                "not accepted: the source is closed; make another with `graph.source()`",
            ),
            EmitError::Undriven(_) => f.write_str(
                "not accepted: the graph holds timers or futures and nothing drives it; call \
                 `spawn`, `spawn_thread` or `drive_manually` on the graph first",
            ),
            EmitError::Failed(failure) => write!(f, "accepted, but {failure}"),
            EmitError::Stopped(_, cause) => {
                write!(f, "not accepted: the graph stopped after {cause}")
            }
            EmitError::Poisoned(_) => f.write_str(
                "not accepted: the graph is poisoned, since one of its closures panicked; build a new \
                 one",
            ),
            EmitError::Inside(_) => f.write_str(
                "not accepted: a closure of a graph may not wait; use `emit`, which queues",
            ),
        }
    }
}

impl<T> Error for EmitError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            EmitError::Failed(failure) | EmitError::Stopped(_, failure) => Some(failure),
            _ => None,
        }
    }
}

/// What `emit_all` met: how far it came, and why.
pub struct EmitAllError<T> {
    /// How many elements were accepted, the failed ones among them.
    pub accepted: usize,
    /// How many accepted elements failed besides the one in `cause`.
    pub others: usize,
    /// The first failure, or why the next element was refused; what was not drawn is still in the
    /// iterator (pass it `by_ref()` to go on).
    pub cause: EmitError<T>,
    /// Elements after the refused one that were drawn from the iterator already, in order: there
    /// are some only if the source was closed or the graph stopped meanwhile.
    pub drawn: Vec<T>,
}

impl<T> fmt::Debug for EmitAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitAllError")
            .field("accepted", &self.accepted)
            .field("others", &self.others)
            .field("cause", &self.cause)
            .field("drawn", &self.drawn.len())
            .finish()
    }
}

impl<T> fmt::Display for EmitAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} accepted", self.cause, self.accepted)?;
        let first = usize::from(matches!(self.cause, EmitError::Failed(_)));
        match self.others + first {
            0 => f.write_str(")"),
            failed => write!(f, ", {failed} of them failed)"),
        }
    }
}

impl<T> Error for EmitAllError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// Why a call on a graph could not be answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GraphError {
    /// A closure of the graph panicked earlier: [`Graph::poisoned_below`](crate::Graph::poisoned_below)
    /// says where.
    Poisoned,
    /// The call came from inside a closure of a graph that holds the lock it needs.
    Inside,
    /// The graph holds timers or futures and nothing drives it.
    Undriven,
    /// The graph was stopped by this failure, since it runs under `OnError::Stop`.
    Stopped(Failure),
    /// An operator downstream of a [`Sharded`](crate::Sharded) source is full: this many elements wait
    /// in its shards, and nothing is lost.
    Full(usize),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::Poisoned => f.write_str(
                "the graph is poisoned, since one of its closures panicked; build a new one",
            ),
            GraphError::Inside => f.write_str(
                "the graph is busy with the closure that asks; ask from outside of its closures",
            ),
            GraphError::Undriven => f.write_str(
                "the graph holds timers or futures and nothing drives it: call `spawn`, \
                 `spawn_thread` or `drive_manually` on it first, and keep what drives it, such as the \
                 runtime, until it has ended",
            ),
            GraphError::Stopped(cause) => write!(f, "the graph stopped after {cause}"),
            GraphError::Full(held) => write!(
                f,
                "an operator downstream is full and {held} elements wait in their shards; wait with \
                 `flushed` or `blocking_flush`, or see in `graph.snapshot()` which it is and since when"
            ),
        }
    }
}

impl Error for GraphError {}

/// What a graph does with a failure that nobody caught and no emitter waits for.
#[non_exhaustive]
#[derive(Default)]
pub enum OnError {
    /// Log it as an event of `tracing` (level `ERROR`), count it, go on. The default. Without a
    /// `tracing` subscriber nobody sees it.
    #[default]
    Log,
    /// Give it to a closure, count it, go on.
    Call(Box<dyn FnMut(&Failure) + Send>),
    /// Stop the graph at the first uncaught failure, an emitter's own included: later emits return
    /// `Stopped` with the cause.
    Stop,
}

impl OnError {
    /// Gives each uncaught failure to `handler`. It runs under the graph's lock and must not block.
    pub fn call(handler: impl FnMut(&Failure) + Send + 'static) -> Self {
        OnError::Call(Box::new(handler))
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnError::Log => "Log",
            OnError::Call(_) => "Call(..)",
            OnError::Stop => "Stop",
        })
    }
}
