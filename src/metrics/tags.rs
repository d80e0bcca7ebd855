//! Tags: what tells the series of one metric apart.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use super::interner::{self, Interned};
use super::shown::Shown;

/// The value of a tag: text, or a number or truth value that stays one.
///
/// Values of different kinds are different: the text `1` is not the number 1.
#[derive(Clone)]
pub enum TagValue {
    /// Text.
    Str(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

/// A tag's value, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum TagRef<'a> {
    /// Text.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

impl TagValue {
    /// The same, borrowed.
    #[inline]
    #[must_use]
    pub fn as_ref(&self) -> TagRef<'_> {
        match self {
            TagValue::Str(text) => TagRef::Str(text),
            TagValue::Int(int) => TagRef::Int(*int),
            TagValue::Float(float) => TagRef::Float(*float),
            TagValue::Bool(truth) => TagRef::Bool(*truth),
        }
    }
}

/// There are many NaNs, of either sign, which nobody can tell apart by their text: as tags they are one.
#[inline]
pub(super) fn one_nan(float: f64) -> f64 {
    if float.is_nan() { f64::NAN } else { float }
}

impl TagRef<'_> {
    /// The same, owned.
    #[must_use]
    pub fn to_value(self) -> TagValue {
        match self {
            TagRef::Str(text) => TagValue::Str(text.into()),
            TagRef::Int(int) => TagValue::Int(int),
            TagRef::Float(float) => TagValue::Float(float),
            TagRef::Bool(truth) => TagValue::Bool(truth),
        }
    }

    fn rank(self) -> u8 {
        match self {
            TagRef::Bool(_) => 0,
            TagRef::Int(_) => 1,
            TagRef::Float(_) => 2,
            TagRef::Str(_) => 3,
        }
    }
}

/// By kind first, then by value; floats by `f64::total_cmp`, but that all NaNs are one, as they look.
impl Ord for TagRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (TagRef::Str(left), TagRef::Str(right)) => left.cmp(right),
            (TagRef::Int(left), TagRef::Int(right)) => left.cmp(right),
            (TagRef::Float(left), TagRef::Float(right)) => {
                one_nan(*left).total_cmp(&one_nan(*right))
            }
            (TagRef::Bool(left), TagRef::Bool(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for TagRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As by [`Ord`], and quicker: text of another length is not looked at.
impl PartialEq for TagRef<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (TagRef::Str(left), TagRef::Str(right)) => left == right,
            (TagRef::Int(left), TagRef::Int(right)) => left == right,
            (TagRef::Float(left), TagRef::Float(right)) => {
                one_nan(*left).to_bits() == one_nan(*right).to_bits()
            }
            (TagRef::Bool(left), TagRef::Bool(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for TagRef<'_> {}

impl Hash for TagRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            TagRef::Str(text) => text.hash(state),
            TagRef::Int(int) => int.hash(state),
            TagRef::Float(float) => one_nan(*float).to_bits().hash(state),
            TagRef::Bool(truth) => truth.hash(state),
        }
    }
}

impl Ord for TagValue {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl PartialOrd for TagValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TagValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for TagValue {}

impl Hash for TagValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

/// Text as it is, without quotes.
impl fmt::Display for TagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagValue::Str(text) => fmt::Display::fmt(text, f),
            TagValue::Int(int) => fmt::Display::fmt(int, f),
            TagValue::Float(float) => fmt::Debug::fmt(float, f),
            TagValue::Bool(truth) => fmt::Display::fmt(truth, f),
        }
    }
}

/// Text in quotes.
impl fmt::Debug for TagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagValue::Str(text) => fmt::Debug::fmt(text, f),
            other => fmt::Display::fmt(other, f),
        }
    }
}

/// What can be the value of a tag: text, integers, floats, truth values.
///
/// A `u64` or `usize` beyond `i64::MAX` is the nearest float.
pub trait AsTag {
    /// As a tag's value.
    fn as_tag(&self) -> TagRef<'_>;
}

macro_rules! as_tag {
    ($($type:ty: $value:ident => $tag:expr;)+) => {$(
        impl AsTag for $type {
            #[inline]
            fn as_tag(&self) -> TagRef<'_> {
                let $value = self;
                $tag
            }
        }

        impl From<$type> for TagValue {
            fn from(value: $type) -> TagValue {
                value.as_tag().to_value()
            }
        }
    )+};
}

