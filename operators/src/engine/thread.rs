//! `spawn_thread`: a plain thread drives a graph, for programs without an asynchronous runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use super::drive::{Driving, Turn};
use super::error::GraphError;
use super::graph::Graph;
use super::{inbox, park};

/// A thread that drives a graph: see [`Graph::spawn_thread`]. Dropping it lets the thread go on.
#[derive(Debug)]
pub struct DriverThread {
    thread: JoinHandle<Result<(), GraphError>>,
    stop: Arc<AtomicBool>,
}

impl Graph {
    /// Drives the graph on a thread of its own, named `headwater`, which sleeps until something is
    /// due or ready. It ends when all sources are closed and everything has reached its end.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let driver = graph.spawn_thread();
    /// let numbers = graph.source::<u32>();
    /// let list = numbers.buffer(8).sink_to_list();
    /// numbers.blocking_send(1)?;
    /// numbers.close();
    /// driver.join()?;
    /// assert_eq!(list.take(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the graph has a driver already, or the system has no more threads.
    #[track_caller]
    pub fn spawn_thread(&self) -> DriverThread {
        let start = Instant::now();
        let driving = self.attach_driver(Some(Box::new(move || start.elapsed())));
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("headwater".to_owned())
            .spawn(move || drive(&driving, &stopped));
        match thread {
            Ok(thread) => DriverThread { thread, stop },
            Err(error) => panic!("the system gives no thread to drive the graph: {error}"),
        }
    }
}

fn drive(driving: &Driving, stop: &AtomicBool) -> Result<(), GraphError> {
    let waker = park::thread_waker();
    while !stop.load(Ordering::Acquire) {
        match driving.turn(&waker)? {
            Turn::Again => std::thread::yield_now(),
            Turn::Until(at) => std::thread::park_timeout(at - driving.now()?),
            Turn::Idle => std::thread::park(),
            Turn::Finished => break,
        }
    }
    Ok(())
}

impl DriverThread {
    /// Ends the driving, after the turn under way. What is held stays; the graph is undriven then.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the graph has finished, or the thread was stopped.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`] where a closure panicked; [`GraphError::Inside`] from a closure of
    /// any graph, where waiting could be for ever.
    pub fn join(self) -> Result<(), GraphError> {
        if inbox::is_inside() {
            return Err(GraphError::Inside);
        }
        self.thread.join().unwrap_or(Err(GraphError::Poisoned))
    }
}
