//! Threads for closures that block: outside of the graph's lock, beside the driver.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_channel::oneshot;

use super::error::BoxError;

/// A closure of `map_blocking` or `sink_blocking` panicked: the error of the element's failure.
///
/// The closure ran outside of the graph, so that only the element is lost and the graph goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerPanicked {
    /// What the panic said.
    pub message: String,
}

impl fmt::Display for WorkerPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the closure panicked: {}", self.message)
    }
}

impl std::error::Error for WorkerPanicked {}

impl WorkerPanicked {
    fn new(payload: &(dyn Any + Send)) -> WorkerPanicked {
        let message = match (
            payload.downcast_ref::<&str>(),
            payload.downcast_ref::<String>(),
        ) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "without a message".to_owned(),
        };
        WorkerPanicked { message }
    }
}

type Answer<U> = Result<U, BoxError>;

/// Up to so many threads that run a closure. They are started when there is work that no idle one
/// could take, and end when this is dropped.
pub(crate) struct Workers<T, U> {
    bench: Arc<Bench<T, U>>,
    limit: usize,
}

struct Bench<T, U> {
    state: Mutex<State<T, U>>,
    work_or_end: Condvar,
    f: Box<dyn Fn(T) -> Answer<U> + Send + Sync>,
}

struct State<T, U> {
    jobs: VecDeque<(T, oneshot::Sender<Answer<U>>)>,
    threads: usize,
    idle: usize,
    ended: bool,
}

impl<T: Send + 'static, U: Send + 'static> Workers<T, U> {
    pub(crate) fn new(
        limit: usize,
        f: impl Fn(T) -> Answer<U> + Send + Sync + 'static,
    ) -> Workers<T, U> {
        Workers {
            bench: Arc::new(Bench {
                state: Mutex::new(State {
                    jobs: VecDeque::new(),
                    threads: 0,
                    idle: 0,
                    ended: false,
                }),
                work_or_end: Condvar::new(),
                f: Box::new(f),
            }),
            limit,
        }
    }

    /// Has a thread run the closure on `item`.
    pub(crate) fn run(&self, item: T) -> impl Future<Output = Answer<U>> + Send + use<T, U> {
        let (sender, answer) = oneshot::channel();
        let started = self.hand_out(item, sender);
        async move {
            started?;
            match answer.await {
                Ok(answer) => answer,
                Err(oneshot::Canceled) => Err("the worker thread is gone".into()),
            }
        }
    }

    fn hand_out(&self, item: T, sender: oneshot::Sender<Answer<U>>) -> Result<(), BoxError> {
        let mut state = self.bench.lock();
        state.jobs.push_back((item, sender));
        if state.jobs.len() > state.idle && state.threads < self.limit {
            let bench = self.bench.clone();
            let spawned = thread::Builder::new()
                .name("headwater-worker".to_owned())
                .spawn(move || bench.work());
            match spawned {
                Ok(_) => state.threads += 1,
                // Those that run already will come to it.
                Err(_) if state.threads > 0 => {}
                Err(error) => {
                    state.jobs.pop_back();
                    return Err(error.into());
                }
            }
        }
        drop(state);
        self.bench.work_or_end.notify_one();
        Ok(())
    }
}

impl<T, U> Bench<T, U> {
    /// No closure of a user runs under this lock, so that a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State<T, U>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some((item, sender)) = self.next() {
            // The element is gone with the panic, and the closure is not told of others.
            let answer = catch_unwind(AssertUnwindSafe(|| (self.f)(item)))
                .unwrap_or_else(|payload| Err(WorkerPanicked::new(&*payload).into()));
            // Nobody listens once the node is dropped.
            let _ = sender.send(answer);
        }
    }

    fn next(&self) -> Option<(T, oneshot::Sender<Answer<U>>)> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            state = self
                .work_or_end
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

impl<T, U> Drop for Workers<T, U> {
    fn drop(&mut self) {
        let jobs = {
            let mut state = self.bench.lock();
            state.ended = true;
            std::mem::take(&mut state.jobs)
        };
        drop(jobs);
        self.bench.work_or_end.notify_all();
    }
}
