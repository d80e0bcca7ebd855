use super::Aggregate;

/// The first element: of a sliding window, the oldest it holds.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, First, Last};
///
/// let candle = (First, Last);
/// assert_eq!(candle.fold(&[7, 9, 8]), Some((7, 8)));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct First;

impl<T: Clone + Send + 'static> Aggregate<T> for First {
    type State = T;
    type Output = T;

    #[inline]
    fn lift(&self, item: &T) -> T {
        item.clone()
    }

    #[inline]
    fn add(&self, _: &mut T, _: &T) {}

    #[inline]
    fn merge(&self, _: &mut T, _: &T) {}

    #[inline]
    fn finish(&self, state: &T) -> T {
        state.clone()
    }
}

/// The last element.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Last};
///
/// assert_eq!(Last.fold(&["a", "b"]), Some("b"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Last;

impl<T: Clone + Send + 'static> Aggregate<T> for Last {
    type State = T;
    type Output = T;

    #[inline]
    fn lift(&self, item: &T) -> T {
        item.clone()
    }

    #[inline]
    fn add(&self, state: &mut T, item: &T) {
        state.clone_from(item);
    }

    #[inline]
    fn merge(&self, left: &mut T, right: &T) {
        left.clone_from(right);
    }

    #[inline]
    fn finish(&self, state: &T) -> T {
        state.clone()
    }
}
