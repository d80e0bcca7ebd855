//! Elements of distinct keys: what `partition_unique` and `timed_window_unique` share.

use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::gather::Gather;
use crate::engine::{Cx, Lost, Token, Tokens};
use crate::flow::InGraph;

/// Which of several elements with one key a group keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// The first: later ones are dropped.
    #[default]
    First,
    /// The last: it takes the place of the one before it, at the end of the group.
    Last,
}

/// A group with at most one element a key. Those that it does not keep are dropped, as the user
/// wished: their lineage is done.
pub(super) struct Distinct<T, K, F> {
    key: F,
    keep: Keep,
    /// Where the element of each key is.
    places: HashMap<K, usize>,
    kept: Vec<Kept<T>>,
    came: u64,
    /// Whether one was replaced, so that they don't lie in the order in which they came.
    replaced: bool,
}

struct Kept<T> {
    /// How many came before it.
    came: u64,
    item: T,
    token: Token,
}

impl<T, K, F> Distinct<T, K, F> {
    pub(super) fn new(key: F, keep: Keep) -> Self {
        Distinct {
            key,
            keep,
            places: HashMap::new(),
            kept: Vec::new(),
            came: 0,
            replaced: false,
        }
    }
}

impl<T, K, F> Gather<T> for Distinct<T, K, F>
where
    T: InGraph,
    K: Hash + Eq + InGraph,
    F: FnMut(&T) -> K + InGraph,
{
    type Whole = Vec<T>;

    #[inline]
    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx) {
        for item in items {
            self.came += 1;
            let place = match self.places.entry((self.key)(&item)) {
                Entry::Occupied(_) if self.keep == Keep::First => continue,
                Entry::Occupied(known) => Some(*known.get()),
                Entry::Vacant(unknown) => {
                    unknown.insert(self.kept.len());
                    None
                }
            };
            let kept = Kept {
                came: self.came,
                item,
                token: cx.token.clone(),
            };
            match place.and_then(|place| self.kept.get_mut(place)) {
                Some(known) => {
                    *known = kept;
                    self.replaced = true;
                }
                None => self.kept.push(kept),
            }
        }
    }

    #[inline]
    fn count(&self) -> usize {
        self.kept.len()
    }

    #[inline]
    fn held(&self) -> usize {
        self.kept.len()
    }

    fn take(&mut self) -> Option<(Vec<T>, Token)> {
        if self.kept.is_empty() {
            return None;
        }
        self.places.clear();
        let mut kept = std::mem::take(&mut self.kept);
        if std::mem::take(&mut self.replaced) {
            kept.sort_unstable_by_key(|kept| kept.came);
        }
        let mut tokens = Tokens::default();
        let unpack = |kept: Kept<T>| {
            tokens.keep(kept.token);
            kept.item
        };
        let items = kept.into_iter().map(unpack).collect();
        Some((items, tokens.take()))
    }

    fn empty(&self) -> Option<Vec<T>> {
        Some(Vec::new())
    }
}

impl<T, K, F> Drop for Distinct<T, K, F> {
    fn drop(&mut self) {
        let kept = self.kept.iter();
        kept.for_each(|kept| kept.token.fail(Lost::TornDown));
    }
}
