//! Counts of the commonest keys: a bounded summary for `frequencies`.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Up to `capacity` keys with their counts; after that, the *space-saving* summary: a new key takes the
/// place of one with the least count, and goes on from it.
///
/// Keys lie in a slab in the order in which they came; a table of indices finds them. To find one with
/// the least count, a cursor runs over the slab: a new key's count is above the least, so no key
/// behind the cursor can have it, and when the cursor comes to the end the least has grown. As the
/// counts sum up to the number n of elements, the least is `n / capacity` at the most; that many
/// times the slab is searched, which is one step an element.
pub(super) struct Counter<K> {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    places: Vec<Place<K>>,
    capacity: usize,
    least: u64,
    cursor: usize,
    expired: u64,
}

struct Place<K> {
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
            capacity: capacity.min(u32::MAX as usize),
            least: 0,
            cursor: 0,
            expired: 0,
        }
    }

    /// How often a key took the place of another.
    pub(super) fn expired(&self) -> u64 {
        self.expired
    }

    /// Counts `key` once more, and says how often it came. Only a new key is cloned.
    #[inline]
    pub(super) fn count(&mut self, key: &K) -> u64 {
        let hash = self.hasher.hash_one(key);
        let places = &mut self.places;
        match self.table.find(hash, |at| places[*at as usize].key == *key) {
            Some(&at) => {
                let count = &mut places[at as usize].count;
                *count += 1;
                *count
            }
            None => self.insert(hash, key),
        }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, hash: u64, key: &K) -> u64 {
        let (at, count) = if self.places.len() < self.capacity {
            self.places.push(Place {
                key: key.clone(),
                count: 1,
            });
            (self.places.len() - 1, 1)
        } else {
            self.expired += 1;
            let at = self.seek_least();
            let forgotten = self.hasher.hash_one(&self.places[at].key);
            let entry = |other: &u32| *other as usize == at;
            if let Ok(entry) = self.table.find_entry(forgotten, entry) {
                entry.remove();
            }
            let place = &mut self.places[at];
            place.key.clone_from(key);
            place.count += 1;
            (at, place.count)
        };
        let (places, hasher) = (&self.places, &self.hasher);
        self.table.insert_unique(hash, at as u32, |at| {
            hasher.hash_one(&places[*at as usize].key)
        });
        count
    }

    /// The first place with the least count.
    fn seek_least(&mut self) -> usize {
        loop {
            let rest = &self.places[self.cursor..];
            if let Some(at) = rest.iter().position(|place| place.count == self.least) {
                self.cursor += at;
                return self.cursor;
            }
            let counts = self.places.iter().map(|place| place.count);
            self.least = counts.min().unwrap_or_default();
            self.cursor = 0;
        }
    }
}
