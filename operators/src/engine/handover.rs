//! `Handover`: a value for a node that is at work already, and which the node takes when it next looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by a handle and its node. Of several values that nobody has taken, the last one stands.
pub(crate) struct Handover<A>(Arc<Desk<A>>);

struct Desk<A> {
    /// Whether something lies there: who looks often should not have to lock.
    is_new: AtomicBool,
    value: Mutex<Option<A>>,
}

impl<A> Handover<A> {
    pub(crate) fn put(&self, value: A) {
        // What was there is dropped once the lock is free.
        let _before = self.value().replace(value);
        self.0.is_new.store(true, Ordering::Release);
    }

    /// What was put there since the last time.
    #[inline]
    pub(super) fn take(&self) -> Option<A> {
        match self.0.is_new.load(Ordering::Relaxed) {
            true => self.take_new(),
            false => None,
        }
    }

    #[cold]
    fn take_new(&self) -> Option<A> {
        let mut value = self.value();
        self.0.is_new.store(false, Ordering::Relaxed);
        value.take()
    }

    /// Nothing of a user's runs under this lock.
    fn value(&self) -> MutexGuard<'_, Option<A>> {
        self.0.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Default for Handover<A> {
    fn default() -> Self {
        Handover(Arc::new(Desk {
            is_new: AtomicBool::new(false),
            value: Mutex::new(None),
        }))
    }
}

impl<A> Clone for Handover<A> {
    fn clone(&self) -> Self {
        Handover(self.0.clone())
    }
}
