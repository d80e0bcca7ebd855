//! `spawn`: a task on the current tokio runtime drives a graph.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use headwater_operators::{Driving, Graph, GraphError, Time, Turn};
use pin_project::pin_project;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

/// Drives graphs on tokio: in the prelude.
pub trait Spawn: sealed::Sealed {
    /// Drives the graph by a task on the current tokio runtime, until all sources are closed and
    /// everything has reached its end. Its clock is tokio's, which tests can pause.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let graph = Graph::new();
    /// let driver = graph.spawn();
    /// let numbers = graph.source::<u32>();
    /// let list = numbers.buffer(8).sink_to_list();
    /// numbers.send(1).await?;
    /// drop(numbers);
    /// driver.await?;
    /// assert_eq!(list.take(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without time, or if the graph has a driver already.
    #[track_caller]
    fn spawn(&self) -> Driver;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for headwater_operators::Graph {}
}

impl Spawn for Graph {
    #[track_caller]
    fn spawn(&self) -> Driver {
        // Without a runtime, or one with time, this panics before the graph counts as driven.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            panic!(
                "`spawn` needs a tokio runtime: call it inside of one (`#[tokio::main]`, \
                 `Runtime::enter`), or drive the graph by `spawn_thread`"
            );
        };
        let start = Instant::now();
        let sleep = tokio::time::sleep_until(start);
        let driving = self.attach_driver(Some(Box::new(move || start.elapsed())));
        Driver {
            task: runtime.spawn(Drive {
                driving,
                sleep,
                asleep_until: None,
            }),
            stopped: AtomicBool::new(false),
        }
    }
}

/// The task that drives a graph: see [`Spawn::spawn`].
///
/// As a future it resolves when the graph has finished or was stopped: with
/// [`Poisoned`](GraphError::Poisoned) if a closure panicked, and with
/// [`Undriven`](GraphError::Undriven) if the runtime went away before the graph was done. Dropping
/// it lets the task go on.
#[derive(Debug)]
pub struct Driver {
    task: JoinHandle<Result<(), GraphError>>,
    stopped: AtomicBool,
}

impl Driver {
    /// Ends the driving, after the turn under way. What is held stays; the graph is undriven as
    /// soon as this future has resolved.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.task.abort();
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Future for Driver {
    type Output = Result<(), GraphError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(task).map(|end| match end {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => Err(GraphError::Poisoned),
            Err(_) if self.stopped.load(Ordering::Relaxed) => Ok(()),
            Err(_) => Err(GraphError::Undriven),
        })
    }
}

/// The task itself. One timer of tokio serves all deadlines of the graph.
#[pin_project]
struct Drive {
    driving: Driving,
    #[pin]
    sleep: Sleep,
    /// What the timer is set to, on the graph's clock.
    asleep_until: Option<Time>,
}

impl Future for Drive {
    type Output = Result<(), GraphError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.driving.turn(task.waker())? {
            Turn::Finished => return Poll::Ready(Ok(())),
            // To the end of the runtime's queue, so that other tasks get their turn.
            Turn::Again => task.waker().wake_by_ref(),
            Turn::Idle => {}
            Turn::Until(at) => {
                if *this.asleep_until != Some(at) {
                    let wait = at - this.driving.now()?;
                    this.sleep.as_mut().reset(Instant::now() + wait);
                    *this.asleep_until = Some(at);
                }
                if this.sleep.as_mut().poll(task).is_ready() {
                    *this.asleep_until = None;
                    task.waker().wake_by_ref();
                }
            }
        }
        Poll::Pending
    }
}
