//! `Keys`: how many keys a keyed operator keeps, and for how long; and the table that keeps them.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::engine::Time;

/// The bound on the keys of a keyed operator: how many live at once, and how long one lives that
/// nothing comes for.
///
/// A key lives from its first element until it expires: when one key more comes than there may be,
/// the least recently used one goes; with [`idle`](Keys::idle), one also goes that has had no
/// element for so long. What an expired key held is emitted or dropped as the operator says, and
/// counted. A key that comes again after that begins anew.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let words = graph.source::<&str>();
/// let keys = Keys::max(1_000).idle(Duration::from_secs(60));
/// let counts = words
///     .map_with_state_by_key(|word| *word, keys, |_| 0, |count, _| {
///         *count += 1;
///         *count
///     })
///     .sink_to_list();
/// words.emit_all(["a", "b", "a"])?;
/// time.advance(Duration::from_secs(60));
/// words.emit("a")?;
/// assert_eq!(counts.take(), [1, 1, 2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    max: usize,
    idle: Option<Duration>,
}

impl Keys {
    /// Up to `n` keys live at once; for one more the least recently used expires.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    #[must_use]
    pub fn max(n: usize) -> Keys {
        assert!(
            n > 0,
            "`Keys::max(0)` would let no key live: allow at least 1"
        );
        Keys { max: n, idle: None }
    }

    /// A key that has had no element for `time`, on the graph's clock, expires too. It takes a timer,
    /// so the graph needs a driver.
    ///
    /// # Panics
    /// If `time` is zero.
    #[doc(alias = "ttl")]
    #[doc(alias = "time_to_idle")]
    #[track_caller]
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Keys {
        assert!(
            !time.is_zero(),
            "`idle` of zero would expire each key at once: give it a longer time"
        );
        self.idle = Some(time);
        self
    }

    pub(super) fn limit(&self) -> usize {
        self.max
    }

    pub(super) fn is_timed(&self) -> bool {
        self.idle.is_some()
    }
}

/// The live keys and what belongs to each.
///
/// Using a key writes to its own place and nowhere else: the order of use is not kept, but found when
/// a key is to expire. Each key has one entry in a heap, which says when it was used *at the
/// earliest*; an entry on top that is out of date is put right and sinks. So whoever is on top and
/// up to date was used least recently, and no key is corrected more often than it was used.
pub(super) struct KeyTable<K, V> {
    keys: Keys,
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    places: Vec<Option<Place<K, V>>>,
    free: Vec<u32>,
    order: BinaryHeap<Used>,
    uses: u64,
}

struct Place<K, V> {
    key: K,
    value: V,
    hash: u64,
    used: u64,
    seen: Time,
}

/// When a key was used at the earliest: as a number in the order of uses, and by the clock.
#[derive(PartialEq, Eq)]
struct Used {
    used: u64,
    seen: Time,
    at: u32,
}

impl Ord for Used {
    /// The earliest is the greatest, so that it is on top of the heap.
    fn cmp(&self, other: &Used) -> std::cmp::Ordering {
        other.used.cmp(&self.used)
    }
}

impl PartialOrd for Used {
    fn partial_cmp(&self, other: &Used) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Hash + Eq, V> KeyTable<K, V> {
    pub(super) fn new(keys: Keys) -> Self {
        KeyTable {
            keys,
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            places: Vec::new(),
            free: Vec::new(),
            order: BinaryHeap::new(),
            uses: 0,
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.keys.max
    }

    /// The place of `key`, which is used now; or its hash, to [`insert`](KeyTable::insert) it with.
    #[inline]
    pub(super) fn find(&mut self, key: &K, now: Time) -> Result<u32, u64> {
        let hash = self.hasher.hash_one(key);
        let places = &self.places;
        let known = |at: &u32| matches!(&places[*at as usize], Some(place) if place.key == *key);
        let Some(&at) = self.table.find(hash, known) else {
            return Err(hash);
        };
        self.uses += 1;
        if let Some(place) = &mut self.places[at as usize] {
            place.used = self.uses;
            place.seen = now;
        }
        Ok(at)
    }

    /// Adds a key that is not known, used now. The caller has made room.
    pub(super) fn insert(&mut self, hash: u64, key: K, value: V, now: Time) -> u32 {
        self.uses += 1;
        let (used, seen) = (self.uses, now);
        let place = Some(Place {
            key,
            value,
            hash,
            used,
            seen,
        });
        let at = match self.free.pop() {
            Some(at) => {
                self.places[at as usize] = place;
                at
            }
            None => {
                self.places.push(place);
                (self.places.len() - 1) as u32
            }
        };
        let places = &self.places;
        let rehash = |at: &u32| places[*at as usize].as_ref().map_or(0, |place| place.hash);
        self.table.insert_unique(hash, at, rehash);
        self.order.push(Used { used, seen, at });
        at
    }

    #[inline]
    pub(super) fn value(&mut self, at: u32) -> Option<&mut V> {
        let place = self.places.get_mut(at as usize)?.as_mut();
        place.map(|place| &mut place.value)
    }

    pub(super) fn values(&mut self) -> impl Iterator<Item = &mut V> {
        self.places
            .iter_mut()
            .flatten()
            .map(|place| &mut place.value)
    }

    /// Takes out the key that was used least recently.
    pub(super) fn pop(&mut self) -> Option<(K, V)> {
        self.settle_top()?;
        self.pop_top()
    }

    /// Takes out a key that has been idle for too long at `now`, the longest idle first.
    pub(super) fn pop_idle(&mut self, now: Time) -> Option<(K, V)> {
        let idle = self.keys.idle?;
        // What the heap says is too early at the most: no need to look at places before that.
        if self.order.peek()?.seen + idle > now || self.settle_top()? + idle > now {
            return None;
        }
        self.pop_top()
    }

    /// When a key can have been idle for too long at the earliest.
    pub(super) fn deadline(&self) -> Option<Time> {
        Some(self.order.peek()?.seen + self.keys.idle?)
    }

    /// Puts the top of the heap right, and says when that key was used.
    fn settle_top(&mut self) -> Option<Time> {
        loop {
            let mut top = self.order.peek_mut()?;
            let Some(place) = &self.places[top.at as usize] else {
                PeekMut::pop(top);
                continue;
            };
            if top.used == place.used {
                return Some(place.seen);
            }
            (top.used, top.seen) = (place.used, place.seen);
        }
    }

    fn pop_top(&mut self) -> Option<(K, V)> {
        let at = self.order.pop()?.at;
        let place = self.places[at as usize].take()?;
        self.free.push(at);
        if let Ok(entry) = self.table.find_entry(place.hash, |other| *other == at) {
            entry.remove();
        }
        Some((place.key, place.value))
    }
}
