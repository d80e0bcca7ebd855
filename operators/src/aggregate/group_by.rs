use std::fmt;
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Aggregate;

/// An aggregate for each key of the elements.
///
/// Reads as a `Vec` of keys with their readings, in the order in which the keys first came. A window
/// or partition folds with it as with any other aggregate, and what it holds grows with the number of
/// keys, not of elements.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::aggregate::{GroupBy, Of};
///
/// let source = Source::<(&str, f64)>::new();
/// let by_room = GroupBy::new(|r: &(&'static str, f64)| r.0, Of::new((Count, Mean), |r: &(&str, f64)| r.1));
/// let rooms = source.fold_partition(3, by_room).sink_to_list();
/// source.emit_all([("hall", 20.0), ("attic", 28.0), ("hall", 22.0)])?;
/// assert_eq!(rooms.take(), [[("hall", (2, 21.0)), ("attic", (1, 28.0))]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "group")]
#[doc(alias = "by_key")]
#[must_use = "an aggregate does nothing until a flow folds with it"]
pub struct GroupBy<F, A> {
    key: F,
    aggregate: A,
}

impl<F, A> GroupBy<F, A> {
    /// Folds the elements of each key with `aggregate`.
    pub fn new<T, K>(key: F, aggregate: A) -> Self
    where
        F: Fn(&T) -> K,
        A: Aggregate<T>,
    {
        GroupBy { key, aggregate }
    }
}

/// The keys so far, and their states.
#[derive(Debug, Clone)]
pub struct Groups<K, S> {
    hasher: DefaultHashBuilder,
    /// Where in `groups` a key is, found by its hash.
    places: HashTable<u32>,
    groups: Vec<(u64, K, S)>,
}

impl<K: Hash + Eq, S> Groups<K, S> {
    fn new() -> Self {
        Groups {
            hasher: DefaultHashBuilder::default(),
            places: HashTable::new(),
            groups: Vec::new(),
        }
    }

    /// The state of a key that is known, or its hash.
    #[inline]
    fn find(&mut self, key: &K) -> Result<&mut S, u64> {
        let hash = self.hasher.hash_one(key);
        let groups = &mut self.groups;
        let known = |at: &u32| groups[*at as usize].1 == *key;
        match self.places.find(hash, known) {
            Some(&at) => Ok(&mut groups[at as usize].2),
            None => Err(hash),
        }
    }

    fn add(&mut self, hash: u64, key: K, state: S) {
        let at = self.groups.len() as u32;
        self.groups.push((hash, key, state));
        let groups = &self.groups;
        self.places
            .insert_unique(hash, at, |at| groups[*at as usize].0);
    }
}

impl<T, K, F, A> Aggregate<T> for GroupBy<F, A>
where
    F: Fn(&T) -> K + Send + 'static,
    K: Hash + Eq + Clone + Send + 'static,
    A: Aggregate<T>,
{
    type State = Groups<K, A::State>;
    type Output = Vec<(K, A::Output)>;

    fn lift(&self, item: &T) -> Self::State {
        let mut groups = Groups::new();
        self.add(&mut groups, item);
        groups
    }

    #[inline]
    fn add(&self, groups: &mut Self::State, item: &T) {
        let key = (self.key)(item);
        match groups.find(&key) {
            Ok(state) => self.aggregate.add(state, item),
            Err(hash) => groups.add(hash, key, self.aggregate.lift(item)),
        }
    }

    fn merge(&self, left: &mut Self::State, right: &Self::State) {
        for (_, key, state) in &right.groups {
            match left.find(key) {
                Ok(known) => self.aggregate.merge(known, state),
                // Each state has a hasher of its own.
                Err(hash) => left.add(hash, key.clone(), state.clone()),
            }
        }
    }

    fn finish(&self, groups: &Self::State) -> Self::Output {
        let read =
            |(_, key, state): &(u64, K, A::State)| (key.clone(), self.aggregate.finish(state));
        groups.groups.iter().map(read).collect()
    }
}

impl<F, A: fmt::Debug> fmt::Debug for GroupBy<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupBy")
            .field("aggregate", &self.aggregate)
            .finish_non_exhaustive()
    }
}
