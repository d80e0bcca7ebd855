//! Sleeping futures in virtual time: what a slow sink or job of a test awaits.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use headwater::{EmitError, InGraph, Manual, Source};

/// The part that futures may hold: it does not keep the graph's driver.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: u64,
    naps: usize,
    /// By the end of the nap, and in the order in which they began.
    sleepers: BTreeMap<(u64, usize), oneshot::Sender<()>>,
}

impl Clock {
    /// Milliseconds since the night began.
    pub(crate) fn now(&self) -> u64 {
        self.0.lock().unwrap().now
    }

    /// Ends `ms` after it was made.
    pub(crate) fn sleep(&self, ms: u64) -> impl Future<Output = ()> + Send + 'static + use<> {
        let (wake, woken) = oneshot::channel();
        let state = &mut *self.0.lock().unwrap();
        state.naps += 1;
        state.sleepers.insert((state.now + ms, state.naps), wake);
        async move {
            let _ = woken.await;
        }
    }
}

/// Graph time and naps, moved together.
pub(crate) struct Night {
    time: Manual,
    pub(crate) clock: Clock,
}

impl Night {
    pub(crate) fn new(time: Manual) -> Night {
        let clock = Clock(Arc::default());
        Night { time, clock }
    }

    pub(crate) fn settle(&self) {
        self.time.settle();
    }

    fn next(&self) -> Option<u64> {
        let state = self.clock.0.lock().unwrap();
        state.sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Moves time to `at`, ending all naps on the way, each at its moment.
    pub(crate) fn until(&self, at: u64) {
        self.settle();
        while let Some(next) = self.next().filter(|next| *next <= at) {
            self.step(next);
            let due = self.clock.0.lock().unwrap().sleepers.pop_first();
            if let Some((_, wake)) = due {
                let _ = wake.send(());
            }
            self.settle();
        }
        self.step(at);
    }

    fn step(&self, at: u64) {
        let passed = at - self.clock.now();
        self.time.advance(Duration::from_millis(passed));
        self.clock.0.lock().unwrap().now = at;
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.until(self.clock.now() + ms);
    }

    /// What an awaited emit does: waits, in virtual time, until there is room.
    pub(crate) fn emit_waiting<T: InGraph>(&self, source: &Source<T>, item: T) {
        let mut next = item;
        loop {
            match source.emit(next) {
                Ok(()) => return self.settle(),
                Err(EmitError::Full(item)) => {
                    next = item;
                    let at = self.next().expect("someone must be at work to make room");
                    self.until(at);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}
