//! The runs of all keys, side by side in memory.

use std::any::Any;
use std::vec::Drain;

use crate::engine::{Cx, Push, Signal, Tail};
use crate::flow::InGraph;

/// The runs of keys, by the numbers of the keys.
///
/// Mostly the runs of all keys are of one type, which is known here only by what it does. So there is
/// one virtual call for a batch, and none for each element; and a run costs no allocation, and no
/// pointer to follow.
pub(super) trait Runs<T>: Any + Send {
    /// An element for the run of a key. Returns whether there is a run that hears it.
    fn push(&mut self, key: u32, item: T, cx: &mut Cx) -> bool;

    /// As many of the elements, from the first on, as there are `keys`, each for the run of its key.
    /// Returns how many were not heard. `alike`: some that follow each other have one key.
    fn push_each(&mut self, keys: &[u32], alike: bool, items: &mut Vec<T>, cx: &mut Cx) -> usize;

    /// A batch that is for the run of one key, as it is. Returns how many were not heard.
    fn push_all(&mut self, key: u32, items: &mut Vec<T>, cx: &mut Cx) -> usize;

    /// A signal for the run of a key. Returns whether there is one.
    fn signal(&mut self, key: u32, signal: Signal<'_>, cx: &mut Cx) -> bool;

    /// A signal for each run.
    fn signal_all(&mut self, signal: Signal<'_>, cx: &mut Cx);

    /// Adds a run that is of another type than most.
    fn put_apart(&mut self, key: u32, run: Tail<T>);

    /// Takes out the run of a key.
    fn take(&mut self, key: u32) -> Option<Tail<T>>;
}

/// Adds the run of a key.
pub(super) fn put<T: InGraph, N: Push<T>>(runs: &mut Option<Box<dyn Runs<T>>>, key: u32, run: N) {
    let runs = runs.get_or_insert_with(|| Box::new(Slab::<T, N>::new()));
    let any: &mut dyn Any = &mut **runs;
    match any.downcast_mut::<Slab<T, N>>() {
        Some(slab) => *slab.slot(key) = Slot::Here(run),
        None => runs.put_apart(key, Box::new(run)),
    }
}

/// Runs of the type that the first was of.
struct Slab<T, N> {
    slots: Vec<Slot<T, N>>,
    /// Elements that follow each other and have one key; empty between batches.
    alike: Vec<T>,
}

enum Slot<T, N> {
    /// No key has this number, or its run does not begin with the flow of the key.
    Empty,
    Here(N),
    /// A run of another type.
    Apart(Tail<T>),
}

impl<T: InGraph, N: Push<T>> Slab<T, N> {
    fn new() -> Self {
        Slab {
            slots: Vec::new(),
            alike: Vec::new(),
        }
    }

    /// Where the run of a new key goes.
    fn slot(&mut self, key: u32) -> &mut Slot<T, N> {
        let at = key as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || Slot::Empty);
        }
        &mut self.slots[at]
    }

    /// The next elements, for one run: a batch. Returns how many were not heard.
    #[inline(never)]
    fn push_alike(&mut self, key: u32, n: usize, items: &mut Drain<'_, T>, cx: &mut Cx) -> usize {
        self.alike.extend(items.take(n));
        match self.slots.get_mut(key as usize) {
            Some(Slot::Here(run)) => run.push_batch(&mut self.alike, cx),
            Some(Slot::Apart(run)) => run.push_batch(&mut self.alike, cx),
            _ => return self.alike.drain(..).count(),
        }
        0
    }

    /// As [`push_each`](Runs::push_each), where elements that follow each other and have one key go into
    /// its run as a batch.
    fn push_groups(&mut self, keys: &[u32], mut items: Drain<'_, T>, cx: &mut Cx) -> usize {
        let mut unheard = 0;
        for alike in keys.chunk_by(|one, other| one == other) {
            match (alike, items.len()) {
                ([], _) | (_, 0) => {}
                ([key], _) => {
                    if let Some(item) = items.next() {
                        unheard += usize::from(!self.push(*key, item, cx));
                    }
                }
                ([key, ..], _) => unheard += self.push_alike(*key, alike.len(), &mut items, cx),
            }
        }
        unheard
    }
}

/// Where the run of the key is not of the common type. Returns how many elements were not heard.
#[cold]
#[inline(never)]
fn push_apart<T: InGraph, N>(slot: Option<&mut Slot<T, N>>, item: T, cx: &mut Cx) -> usize {
    match slot {
        Some(Slot::Apart(run)) => {
            run.push(item, cx);
            0
        }
        _ => 1,
    }
}

impl<T: InGraph, N: Push<T>> Runs<T> for Slab<T, N> {
    fn push(&mut self, key: u32, item: T, cx: &mut Cx) -> bool {
        match self.slots.get_mut(key as usize) {
            Some(Slot::Here(run)) => {
                run.push(item, cx);
                true
            }
            slot => push_apart(slot, item, cx) == 0,
        }
    }

    fn push_each(&mut self, keys: &[u32], alike: bool, items: &mut Vec<T>, cx: &mut Cx) -> usize {
        let items = items.drain(..keys.len());
        if alike {
            return self.push_groups(keys, items, cx);
        }
        let (mut unheard, slots) = (0, &mut self.slots[..]);
        for (key, item) in keys.iter().zip(items) {
            match slots.get_mut(*key as usize) {
                Some(Slot::Here(run)) => run.push(item, cx),
                slot => unheard += push_apart(slot, item, cx),
            }
        }
        unheard
    }

    fn push_all(&mut self, key: u32, items: &mut Vec<T>, cx: &mut Cx) -> usize {
        match self.slots.get_mut(key as usize) {
            Some(Slot::Here(run)) => run.push_batch(items, cx),
            Some(Slot::Apart(run)) => run.push_batch(items, cx),
            _ => return items.drain(..).count(),
        }
        0
    }

    fn signal(&mut self, key: u32, signal: Signal<'_>, cx: &mut Cx) -> bool {
        match self.slots.get_mut(key as usize) {
            Some(Slot::Here(run)) => run.signal(signal, cx),
            Some(Slot::Apart(run)) => run.signal(signal, cx),
            _ => return false,
        }
        true
    }

    fn signal_all(&mut self, mut signal: Signal<'_>, cx: &mut Cx) {
        for slot in &mut self.slots {
            match slot {
                Slot::Empty => {}
                Slot::Here(run) => run.signal(signal.again(), cx),
                Slot::Apart(run) => run.signal(signal.again(), cx),
            }
        }
    }

    fn put_apart(&mut self, key: u32, run: Tail<T>) {
        *self.slot(key) = Slot::Apart(run);
    }

    fn take(&mut self, key: u32) -> Option<Tail<T>> {
        let slot = self.slots.get_mut(key as usize)?;
        match std::mem::replace(slot, Slot::Empty) {
            Slot::Empty => None,
            Slot::Here(run) => Some(Box::new(run)),
            Slot::Apart(run) => Some(run),
        }
    }
}
