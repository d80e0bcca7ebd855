//! One buffer of a sharded source, and which thread sends into which.

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use spin::mutex::{SpinMutex, SpinMutexGuard};

/// How often somebody who wants a shard that is locked looks again at once, and then after yielding, before
/// it naps.
const SPINS: u32 = 64;
const YIELDS: u32 = 128;
const NAP: Duration = Duration::from_micros(50);

/// A cache line, and how much memory is fetched in advance at the most, in bytes.
const LINE: usize = 64;
const FETCHED: usize = 16 << 10;

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
/// Its lock is one that spins: nobody else wants it as a rule, and then it takes one locked instruction where
/// one that can put threads to sleep takes two. It is held for the move of an element or of a batch. No code of
/// users runs while it is locked: not even a destructor.
#[repr(align(128))]
pub(super) struct Shard<T>(SpinMutex<Buffer<T>>);

// As the docs of `Shards` say.
const _: () = assert!(size_of::<Shard<u64>>() == 128);

pub(super) struct Buffer<T> {
    /// What came last: one batch at the most.
    items: Vec<T>,
    /// How many of them there may be before somebody looks whether there is room: one, and then a batch, or
    /// what is left of the capacity.
    limit: usize,
    /// Batches before it that nobody has come for, the oldest first; then empty ones, whose memory is for
    /// those to come. There are never more of them together than lay here at once.
    behind: VecDeque<Vec<T>>,
    /// How many of those are not empty.
    full: u32,
    /// How many of the empty ones nobody has needed since somebody asked.
    unneeded: u32,
    /// How many elements lie in `behind`.
    in_behind: usize,
    /// How many have been taken out, ever.
    taken: u64,
    /// How many of those are through: they have reached a sink, or one that holds them.
    passed: u64,
    /// How many were dropped for want of room, since somebody asked.
    pub(super) overflown: u64,
    /// How many were dropped as the source took nothing more, since somebody asked.
    pub(super) unheard: u64,
}

impl<T> Buffer<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.in_behind + self.items.len()
    }

    /// Whether there is room for one more, without a look at the capacity.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.items.len() < self.limit
    }

    /// Adds an element, for which [there is room](Buffer::has_room). Returns 0 unless it is the first of
    /// its batch or the last: then, 1 or how many there are in all.
    #[inline]
    pub(super) fn push(&mut self, item: T, batch: usize) -> usize {
        self.items.push(item);
        match self.items.len() == self.limit {
            true => self.at_the_limit(batch),
            false => 0,
        }
    }

    /// See [`push`](Buffer::push). Out of line, so that nothing is worked out for those in between.
    #[cold]
    #[inline(never)]
    fn at_the_limit(&self, batch: usize) -> usize {
        match self.items.len() {
            1 if batch > 1 => 1,
            n => self.in_behind + n,
        }
    }

    /// Begins a batch, as nobody came for the last one, unless that would be too much. Also called for the
    /// first element after somebody came, and for the second of each batch.
    pub(super) fn make_room(&mut self, batch: usize, capacity: usize) -> bool {
        let mut room = capacity.saturating_sub(self.in_behind);
        if self.items.len() >= batch && room > self.items.len() {
            room -= self.items.len();
            self.set_behind();
        }
        let most = batch.min(room);
        let more = most.saturating_sub(self.items.len());
        self.items.reserve_exact(more);
        self.limit = match self.items.is_empty() {
            // The first one is looked at, and few may follow.
            true => most.min(1),
            false => most,
        };
        more > 0
    }

    /// Writes to the memory of the elements to come, once a cache line. Where another thread drains, the lines
    /// are in its processor's cache: here they are asked for all at once, and otherwise one by one, each waited
    /// for at the lock of an element.
    pub(super) fn fetch(&mut self) {
        let each = size_of::<T>().max(1);
        let more = self.limit - self.items.len();
        let ahead = self.items.spare_capacity_mut().iter_mut();
        ahead
            .take(more.min(FETCHED / each))
            .step_by((LINE / each).max(1))
            .for_each(|slot| *slot = MaybeUninit::zeroed());
    }

    /// Puts the last batch behind those that wait, and takes an empty one, where there is one.
    fn set_behind(&mut self) {
        self.in_behind += self.items.len();
        let full = self.full as usize;
        match self.behind.get_mut(full) {
            Some(empty) => std::mem::swap(empty, &mut self.items),
            None => self.behind.push_back(std::mem::take(&mut self.items)),
        }
        self.full += 1;
        self.unneeded = self.unneeded.min(self.empty());
    }

    /// How many empty batches there are.
    fn empty(&self) -> u32 {
        self.behind.len() as u32 - self.full
    }
}

