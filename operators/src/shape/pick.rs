//! What `pluck` can pick from what, and what it says where there is nothing.

use std::error::Error;
use std::fmt;

/// Picks a part of a `C`: what [`Flow::pluck`](crate::Flow::pluck) is given.
///
/// | from | by |
/// | --- | --- |
/// | `Vec<T>`, `VecDeque<T>`, `Box<[T]>`, `[T; N]` | `usize`, an index |
/// | `HashMap<K, V>`, `BTreeMap<K, V>` | a `&'static` key (`"name"` for `String` and `&str`), or [`Key`](crate::Key), any key |
/// | a tuple of up to eight items | [`Nth::<1>`](crate::Nth), an index in the type: items differ in theirs |
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
