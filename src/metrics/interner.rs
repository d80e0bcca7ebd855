//! Keeps each set of tags once, for as long as somebody uses it.

use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::tags::{Pair, TagRef};

/// A set of tags, sorted by name, each name once.
pub(super) struct Interned {
    pairs: Box<[Pair]>,
    hash: u64,
}

impl Interned {
    #[inline]
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    #[inline]
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    fn is(&self, refs: &[(&str, TagRef<'_>)]) -> bool {
        let known = self
            .pairs
            .iter()
            .map(|(name, value)| (&**name, value.as_ref()));
        self.pairs.len() == refs.len() && known.eq(refs.iter().copied())
    }
}

/// Sets whose hashes differ in the lowest bits don't wait for each other's lock.
const SHARDS: usize = 16;

static SHARDS_OF_SETS: LazyLock<[Mutex<Shard>; SHARDS]> = LazyLock::new(Default::default);
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);
static EMPTY: LazyLock<Arc<Interned>> = LazyLock::new(|| intern(&[]));

#[derive(Default)]
struct Shard {
    sets: HashTable<(u64, Weak<Interned>)>,
    /// How many there may be before those that nobody uses are looked for.
    limit: usize,
}

impl Shard {
    fn find(&self, hash: u64, refs: &[(&str, TagRef<'_>)]) -> Option<Arc<Interned>> {
        let mut found = None;
        self.sets.find(hash, |(known, set)| {
            if *known == hash
                && let Some(set) = set.upgrade()
                && set.is(refs)
            {
                found = Some(set);
            }
            found.is_some()
        });
        found
    }

    fn add(&mut self, set: &Arc<Interned>) {
        if self.sets.len() >= self.limit {
            self.sets.retain(|(_, set)| set.strong_count() > 0);
            // At least half of the work until the next look is sets that came since.
            self.limit = 64.max(self.sets.len() * 2);
        }
        let entry = (set.hash, Arc::downgrade(set));
        self.sets.insert_unique(set.hash, entry, |(hash, _)| *hash);
    }
}

/// The one set of these pairs, which are sorted by name, each name once.
pub(super) fn intern(refs: &[(&str, TagRef<'_>)]) -> Arc<Interned> {
    let hash = HASHER.hash_one(refs);
    let shard = &SHARDS_OF_SETS[hash as usize % SHARDS];
    let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
    shard.find(hash, refs).unwrap_or_else(|| {
        let pairs = refs
            .iter()
            .map(|(name, value)| ((*name).into(), value.to_value()));
        let set = Arc::new(Interned {
            pairs: pairs.collect(),
            hash,
        });
        shard.add(&set);
        set
    })
}

pub(super) fn empty() -> Arc<Interned> {
    EMPTY.clone()
}
