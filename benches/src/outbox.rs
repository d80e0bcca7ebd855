//! Getting a result out of a closure that must own everything it touches.

use std::sync::{Arc, Mutex, PoisonError};

/// A number that stays a plain field while its closure runs, and leaves it when the closure is dropped.
///
/// A shared cell written for every element would be a store the loop cannot lift out, and would be
/// measured in place of the library.
pub(crate) struct Outbox<T: Copy = u64> {
    value: T,
    to: Arc<Mutex<T>>,
}

/// Where the number of an [`Outbox`] arrives.
pub(crate) struct Inbox<T = u64>(Arc<Mutex<T>>);

/// Both ends, for a whole number that starts at zero.
pub(crate) fn outbox() -> (Outbox, Inbox) {
    outbox_of(0)
}

/// Both ends.
pub(crate) fn outbox_of<T: Copy>(value: T) -> (Outbox<T>, Inbox<T>) {
    let to = Arc::new(Mutex::new(value));
    (
        Outbox {
            value,
            to: to.clone(),
        },
        Inbox(to),
    )
}

impl Outbox<u64> {
    /// Adds to the number.
    #[inline]
    pub(crate) fn add(&mut self, x: u64) {
        self.value = self.value.wrapping_add(x);
    }

    /// Mixes into the number so that the order counts.
    #[inline]
    pub(crate) fn mix(&mut self, x: u64) {
        self.value = self.value.rotate_left(1) ^ x;
    }
}

impl Outbox<f64> {
    /// Adds to the number.
    #[inline]
    pub(crate) fn add(&mut self, x: f64) {
        self.value += x;
    }
}

impl<T: Copy> Drop for Outbox<T> {
    fn drop(&mut self) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = self.value;
    }
}

impl<T: Copy> Inbox<T> {
    /// The number, once the closure that held the other end is gone.
    ///
    /// # Panics
    /// If the closure still lives, since the number would be a stale one.
    pub(crate) fn take(self) -> T {
        assert_eq!(
            Arc::strong_count(&self.0),
            1,
            "the closure that counts is still alive"
        );
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
