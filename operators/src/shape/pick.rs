//! What `pluck` can pick from what: keys and indices, lists of them, and the places of tuples.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// Picks a part of a `C`: what [`Flow::pluck`](crate::Flow::pluck) is given.
///
/// | from | by |
/// | --- | --- |
/// | `Vec<T>`, `VecDeque<T>`, `Box<[T]>`, `[T; N]` | `usize`, an index |
/// | `HashMap<K, V>`, `BTreeMap<K, V>` | a `&'static` key (`"name"` for `String` and `&str`), or [`Key`], any key |
/// | a tuple of up to eight items | [`Nth::<1>`](Nth), an index in the type: items differ in theirs |
/// | `serde_json::Value` (feature `json`) | `&'static str` or `String`, a name in an object; `usize`, an index of an array |
///
/// Of several, each is cloned: a `Vec` of picks gives a `Vec` of parts, an array an array, and a tuple,
/// whose picks may be of several types, a tuple.
///
/// Implement it (and [`PickEach`], for lists) to pick from types of your own:
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::{NotFound, Pick};
///
/// struct Packet {
///     bytes: Vec<u8>,
/// }
///
/// /// A 16 bit field, at this offset.
/// struct Field(usize);
///
/// impl Pick<Packet> for Field {
///     type Part = u16;
///
///     fn pick(&self, from: Packet) -> Result<u16, (NotFound, Packet)> {
///         match from.bytes.get(self.0..self.0 + 2) {
///             Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
///             _ => Err((NotFound::index(self.0, from.bytes.len()), from)),
///         }
///     }
/// }
///
/// let (source, packets) = Graph::new().pipe::<Packet>();
/// let ports = packets.pluck(Field(2)).sink_to_list();
/// source.emit(Packet { bytes: vec![0, 0, 0x1f, 0x90] })?;
/// assert_eq!(ports.take(), [8080]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`pluck` can't pick from `{C}` by `{Self}`",
    label = "picks nothing from `{C}`",
    note = "by index: `1` from `Vec`s and arrays, `Nth::<1>` from tuples; by key: `\"name\"` or `Key(id)` from maps; several: `[0, 2]`",
    note = "the field of a struct is `.map(|element| element.field)`; `serde_json::Value` needs the feature `json`"
)]
pub trait Pick<C> {
    /// What is picked.
    type Part;

    /// Takes the part out of `from`, or gives it back where it has no such part.
    ///
    /// # Errors
    /// [`NotFound`], and `from`.
    fn pick(&self, from: C) -> Result<Self::Part, (NotFound, C)>;
}

/// Picks a clone of a part: what lists are made of, since they may pick one part twice.
#[diagnostic::on_unimplemented(
    message = "`pluck` can't pick several parts from `{C}` by `{Self}`",
    label = "picks no clone from `{C}`",
    note = "each of several parts is cloned, so it must be `Clone`"
)]
pub trait PickEach<C>: Pick<C> {
    /// Clones the part.
    ///
    /// # Errors
    /// [`NotFound`].
    fn pick_clone(&self, from: &C) -> Result<Self::Part, NotFound>;
}

/// What `pluck` should pick is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotFound {
    /// An index behind the end.
    Index {
        /// The index, counted from 0.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// A key that is not in the map.
    Key {
        /// The key, as `Debug` shows it.
        key: String,
        /// How many keys there are.
        len: usize,
    },
    /// A value that is neither an array nor an object, or not the one that was asked for.
    Kind {
        /// The key or index, as `Debug` shows it.
        what: String,
        /// What the value is: `a number`, for instance.
        found: &'static str,
    },
}

impl NotFound {
    /// No element at `index` among `len`.
    #[must_use]
    pub fn index(index: usize, len: usize) -> NotFound {
        NotFound::Index { index, len }
    }

    /// No `key` among `len`.
    #[must_use]
    pub fn key(key: &(impl fmt::Debug + ?Sized), len: usize) -> NotFound {
        let key = format!("{key:?}");
        NotFound::Key { key, len }
    }

    /// Nothing at `what`, as the value is not of a kind that has it: it is `found`.
    #[must_use]
    pub fn kind(what: &(impl fmt::Debug + ?Sized), found: &'static str) -> NotFound {
        let what = format!("{what:?}");
        NotFound::Kind { what, found }
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotFound::Index { index, len } => write!(f, "no index {index} among {len} elements"),
            NotFound::Key { key, len } => write!(f, "no key {key} among {len} keys"),
            NotFound::Kind { what, found } => write!(f, "no {what} in {found}"),
        }
    }
}

