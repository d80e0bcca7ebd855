//! `Keys`: how many keys a keyed operator keeps, and for how long; and the table that keeps them.

use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::engine::{Alarm, Cx, NodeId, Time};

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
    table: HashTable<Place<K, V>>,
    /// When each key was used, by the clock; empty where keys don't grow old.
    seen: Vec<Time>,
    /// Numbers that no key has.
    free: Vec<u32>,
    order: BinaryHeap<Used>,
    uses: u64,
}

/// Kept small: finding one is what most of the time goes into, where there are many.
struct Place<K, V> {
    key: K,
    /// Tells it from others with the same hash, without the key.
    number: u32,
    value: V,
    /// Its last use, in the order of uses.
    used: u64,
}

/// When a key was used at the earliest: in the order of uses, and by the clock.
#[derive(PartialEq, Eq)]
struct Used {
    used: u64,
    seen: Time,
    hash: u64,
    number: u32,
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
            seen: Vec::new(),
            free: Vec::new(),
            order: BinaryHeap::new(),
            uses: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.keys.max
    }

    /// Where `key`, which is used now, lies until the next change of keys; or its hash, to
    /// [`insert`](KeyTable::insert) it with.
    #[inline]
    pub(super) fn find(&mut self, key: &K, now: Time) -> Result<usize, u64> {
        let hash = self.hasher.hash_one(key);
        let Some(at) = self
            .table
            .find_bucket_index(hash, |place| place.key == *key)
        else {
            return Err(hash);
        };
        self.uses += 1;
        if let Some(place) = self.table.get_bucket_mut(at) {
            place.used = self.uses;
            if let Some(seen) = self.seen.get_mut(place.number as usize) {
                *seen = now;
            }
        }
        Ok(at)
    }

    /// Adds a key that is not known, used now, and says where it lies. The caller has made room.
    pub(super) fn insert(&mut self, hash: u64, key: K, value: V, now: Time) -> usize {
        self.uses += 1;
        let (used, seen) = (self.uses, now);
        let number = self.free.pop().unwrap_or(self.table.len() as u32);
        if self.keys.is_timed() {
            let at = number as usize;
            self.seen.resize(self.seen.len().max(at + 1), seen);
            self.seen[at] = seen;
        }
        let place = Place {
            key,
            number,
            value,
            used,
        };
        let hasher = &self.hasher;
        let rehash = |place: &Place<K, V>| hasher.hash_one(&place.key);
        self.table.insert_unique(hash, place, rehash);
        self.order.push(Used {
            used,
            seen,
            hash,
            number,
        });
        let at = self
            .table
            .find_bucket_index(hash, |place| place.number == number);
        at.unwrap_or_default()
    }

    #[inline]
    pub(super) fn value(&mut self, at: usize) -> Option<&mut V> {
        let place = self.table.get_bucket_mut(at);
        place.map(|place| &mut place.value)
    }

    pub(super) fn values(&mut self) -> impl Iterator<Item = &mut V> {
        self.table.iter_mut().map(|place| &mut place.value)
    }

    /// Takes out the key that was used least recently.
    pub(super) fn pop(&mut self) -> Option<(K, V)> {
        self.settle_top()?;
        self.pop_top()
    }

    /// Takes out a key that has been idle for too long at `now`, the longest idle first.
    pub(super) fn pop_idle(&mut self, now: Time) -> Option<(K, V)> {
        let idle = self.keys.idle?;
        // What the heap says is too early at the most: no need to look at keys before that.
        if self.order.peek()?.seen + idle > now || self.settle_top()? + idle > now {
            return None;
        }
        self.pop_top()
    }

    /// When a key can have been idle for too long at the earliest.
    pub(super) fn deadline(&self) -> Option<Time> {
        Some(self.order.peek()?.seen + self.keys.idle?)
    }

    /// Sees to it that the node is called when the next key can have been idle for too long.
    pub(super) fn arm(&self, alarm: &mut Alarm, id: NodeId, cx: &mut Cx) {
        if let Some(deadline) = self.deadline()
            // One that is overdue waits for room, and for no timer.
            && deadline > cx.now()
        {
            alarm.set(id, deadline, cx);
        }
    }

    /// What time it is, where keys grow old, and whether one may be overdue.
    #[inline]
    pub(super) fn time(&self, cx: &mut Cx) -> (Time, bool) {
        if !self.keys.is_timed() {
            return (Time::ZERO, false);
        }
        let now = cx.now();
        (now, self.deadline().is_some_and(|at| at <= now))
    }

    /// Puts the top of the heap right, and says when that key was used.
    fn settle_top(&mut self) -> Option<Time> {
        loop {
            let mut top = self.order.peek_mut()?;
            let number = top.number;
            let place = self.table.find(top.hash, |place| place.number == number)?;
            if top.used == place.used {
                return Some(top.seen);
            }
            let seen = self.seen.get(number as usize).copied();
            (top.used, top.seen) = (place.used, seen.unwrap_or_default());
        }
    }

    fn pop_top(&mut self) -> Option<(K, V)> {
        let Used { hash, number, .. } = self.order.pop()?;
        let entry = self.table.find_entry(hash, |place| place.number == number);
        let (place, _) = entry.ok()?.remove();
        self.free.push(number);
        Some((place.key, place.value))
    }
}

/// What becomes of a batch, key by key: the places of its elements are looked up first and used
/// after. Looking up waits for memory, and lookups that follow each other closely wait together.
#[derive(Default)]
pub(super) struct Ahead {
    places: Vec<usize>,
}

impl Ahead {
    /// Looks up the keys of `items` up to the first that is not known, and hands it over with its
    /// hash. The order of uses is as if each had been looked up in its turn.
    #[inline]
    pub(super) fn look<T, K: Hash + Eq, V>(
        &mut self,
        items: &[T],
        key: &mut impl FnMut(&T) -> K,
        table: &mut KeyTable<K, V>,
        now: Time,
    ) -> Option<(u64, K)> {
        self.places.clear();
        for item in items {
            let key = key(item);
            match table.find(&key, now) {
                Ok(at) => self.places.push(at),
                Err(hash) => return Some((hash, key)),
            }
        }
        None
    }

    /// The places that were found.
    #[inline]
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.places.iter().copied()
    }
}
