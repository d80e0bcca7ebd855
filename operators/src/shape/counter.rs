//! Counts of the commonest keys: a bounded summary for `frequencies`.

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
pub(super) struct Counter<K> {
    hasher: DefaultHashBuilder,
    table: HashTable<Counted<K>>,
    /// The hash of the key at each place, by which the table finds it.
    places: Vec<u64>,
    capacity: usize,
    least: u64,
    cursor: usize,
    expired: u64,
}

struct Counted<K> {
    key: K,
    count: u64,
}

impl<K: Clone + Hash + Eq> Counter<K> {
    /// A summary of `capacity` keys, which is at least 1. It grows as keys come.
    pub(super) fn new(capacity: usize) -> Self {
        Counter {
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            places: Vec::new(),
            capacity,
            least: 0,
            cursor: 0,
            expired: 0,
        }
    }

    /// How often a key took the place of another.
    pub(super) fn expired(&self) -> u64 {
        self.expired
    }

    /// Counts `key` once more, and says how often it came. Where it is new, its hash, to
    /// [`insert`](Counter::insert) it with.
    #[inline]
    pub(super) fn count(&mut self, key: &K) -> Result<u64, u64> {
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
    pub(super) fn insert(&mut self, hash: u64, key: &K) -> u64 {
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
