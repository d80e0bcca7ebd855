//! The keys that were seen last: a bounded history for `unique`.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Up to `capacity` keys, in the order in which they were last seen.
///
/// Keys lie in a slab whose places are linked by index, newest first; a table of indices finds them.
/// So a key is hashed once, lies where it lay for as long as it is known, and in a full history the
/// newest takes the place of the oldest: nothing is allocated.
pub(super) struct Lru<K> {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    places: Vec<Place<K>>,
    capacity: u32,
    newest: u32,
    oldest: u32,
}

struct Place<K> {
    key: K,
    /// Kept, so that neither growth nor forgetting asks the key again.
    hash: u64,
    newer: u32,
    older: u32,
}

/// No place.
const NONE: u32 = u32::MAX;

impl<K: Hash + Eq> Lru<K> {
    /// A history of `capacity` keys, which is at least 1. It grows as keys come.
    pub(super) fn new(capacity: usize) -> Self {
        Lru {
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            places: Vec::new(),
            capacity: u32::try_from(capacity).unwrap_or(NONE).min(NONE - 1),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// Whether `key` is known: then it is the newest from now on. Otherwise its hash, to
    /// [`insert`](Lru::insert) it with.
    #[inline]
    pub(super) fn touch(&mut self, key: &K) -> Result<(), u64> {
        let hash = self.hasher.hash_one(key);
        let places = &self.places;
        let known = |at: &u32| places[*at as usize].key == *key;
        match self.table.find(hash, known) {
            Some(&at) => {
                if at != self.newest {
                    self.unlink(at);
                    self.link(at);
                }
                Ok(())
            }
            None => Err(hash),
        }
    }

    /// Adds a key that is not known, and forgets the oldest one where there is no room.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, key: K) {
        let at = if self.places.len() < self.capacity as usize {
            self.places.push(Place {
                key,
                hash,
                newer: NONE,
                older: NONE,
            });
            (self.places.len() - 1) as u32
        } else {
            let at = self.oldest;
            let forgotten = self.places[at as usize].hash;
            if let Ok(entry) = self.table.find_entry(forgotten, |other| *other == at) {
                entry.remove();
            }
            self.unlink(at);
            let place = &mut self.places[at as usize];
            (place.key, place.hash) = (key, hash);
            at
        };
        self.link(at);
        let places = &self.places;
        self.table
            .insert_unique(hash, at, |at| places[*at as usize].hash);
    }

    #[inline]
    fn unlink(&mut self, at: u32) {
        let Place { newer, older, .. } = self.places[at as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.places[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.places[older as usize].newer = newer,
        }
    }

    /// Puts an unlinked place in front of all.
    #[inline]
    fn link(&mut self, at: u32) {
        let second = self.newest;
        let place = &mut self.places[at as usize];
        (place.newer, place.older) = (NONE, second);
        match second {
            NONE => self.oldest = at,
            second => self.places[second as usize].newer = at,
        }
        self.newest = at;
    }
}