impl Error for NotFound {}

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

// ---- by the place in a tuple ----

/// The item of a tuple at an index, counted from 0, for [`pluck`](crate::Flow::pluck): `Nth::<1>`.
///
/// Items of a tuple differ in type, so their index must be known to the compiler. In a closure that
/// reads `.map(|tuple| tuple.1)`; this is for picks in a list with others, and for symmetry.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::Nth;
///
/// let source = Source::<(u32, &str, bool)>::new();
/// let names = source.pluck(Nth::<1>).sink_to_list();
/// let rest = source.pluck((Nth::<0>, Nth::<2>)).sink_to_list();
/// source.emit((7, "water", true))?;
/// assert_eq!(names.take(), ["water"]);
/// assert_eq!(rest.take(), [(7, true)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Nth<const N: usize>;

/// One tuple type and the items before, at and behind each place.
macro_rules! by_place {
    (@ ($($all:ident)+) $place:tt $part:ident) => {
        impl<$($all),+> Pick<($($all,)+)> for Nth<$place> {
            type Part = $part;

            #[inline]
            fn pick(&self, from: ($($all,)+)) -> Result<$part, (NotFound, ($($all,)+))> {
                Ok(from.$place)
            }
        }

        impl<$($all),+> PickEach<($($all,)+)> for Nth<$place>
        where
            $part: Clone,
        {
            #[inline]
            fn pick_clone(&self, from: &($($all,)+)) -> Result<$part, NotFound> {
                Ok(from.$place.clone())
            }
        }
    };
    ($all:tt: $($place:tt $part:ident)+) => {
        $(by_place!(@ $all $place $part);)+
    };
}

by_place!((A): 0 A);
by_place!((A B): 0 A 1 B);
by_place!((A B C): 0 A 1 B 2 C);
by_place!((A B C D): 0 A 1 B 2 C 3 D);
by_place!((A B C D E): 0 A 1 B 2 C 3 D 4 E);
by_place!((A B C D E F): 0 A 1 B 2 C 3 D 4 E 5 F);
by_place!((A B C D E F G): 0 A 1 B 2 C 3 D 4 E 5 F 6 G);
by_place!((A B C D E F G H): 0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H);

// ---- several ----

macro_rules! several {
    ($picks:ty, ($($generics:tt)*), $parts:ty, ($($bound:tt)*), $this:ident, $from:ident => $collect:expr) => {
        impl<C, $($generics)*> Pick<C> for $picks
        where
            $($bound)*
        {
            type Part = $parts;

            #[inline]
            fn pick(&self, from: C) -> Result<Self::Part, (NotFound, C)> {
                self.pick_clone(&from).map_err(|error| (error, from))
            }
        }

        impl<C, $($generics)*> PickEach<C> for $picks
        where
            $($bound)*
        {
            #[inline]
            fn pick_clone(&self, $from: &C) -> Result<Self::Part, NotFound> {
                let $this = self;
                $collect
            }
        }
    };
}

several!(Vec<W>, (W), Vec<W::Part>, (W: PickEach<C>), picks, from => {
    picks.iter().map(|pick| pick.pick_clone(from)).collect()
});

several!([W; N], (W, const N: usize), [W::Part; N], (W: PickEach<C>), picks, from => {
    // One after the other, and none after one that is not there.
    let mut missing = None;
    let parts = picks.each_ref().map(|pick| match &missing {
        Some(_) => None,
        None => pick.pick_clone(from).map_err(|error| missing = Some(error)).ok(),
    });
    match missing {
        Some(error) => Err(error),
        None => Ok(parts.map(|part| match part {
            Some(part) => part,
            None => unreachable!("none is missing"),
        })),
    }
});

macro_rules! several_of_types {
    ($($pick:ident $place:tt),+) => {
        several!(
            ($($pick,)+), ($($pick),+), ($($pick::Part,)+), ($($pick: PickEach<C>),+),
            picks, from => Ok(($(picks.$place.pick_clone(from)?,)+))
        );
    };
}

several_of_types!(W0 0);
several_of_types!(W0 0, W1 1);
several_of_types!(W0 0, W1 1, W2 2);
several_of_types!(W0 0, W1 1, W2 2, W3 3);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4, W5 5);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4, W5 5, W6 6);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4, W5 5, W6 6, W7 7);
