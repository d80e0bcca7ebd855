//! The live keys of a keyed operator, what belongs to each, and which of them goes.

use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::keys::Keys;
use crate::engine::{Alarm, Cx, NodeId, Time};

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

    /// The number of `key`, which is used now; or its hash. When that is by the clock is not noted:
    /// [`saw`](KeyTable::saw) does, for many.
    #[inline]
    fn number(&mut self, key: &K) -> Result<u32, u64> {
        let hash = self.hasher.hash_one(key);
        let Some(place) = self.table.find_mut(hash, |place| place.key == *key) else {
            return Err(hash);
        };
        self.uses += 1;
        place.used = self.uses;
        Ok(place.number)
    }

    /// What belongs to `key`, which is used now, with its number; or its hash, to
    /// [`insert`](KeyTable::insert) it with.
    #[inline]
    pub(super) fn find(&mut self, key: &K, now: Time) -> Result<(u32, &mut V), u64> {
        let hash = self.hasher.hash_one(key);
        let Some(place) = self.table.find_mut(hash, |place| place.key == *key) else {
            return Err(hash);
        };
        self.uses += 1;
        place.used = self.uses;
        if let Some(seen) = self.seen.get_mut(place.number as usize) {
            *seen = now;
        }
        Ok((place.number, &mut place.value))
    }

    /// These keys were used now, by the clock.
    fn saw(&mut self, numbers: &[u32], now: Time) {
        if self.keys.is_timed() {
            for number in numbers {
                if let Some(seen) = self.seen.get_mut(*number as usize) {
                    *seen = now;
                }
            }
        }
    }

    /// The number that the next new key gets. Numbers are small: those of keys that are gone are used
    /// again.
    pub(super) fn next_number(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.table.len() as u32)
    }

    /// Adds a key that is not known, used now. The caller has made room.
    pub(super) fn insert(&mut self, hash: u64, key: K, value: V, now: Time) -> &mut V {
        self.uses += 1;
        let (used, seen) = (self.uses, now);
        let number = self.next_number();
        self.free.pop();
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
        self.order.push(Used {
            used,
            seen,
            hash,
            number,
        });
        let hasher = &self.hasher;
        let rehash = |place: &Place<K, V>| hasher.hash_one(&place.key);
        let entry = self.table.insert_unique(hash, place, rehash);
        &mut entry.into_mut().value
    }

    /// Takes out the key that was used least recently, with its number and what belongs to it.
    pub(super) fn pop(&mut self) -> Option<(u32, K, V)> {
        self.settle_top()?;
        self.pop_top()
    }

    /// Takes out a key that has been idle for too long at `now`, the longest idle first.
    pub(super) fn pop_idle(&mut self, now: Time) -> Option<(u32, K, V)> {
        let idle = self.keys.idle?;
        // What the heap says is too early at the most: no need to look at keys before that.
        if self.order.peek()?.seen + idle > now || self.settle_top()? + idle > now {
            return None;
        }
        let gone = self.pop_top();
        if self.table.is_empty() {
            // Nobody lives: what a rush of keys has taken is given back.
            self.table = HashTable::new();
            (self.seen, self.free) = (Vec::new(), Vec::new());
        }
        gone
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

    fn pop_top(&mut self) -> Option<(u32, K, V)> {
        let Used { hash, number, .. } = self.order.pop()?;
        let entry = self.table.find_entry(hash, |place| place.number == number);
        let (place, _) = entry.ok()?.remove();
        self.free.push(number);
        Some((number, place.key, place.value))
    }
}

/// What becomes of a batch, key by key: the keys of its elements are looked up first and used after.
/// Looking up waits for memory, and lookups that follow each other closely wait together.
#[derive(Default)]
pub(super) struct Ahead {
    numbers: Vec<u32>,
    /// Whether elements that followed each other had one key, in what was looked up last: then they may again.
    alike: bool,
}

impl Ahead {
    /// Looks up the keys of `items` up to the first that is not known, and hands it over with its
    /// hash. The order of uses is as if each had been looked up in its turn.
    ///
    /// `begun` is the number of the first key, where that was looked up already.
    #[inline]
    pub(super) fn look<T, K: Hash + Eq, V>(
        &mut self,
        items: &[T],
        begun: Option<u32>,
        key: &mut impl FnMut(&T) -> K,
        table: &mut KeyTable<K, V>,
        now: Time,
    ) -> Option<(u64, K)> {
        // Written to in place: whether there is room need not be asked for each.
        self.numbers.resize(items.len(), 0);
        let known = usize::from(begun.is_some()).min(items.len());
        let (first, rest) = self.numbers.split_at_mut(known);
        first.fill(begun.unwrap_or_default());
        let (latest, rest) = (begun.unwrap_or(u32::MAX), rest.iter_mut());
        let unknown = items[known..].iter().zip(rest);
        let (found, new) = match self.alike {
            true => look_for_streaks(unknown, latest, key, table),
            false => look_for_each(unknown, key, table),
        };
        self.numbers.truncate(known + found);
        table.saw(&self.numbers, now);
        new
    }

    /// The numbers of the keys that were found, and whether two that follow each other are the same.
    #[inline]
    pub(super) fn numbers(&mut self) -> (&[u32], bool) {
        let after = self.numbers.get(1..).unwrap_or_default();
        let pairs = self.numbers.iter().zip(after);
        self.alike = pairs.fold(false, |alike, (one, other)| alike | (one == other));
        (&self.numbers, self.alike)
    }
}

/// Looks up keys up to the first that is not known. Returns how many are, and that one with its hash.
#[inline]
fn look_for_each<'a, T: 'a, K: Hash + Eq, V>(
    items: impl Iterator<Item = (&'a T, &'a mut u32)>,
    key: &mut impl FnMut(&T) -> K,
    table: &mut KeyTable<K, V>,
) -> (usize, Option<(u64, K)>) {
    let mut found = 0;
    for (item, number) in items {
        let key = key(item);
        match table.number(&key) {
            Ok(known) => *number = known,
            Err(hash) => return (found, Some((hash, key))),
        }
        found += 1;
    }
    (found, None)
}

/// As [`look_for_each`]. What follows two elements of one key often has it, too: it is compared, and not looked
/// up. `latest` is the number of the key before.
#[inline(never)]
fn look_for_streaks<'a, T: 'a, K: Hash + Eq, V>(
    items: impl Iterator<Item = (&'a T, &'a mut u32)>,
    mut latest: u32,
    key: &mut impl FnMut(&T) -> K,
    table: &mut KeyTable<K, V>,
) -> (usize, Option<(u64, K)>) {
    let (mut found, mut streak) = (0, None);
    for (item, number) in items {
        let key = key(item);
        if streak.as_ref() == Some(&key) {
            *number = latest;
        } else {
            match table.number(&key) {
                Ok(known) => {
                    *number = known;
                    streak = (known == latest).then_some(key);
                    latest = known;
                }
                Err(hash) => return (found, Some((hash, key))),
            }
        }
        found += 1;
    }
    (found, None)
}
