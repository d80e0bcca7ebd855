//! What the polling task, its stream and the handles of both share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::cursor::Cursor;
use super::pending::Pending;
use super::range::Reach;
use super::seen::Seen;
use super::state::PollState;
use super::stats::PollStats;

/// What is remembered of the store.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) seen: Seen,
    pub(super) reach: Reach,
}

/// What can be changed while it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) interval: Duration,
    /// By how much polls are put off at most, where they are.
    pub(super) jitter: Option<Duration>,
    pub(super) stopped: bool,
}

/// Who needs several locks takes them in the order of the fields.
#[derive(Debug)]
pub(super) struct Shared {
    memory: Mutex<Memory>,
    pending: Mutex<Pending>,
    stats: Mutex<PollStats>,
    pub(super) state: watch::Sender<PollState>,
    pub(super) settings: watch::Sender<Settings>,
}

/// Nothing that holds a lock calls the user's code: what is there is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(memory: Memory, settings: Settings) -> Arc<Shared> {
        Arc::new(Shared {
            memory: Mutex::new(memory),
            pending: Mutex::default(),
            stats: Mutex::default(),
            state: watch::Sender::default(),
            settings: watch::Sender::new(settings),
        })
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut PollStats)) {
        count(&mut lock(&self.stats));
    }

    pub(super) fn cursor(&self) -> Cursor {
        let memory = self.memory();
        let pending = self.pending();
        Cursor::of(&memory.seen, &memory.reach, &pending)
    }

    pub(super) fn stats(&self) -> PollStats {
        let memory = self.memory();
        let unacknowledged = self.pending().len();
        let stats = *lock(&self.stats);
        PollStats {
            remembered: memory.seen.len(),
            horizon: memory.reach.horizon(),
            unacknowledged,
            ..stats
        }
    }
}
