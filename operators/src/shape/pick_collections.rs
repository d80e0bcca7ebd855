//! What `pluck` picks from collections: by index from lists, by key from maps.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hash};

use super::pick::{NotFound, Pick, PickEach};

// ---- by index ----

macro_rules! by_index {
    (($($n:tt)*) $list:ty, $from:ident, $index:ident => $take:expr) => {
        impl<T $($n)*> Pick<$list> for usize {
            type Part = T;

            #[inline]
            fn pick(&self, $from: $list) -> Result<T, (NotFound, $list)> {
                let $index = *self;
                if $index < $from.len() {
                    if let Some(part) = $take {
                        return Ok(part);
                    }
                    unreachable!("the index was compared with the length");
                }
                Err((NotFound::index($index, $from.len()), $from))
            }
        }

        impl<T: Clone $($n)*> PickEach<$list> for usize {
            #[inline]
            fn pick_clone(&self, from: &$list) -> Result<T, NotFound> {
                let part = from.get(*self).cloned();
                part.ok_or_else(|| NotFound::index(*self, from.len()))
            }
        }
    };
}

by_index!(() Vec<T>, from, index => from.into_iter().nth(index));
by_index!(() VecDeque<T>, from, index => from.into_iter().nth(index));
by_index!(() Box<[T]>, from, index => from.into_iter().nth(index));
by_index!((, const N: usize) [T; N], from, index => from.into_iter().nth(index));

// ---- by key ----

/// Any key, for [`pluck`](crate::Flow::pluck)ing from maps: `pluck(Key(id))`.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::Key;
/// use std::collections::HashMap;
///
/// let id = std::env::args().count() as u64;
/// let source = Source::<HashMap<u64, &str>>::new();
/// let names = source.pluck(Key(id)).sink_to_list();
/// source.emit(HashMap::from([(id, "head"), (id + 1, "water")]))?;
/// assert_eq!(names.take(), ["head"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<Q>(pub Q);

macro_rules! by_key {
    ($what:ty, ($($sized:tt)*), $what_is:ident => $key:expr) => {
        impl<K, V, S, Q> Pick<HashMap<K, V, S>> for $what
        where
            K: Hash + Eq + Borrow<Q>,
            S: BuildHasher,
            Q: Hash + Eq + fmt::Debug $($sized)*,
        {
            type Part = V;

            #[inline]
            fn pick(&self, mut from: HashMap<K, V, S>) -> Result<V, (NotFound, HashMap<K, V, S>)> {
                let $what_is = self;
                let part = from.remove($key);
                part.ok_or_else(|| (NotFound::key($key, from.len()), from))
            }
        }

        impl<K, V, S, Q> PickEach<HashMap<K, V, S>> for $what
        where
            K: Hash + Eq + Borrow<Q>,
            V: Clone,
            S: BuildHasher,
            Q: Hash + Eq + fmt::Debug $($sized)*,
        {
            #[inline]
            fn pick_clone(&self, from: &HashMap<K, V, S>) -> Result<V, NotFound> {
                let $what_is = self;
                let part = from.get($key).cloned();
                part.ok_or_else(|| NotFound::key($key, from.len()))
            }
        }

        impl<K, V, Q> Pick<BTreeMap<K, V>> for $what
        where
            K: Ord + Borrow<Q>,
            Q: Ord + fmt::Debug $($sized)*,
        {
            type Part = V;

            #[inline]
            fn pick(&self, mut from: BTreeMap<K, V>) -> Result<V, (NotFound, BTreeMap<K, V>)> {
                let $what_is = self;
                let part = from.remove($key);
                part.ok_or_else(|| (NotFound::key($key, from.len()), from))
            }
        }

        impl<K, V, Q> PickEach<BTreeMap<K, V>> for $what
        where
            K: Ord + Borrow<Q>,
            V: Clone,
            Q: Ord + fmt::Debug $($sized)*,
        {
            #[inline]
            fn pick_clone(&self, from: &BTreeMap<K, V>) -> Result<V, NotFound> {
                let $what_is = self;
                let part = from.get($key).cloned();
                part.ok_or_else(|| NotFound::key($key, from.len()))
            }
        }
    };
}

by_key!(&Q, (+ ?Sized), key => *key);
by_key!(Key<Q>, (), key => &key.0);
