//! Work that blocks, kept off the threads that drive futures.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use futures_channel::oneshot;
use tokio::runtime::Handle;

use crate::metrics::SinkError;

/// Something that is used on a thread where it may block, by one piece of work at a time.
///
/// On a tokio runtime that is a thread of its pool for blocking work, which its paused clock waits for;
/// elsewhere it is a thread for each piece of work. A future that is dropped does not stop its work: the
/// next one waits until it has ended.
pub(super) struct Blocking<T>(Place<T>);

enum Place<T> {
    Here(T),
    Away(oneshot::Receiver<T>),
    /// Its thread could not be started, or its runtime was shut down.
    Lost,
}

type Panic = Box<dyn Any + Send>;

impl<T: Send + 'static> Blocking<T> {
    pub(super) fn new(thing: T) -> Blocking<T> {
        Blocking(Place::Here(thing))
    }

    /// Does `work` with it. A panic of `work` goes on here.
    pub(super) async fn run<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, SinkError> {
        let mut thing = self.take().await?;
        let (give_back, back) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        self.0 = Place::Away(back);
        start(move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&mut thing)));
            // Nobody listens any more where the future was dropped.
            let _ = give_back.send(thing);
            let _: Result<(), Result<R, Panic>> = tell.send(result);
        });
        match told.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(oneshot::Canceled) => Err(self.lost()),
        }
    }

    async fn take(&mut self) -> Result<T, SinkError> {
        if let Place::Away(back) = &mut self.0 {
            self.0 = back.await.map_or(Place::Lost, Place::Here);
        }
        match std::mem::replace(&mut self.0, Place::Lost) {
            Place::Here(thing) => Ok(thing),
            Place::Away(_) | Place::Lost => Err(self.lost()),
        }
    }

    fn lost(&mut self) -> SinkError {
        self.0 = Place::Lost;
        SinkError::fatal(
            "the thread that does this sink's blocking work was lost: the runtime was shut down, or \
             the system has no more threads",
        )
    }
}

#[cfg(feature = "json")]
impl<T> Blocking<T> {
    /// Changes it while nobody uses it yet.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Blocking<U> {
        Blocking(match self.0 {
            Place::Here(thing) => Place::Here(change(thing)),
            Place::Away(_) | Place::Lost => Place::Lost,
        })
    }
}

fn start(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        // If it can't be started, `work` is dropped, which is noticed where it is waited for.
        Err(_) => drop(thread::Builder::new().spawn(work)),
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Place::Here(_) => "Here",
            Place::Away(_) => "Away",
            Place::Lost => "Lost",
        })
    }
}