impl<T> Shard<T> {
    pub(super) fn new() -> Shard<T> {
        Shard(SpinMutex::new(Buffer {
            items: Vec::new(),
            limit: 0,
            behind: VecDeque::new(),
            full: 0,
            unneeded: 0,
            in_behind: 0,
            taken: 0,
            passed: 0,
            overflown: 0,
            unheard: 0,
        }))
    }

    #[inline]
    pub(super) fn lock(&self) -> SpinMutexGuard<'_, Buffer<T>> {
        match self.0.try_lock_weak() {
            Some(buffer) => buffer,
            None => self.wait(),
        }
    }

    /// Somebody else has it, for some nanoseconds: unless the processor was taken from them meanwhile.
    #[cold]
    #[inline(never)]
    fn wait(&self) -> SpinMutexGuard<'_, Buffer<T>> {
        let mut attempt = 0_u32;
        loop {
            if !self.0.is_locked()
                && let Some(buffer) = self.0.try_lock()
            {
                return buffer;
            }
            match attempt {
                ..SPINS => std::hint::spin_loop(),
                SPINS..YIELDS => std::thread::yield_now(),
                // They may be of a lower priority, and would not run while this thread only yields.
                _ => std::thread::sleep(NAP),
            }
            attempt = attempt.saturating_add(1);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Moves the oldest elements, a batch or `most`, into `batch`, which is empty. A whole batch and
    /// `batch` change places, so that nothing is copied and both keep their memory. Returns how many
    /// they are.
    pub(super) fn take(&self, most: usize, batch: &mut Vec<T>) -> usize {
        let mut buffer = self.lock();
        let buffer = &mut *buffer;
        let waits = buffer.full > 0;
        let oldest = match buffer.behind.front_mut() {
            Some(oldest) if waits => oldest,
            _ => {
                // Whoever sends next looks what there is room for.
                buffer.limit = 0;
                &mut buffer.items
            }
        };
        if oldest.len() <= most {
            std::mem::swap(oldest, batch);
        } else {
            batch.extend(oldest.drain(..most));
        }
        if waits {
            buffer.in_behind -= batch.len();
            if buffer.behind[0].is_empty() {
                buffer.full -= 1;
                buffer.behind.rotate_left(1);
            }
        }
        buffer.taken += batch.len() as u64;
        batch.len()
    }

    /// Lets go of the memory that nobody has needed since this was called last.
    pub(super) fn tidy(&self) {
        loop {
            let mut buffer = self.lock();
            if buffer.unneeded == 0 {
                buffer.unneeded = buffer.empty();
                return;
            }
            buffer.unneeded -= 1;
            let memory = buffer.behind.pop_back();
            // Not under the lock.
            drop(buffer);
            drop(memory);
        }
    }

    /// Lets go of all memory that holds nothing, but for a batch's.
    pub(super) fn rest(&self) {
        let mut buffer = self.lock();
        if buffer.full == 0 {
            let memory = std::mem::take(&mut buffer.behind);
            buffer.unneeded = 0;
            drop(buffer);
            drop(memory);
        }
    }

    /// What was taken out is through.
    pub(super) fn note_passed(&self) {
        let mut buffer = self.lock();
        buffer.passed = buffer.taken;
    }

    /// Takes out everything.
    pub(super) fn take_all(&self) -> VecDeque<Vec<T>> {
        let mut buffer = self.lock();
        let mut all = std::mem::take(&mut buffer.behind);
        all.push_back(std::mem::take(&mut buffer.items));
        (buffer.in_behind, buffer.limit) = (0, 0);
        (buffer.full, buffer.unneeded) = (0, 0);
        buffer.taken += all.iter().map(|batch| batch.len() as u64).sum::<u64>();
        buffer.passed = buffer.taken;
        all
    }

    /// How many elements have come in, ever.
    pub(super) fn mark(&self) -> u64 {
        let buffer = self.lock();
        buffer.taken + buffer.len() as u64
    }

    /// Whether the elements that had come in at this mark are through.
    pub(super) fn has_passed(&self, mark: u64) -> bool {
        self.lock().passed >= mark
    }
}