as_tag! {
    String: text => TagRef::Str(text);
    Arc<str>: text => TagRef::Str(text);
    bool: truth => TagRef::Bool(*truth);
    i8: int => TagRef::Int((*int).into());
    i16: int => TagRef::Int((*int).into());
    i32: int => TagRef::Int((*int).into());
    i64: int => TagRef::Int(*int);
    u8: int => TagRef::Int((*int).into());
    u16: int => TagRef::Int((*int).into());
    u32: int => TagRef::Int((*int).into());
    f32: float => TagRef::Float((*float).into());
    f64: float => TagRef::Float(*float);
    isize: int => TagRef::Int(*int as i64);
    u64: int => i64::try_from(*int).map_or(TagRef::Float(*int as f64), TagRef::Int);
    usize: int => i64::try_from(*int).map_or(TagRef::Float(*int as f64), TagRef::Int);
}

impl From<&str> for TagValue {
    fn from(text: &str) -> TagValue {
        TagValue::Str(text.into())
    }
}

impl AsTag for str {
    #[inline]
    fn as_tag(&self) -> TagRef<'_> {
        TagRef::Str(self)
    }
}

impl AsTag for TagValue {
    #[inline]
    fn as_tag(&self) -> TagRef<'_> {
        self.as_ref()
    }
}

impl<T: AsTag + ?Sized> AsTag for &T {
    #[inline]
    fn as_tag(&self) -> TagRef<'_> {
        (**self).as_tag()
    }
}

/// A set of tags: names, each with a value, sorted by name.
///
/// Equal sets are one: they are kept once for the whole program as long as somebody uses them, so that
/// a clone counts a reference, and to compare two looks at two addresses.
///
/// Methods take whatever can be tags ([`IntoTags`]): an array or a `Vec` of pairs, a map, `Tags`, or
/// `()` for none. If a name comes twice, the last one holds. Values of different kinds don't fit into
/// one array; [`tags!`](crate::tags) takes them together, and [`with`](Tags::with) one by one.
///
/// As text ([`key`](Tags::key)) a set survives the round trip, whatever is in it.
///
/// ```
/// use headwater::metrics::Tags;
///
/// let tags = Tags::from([("route", "/home"), ("host", "a")]).with("code", 200);
/// assert_eq!(tags.to_string(), "code=200 host=a route=/home");
/// assert_eq!(tags.get("host"), Some(&"a".into()));
/// assert_eq!(tags.key(), "code:200|host:a|route:/home");
/// assert_eq!(Tags::from_key(&tags.key())?, tags);
/// # Ok::<(), headwater::metrics::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Tags(Arc<Interned>);

pub(super) type Pair = (Arc<str>, TagValue);

impl Tags {
    /// No tags.
    #[must_use]
    pub fn new() -> Tags {
        Tags(interner::empty())
    }

    /// These and one more, or another value where the name is there already.
    #[must_use]
    pub fn with(&self, name: impl AsRef<str>, value: impl AsTag) -> Tags {
        let more = (name.as_ref(), value.as_tag());
        self.refs().chain([more]).collect()
    }

    /// These and `others`; where both have a name, the value of `others` holds.
    #[must_use]
    pub fn merged(&self, others: &Tags) -> Tags {
        match (self.is_empty(), others.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => others.clone(),
            _ => self.refs().chain(others.refs()).collect(),
        }
    }

    /// The value that goes with a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TagValue> {
        let pairs = self.0.pairs();
        let at = pairs.binary_search_by(|(known, _)| (**known).cmp(name));
        Some(&pairs[at.ok()?].1)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &TagValue)> {
        self.0.pairs().iter().map(|(name, value)| (&**name, value))
    }

    fn refs(&self) -> impl Iterator<Item = (&str, TagRef<'_>)> {
        self.iter().map(|(name, value)| (name, value.as_ref()))
    }

    pub(super) fn hash_code(&self) -> u64 {
        self.0.hash()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.pairs().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.pairs().is_empty()
    }
}

impl Default for Tags {
    fn default() -> Tags {
        Tags::new()
    }
}

impl PartialEq for Tags {
    #[inline]
    fn eq(&self, other: &Tags) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tags {}

impl Hash for Tags {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash());
    }
}

/// Tag by tag, in the order of names.
impl Ord for Tags {
    fn cmp(&self, other: &Tags) -> Ordering {
        match self == other {
            true => Ordering::Equal,
            false => self.0.pairs().cmp(other.0.pairs()),
        }
    }
}

impl PartialOrd for Tags {
    fn partial_cmp(&self, other: &Tags) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `host=a route=/home`, always on one line: of what is special only control characters are escaped, a newline
/// as `\n`. It is for people; [`key`](Tags::key) is what can be read back.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}=", Shown(name))?;
            match value {
                TagValue::Str(text) => write!(f, "{}", Shown(text))?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: AsRef<str>, V: AsTag> FromIterator<(N, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Tags {
        pairs.into_iter().collect::<SmallVec<[_; 8]>>().into_tags()
    }
}

impl AsTag for TagRef<'_> {
    fn as_tag(&self) -> TagRef<'_> {
        *self
    }
}

