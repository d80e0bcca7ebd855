//! Counts of the commonest keys in bounded memory: for `TopK`, and for `frequencies`.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Up to `capacity` keys with their counts; after that, the *space-saving* summary: a new key takes the
/// place of one with the least count, and goes on from it.
///
/// Keys lie in the table, beside their counts; to count one touches nothing else. To find one with
/// the least count, a cursor runs over the places that keys were given as they came: a new key's
/// count is above the least, so no key behind the cursor can have it, and when the cursor comes to
/// the end the least has grown. As the counts sum up to the number n of elements, the least is
/// `n / capacity` at the most; that many times all places are searched, which is one step an element.
///
/// Summaries are merged as Cafaro, Pulimeno and Tempesta do: see [`TopK`](super::TopK).
#[derive(Debug, Clone)]
pub struct Counters<K> {
    hasher: DefaultHashBuilder,
    table: HashTable<Counted<K>>,
    /// The hash of the key at each place, by which the table finds it.
    places: Vec<u64>,
    capacity: usize,
    least: u64,
    cursor: usize,
    expired: u64,
    /// What a key that was not counted when summaries were merged may have come to by then.
    missed: u64,
}

#[derive(Debug, Clone)]
struct Counted<K> {
    key: K,
    count: u64,
}

impl<K: Clone + Hash + Eq> Counters<K> {
    /// A summary of `capacity` keys, which is at least 1. It grows as keys come.
    pub(crate) fn new(capacity: usize) -> Self {
        Counters {
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            places: Vec::new(),
            capacity,
            least: 0,
            cursor: 0,
            expired: 0,
            missed: 0,
        }
    }

    /// How often a key took the place of another.
    pub(crate) fn expired(&self) -> u64 {
        self.expired
    }

    /// Counts `key` once more, and says how often it came. Where it is new, its hash, to
    /// [`insert`](Counters::insert) it with.
    #[inline]
    pub(crate) fn count(&mut self, key: &K) -> Result<u64, u64> {
        let hash = self.hasher.hash_one(key);
        match self.table.find_mut(hash, |known| known.key == *key) {
            Some(known) => {
                known.count += 1;
                Ok(known.count)
            }
            None => Err(hash),
        }
    }

    /// Counts a key that is not counted yet, and says how often it came.
    #[cold]
    #[inline(never)]
    pub(crate) fn insert(&mut self, hash: u64, key: &K) -> u64 {
        let counted = if self.places.len() < self.capacity {
            self.places.push(hash);
            Counted {
                key: key.clone(),
                count: 1,
            }
        } else {
            self.expired += 1;
            let mut counted = self.take_least(hash);
            counted.key.clone_from(key);
            counted.count += 1;
            counted
        };
        let (count, hasher) = (counted.count, &self.hasher);
        self.table
            .insert_unique(hash, counted, |known| hasher.hash_one(&known.key));
        count
    }

    /// Counts `key` once more, whether it is known or not.
    #[inline]
    pub(super) fn add(&mut self, key: &K) {
        if let Err(hash) = self.count(key) {
            self.insert(hash, key);
        }
    }

    /// How often `key` came, where it is counted.
    fn get(&self, key: &K) -> Option<u64> {
        let hash = self.hasher.hash_one(key);
        let known = self.table.find(hash, |known| known.key == *key)?;
        Some(known.count)
    }

    /// What a key that is not counted may have come to. Those that went had the least count.
    fn missed(&self) -> u64 {
        self.missed.max(self.least)
    }

    /// The `k` commonest keys, the commonest first.
    pub(super) fn top(&self, k: usize) -> Vec<(K, u64)> {
        let mut counts: Vec<_> = self.table.iter().map(|known| known.count).collect();
        let least = match k.checked_sub(1).filter(|last| *last < counts.len()) {
            Some(last) => *counts.select_nth_unstable_by_key(last, |c| Reverse(*c)).1,
            None => 0,
        };
        let common = self.table.iter().filter(|known| known.count >= least);
        let mut top = in_order(common, &self.places, &self.hasher);
        // Those that came equally often have an order, too: a reading does not depend on hashes.
        top.sort_by_key(|known| known.count);
        let highest = top.into_iter().rev().take(k);
        highest
            .map(|known| (known.key.clone(), known.count))
            .collect()
    }

    /// Adds what `right` has counted. A key that only one side has counted may have come as often as
    /// the other side has [`missed`](Counters::missed).
    pub(super) fn merge(&mut self, right: &Counters<K>) {
        let missed = self.missed();
        let mut all = Vec::with_capacity(self.places.len() + right.places.len());
        for known in in_order(right.table.iter(), &right.places, &right.hasher) {
            if self.get(&known.key).is_none() {
                all.push(Counted {
                    key: known.key.clone(),
                    count: known.count + missed,
                });
            }
        }
        for mut known in in_order(self.table.drain(), &self.places, &self.hasher) {
            known.count += right.get(&known.key).unwrap_or(right.missed());
            all.push(known);
        }
        all.sort_by_key(|known| Reverse(known.count));
        self.missed = missed + right.missed();
        if let Some(dropped) = all.get(self.capacity) {
            self.missed = self.missed.max(dropped.count);
        }
        all.truncate(self.capacity);
        self.expired += right.expired;
        self.places.clear();
        let hasher = &self.hasher;
        for known in all {
            let hash = hasher.hash_one(&known.key);
            self.places.push(hash);
            self.table
                .insert_unique(hash, known, |known| hasher.hash_one(&known.key));
        }
        // The least is looked for anew.
        (self.least, self.cursor) = (0, self.places.len());
    }

    /// Takes out the first key that has the least count, and gives its place to the key with the hash
    /// `successor`.
    fn take_least(&mut self, successor: u64) -> Counted<K> {
        loop {
            while let Some(place) = self.places.get_mut(self.cursor) {
                let (hasher, least, hash) = (&self.hasher, self.least, *place);
                let here = |known: &Counted<K>| {
                    known.count == least && hasher.hash_one(&known.key) == hash
                };
                self.cursor += 1;
                if let Ok(entry) = self.table.find_entry(hash, here) {
                    *place = successor;
                    return entry.remove().0;
                }
            }
            let counts = self.table.iter().map(|known| known.count);
            self.least = counts.min().unwrap_or_default();
            self.cursor = 0;
        }
    }
}

/// Counted keys in the order of their places, of which there may be more.
fn in_order<K: Hash, C: Borrow<Counted<K>>>(
    counted: impl Iterator<Item = C>,
    places: &[u64],
    hasher: &DefaultHashBuilder,
) -> Vec<C> {
    let hash = |known: C| (hasher.hash_one(&known.borrow().key), places.len(), known);
    let mut all: Vec<_> = counted.map(hash).collect();
    all.sort_unstable_by_key(|(hash, ..)| *hash);
    for (at, place) in places.iter().enumerate() {
        let first = all.partition_point(|(hash, ..)| hash < place);
        // Keys with the same hash take the places that have it one after another.
        let same = all[first..]
            .iter_mut()
            .take_while(|(hash, ..)| hash == place);
        if let Some((_, free, _)) = same.into_iter().find(|(_, at, _)| *at == places.len()) {
            *free = at;
        }
    }
    all.sort_unstable_by_key(|(_, at, _)| *at);
    all.into_iter().map(|(.., known)| known).collect()
}
