use super::Aggregate;

/// How many elements there are, as a `u64`.
///
/// Takes elements of any type.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Count};
///
/// assert_eq!(Count.fold(&["a", "b"]), Some(2));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "len")]
pub struct Count;

impl<T> Aggregate<T> for Count {
    type State = u64;
    type Output = u64;

    #[inline]
    fn lift(&self, _: &T) -> u64 {
        1
    }

    #[inline]
    fn merge(&self, left: &mut u64, right: &u64) {
        *left += right;
    }

    #[inline]
    fn finish(&self, state: &u64) -> u64 {
        *state
    }
}