/// [`Tags`](crate::metrics::Tags) of values of any kinds.
///
/// ```
/// use headwater::tags;
///
/// let route = String::from("/home");
/// let tags = tags!["route" => route, "code" => 200, "cached" => true];
/// assert_eq!(tags.to_string(), "cached=true code=200 route=/home");
/// assert!(tags![].is_empty());
/// ```
#[macro_export]
macro_rules! tags {
    () => {
        $crate::metrics::Tags::new()
    };
    ($($name:expr => $value:expr),+ $(,)?) => {
        $crate::metrics::IntoTags::into_tags([
            $(($name, $crate::metrics::AsTag::as_tag(&$value))),+
        ])
    };
}

/// What tags are made from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be tags",
    note = "tags are an array or a `Vec` of pairs, such as `[(\"route\", \"/home\")]`, a map, `Tags`, or `()`",
    note = "values of different kinds are tags by `headwater::tags![\"route\" => \"/home\", \"code\" => 200]`"
)]
pub trait IntoTags {
    /// As tags.
    fn into_tags(self) -> Tags;

    /// Lends them to `work` as they are, in any order, and perhaps a name twice: for who knows them already.
    #[doc(hidden)]
    fn lend<R>(self, work: impl FnOnce(&[(&str, TagRef<'_>)]) -> R) -> R
    where
        Self: Sized,
    {
        let tags = self.into_tags();
        work(&tags.refs().collect::<SmallVec<[_; 8]>>())
    }
}

/// Tags as they were given.
pub(super) type Refs<'a, 't> = &'a [(&'t str, TagRef<'t>)];

fn refs_of<N: AsRef<str>, V: AsTag>(pairs: &[(N, V)]) -> SmallVec<[(&str, TagRef<'_>); 8]> {
    let pairs = pairs.iter().map(|(n, v)| (n.as_ref(), v.as_tag()));
    pairs.collect()
}

/// The tags of these pairs. Nothing is allocated if they are known.
pub(super) fn tags_of(refs: &[(&str, TagRef<'_>)]) -> Tags {
    let mut refs: SmallVec<[(&str, TagRef<'_>); 8]> = refs.into();
    // Stable: of those with the same name, the last one is the last.
    refs.sort_by_key(|(name, _)| *name);
    let mut kept = 0;
    for at in 0..refs.len() {
        if at > 0 && refs[at].0 == refs[kept - 1].0 {
            kept -= 1;
        }
        refs[kept] = refs[at];
        kept += 1;
    }
    refs.truncate(kept);
    Tags(interner::intern(&refs))
}

impl IntoTags for () {
    fn into_tags(self) -> Tags {
        Tags::new()
    }

    fn lend<R>(self, work: impl FnOnce(&[(&str, TagRef<'_>)]) -> R) -> R {
        work(&[])
    }
}

impl IntoTags for Tags {
    fn into_tags(self) -> Tags {
        self
    }
}

impl IntoTags for &Tags {
    fn into_tags(self) -> Tags {
        self.clone()
    }
}

macro_rules! into_tags {
    ($(($($param:tt)*) $type:ty: $pairs:ident => $slice:expr;)+) => {$(
        impl<$($param)*> IntoTags for $type {
            fn into_tags(self) -> Tags {
                self.lend(tags_of)
            }

            fn lend<R>(self, work: impl FnOnce(&[(&str, TagRef<'_>)]) -> R) -> R {
                let $pairs = self;
                work(&refs_of($slice))
            }
        }
    )+};
}

/// What values are sent with, as a rule: lent as they stand there.
impl<N: AsRef<str>, V: AsTag, const LEN: usize> IntoTags for [(N, V); LEN] {
    fn into_tags(self) -> Tags {
        self.lend(tags_of)
    }

    #[inline]
    fn lend<R>(self, work: impl FnOnce(&[(&str, TagRef<'_>)]) -> R) -> R {
        work(&self.each_ref().map(|(n, v)| (n.as_ref(), v.as_tag())))
    }
}

into_tags! {
    (N: AsRef<str>, V: AsTag) Vec<(N, V)>: pairs => &pairs;
    (N: AsRef<str>, V: AsTag) &[(N, V)]: pairs => pairs;
    (N: AsRef<str>, V: AsTag) SmallVec<[(N, V); 8]>: pairs => &pairs;
    (N: AsRef<str>, V: AsTag) BTreeMap<N, V>: map => &map.into_iter().collect::<Vec<_>>();
    (N: AsRef<str>, V: AsTag, S) HashMap<N, V, S>: map => &map.into_iter().collect::<Vec<_>>();
}

impl<N: AsRef<str>, V: AsTag, const LEN: usize> From<[(N, V); LEN]> for Tags {
    fn from(pairs: [(N, V); LEN]) -> Tags {
        pairs.into_tags()
    }
}
