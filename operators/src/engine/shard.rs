//! One buffer of a sharded source, and which thread sends into which.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

thread_local! {
    /// This thread's number, given when it sends for the first time.
    static SLOT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The calling thread's number: consecutive, so that a few threads never share a shard.
#[inline]
pub(super) fn slot() -> usize {
    match SLOT.get() {
        usize::MAX => take_slot(),
        slot => slot,
    }
}

#[cold]
fn take_slot() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let slot = NEXT.fetch_add(1, Ordering::Relaxed);
    SLOT.set(slot);
    slot
}

/// Elements of the threads that send here. On cache lines of its own, two of them, as processors fetch
/// them in pairs.
///
/// No code of users runs while it is locked: not even a destructor.
#[repr(align(128))]
pub(super) struct Shard<T>(Mutex<Buffer<T>>);

pub(super) struct Buffer<T> {
    pub(super) items: Vec<T>,
    /// How many have been taken out, ever.
    pub(super) taken: u64,
    /// How many were dropped for want of room, since somebody asked.
    pub(super) overflown: u64,
    /// How many were dropped as the source took nothing more, since somebody asked.
    pub(super) unheard: u64,
}

impl<T> Shard<T> {
    pub(super) fn new() -> Shard<T> {
        Shard(Mutex::new(Buffer {
            items: Vec::new(),
            taken: 0,
            overflown: 0,
            unheard: 0,
        }))
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Buffer<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Moves the first `most` elements into `batch`, which is empty: where that is all of them the two
    /// change places, so that nothing is copied and both keep their memory.
    pub(super) fn take(&self, most: usize, batch: &mut Vec<T>) {
        let mut buffer = self.lock();
        if buffer.items.len() <= most {
            std::mem::swap(&mut buffer.items, batch);
        } else {
            batch.extend(buffer.items.drain(..most));
        }
        buffer.taken += batch.len() as u64;
    }

    /// How many elements have come in, ever.
    pub(super) fn mark(&self) -> u64 {
        let buffer = self.lock();
        buffer.taken + buffer.items.len() as u64
    }
}
