use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::{Aggregate, Slide};

/// How often each distinct element came, as a map.
///
/// The state and each reading have an entry for each distinct element, so it is for windows that
/// have few, or are bounded; [`TopK`](super::TopK) bounds the state. A window that slides counts up
/// and down, and copies the map with each reading.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Frequencies};
///
/// let counts = Frequencies.fold(&["a", "b", "a"]).unwrap();
/// assert_eq!((counts["a"], counts["b"]), (2, 1));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "value_counts")]
#[doc(alias = "histogram")]
#[doc(alias = "counts")]
pub struct Frequencies;

impl<T: Hash + Eq + Clone + Send + 'static> Aggregate<T> for Frequencies {
    type State = HashMap<T, u64>;
    type Output = HashMap<T, u64>;

    const SLIDES: bool = true;

    fn lift(&self, item: &T) -> HashMap<T, u64> {
        HashMap::from([(item.clone(), 1)])
    }

    #[inline]
    fn add(&self, state: &mut HashMap<T, u64>, item: &T) {
        count(state, item, 1);
    }

    fn merge(&self, left: &mut HashMap<T, u64>, right: &HashMap<T, u64>) {
        for (item, times) in right {
            count(left, item, *times);
        }
    }

    fn finish(&self, state: &HashMap<T, u64>) -> HashMap<T, u64> {
        state.clone()
    }

    fn slide(self) -> impl Slide<T, Output = HashMap<T, u64>> {
        Tally::new(|counts: &HashMap<T, u64>| counts.clone())
    }
}

/// Counts an element, which is only cloned the first time.
#[inline]
fn count<T: Hash + Eq + Clone>(counts: &mut HashMap<T, u64>, item: &T, times: u64) {
    match counts.get_mut(item) {
        Some(known) => *known += times,
        None => {
            counts.insert(item.clone(), times);
        }
    }
}

/// A window that slides and counts, exactly.
pub(super) struct Tally<T, F> {
    order: VecDeque<T>,
    counts: HashMap<T, u64>,
    read: F,
}

impl<T, F> Tally<T, F> {
    pub(super) fn new(read: F) -> Self {
        Tally {
            order: VecDeque::new(),
            counts: HashMap::new(),
            read,
        }
    }
}

impl<T, O, F> Slide<T> for Tally<T, F>
where
    T: Hash + Eq + Clone + Send + 'static,
    O: Send + 'static,
    F: Fn(&HashMap<T, u64>) -> O + Send + 'static,
{
    type Output = O;

    #[inline]
    fn push(&mut self, item: &T) {
        count(&mut self.counts, item, 1);
        self.order.push_back(item.clone());
    }

    #[inline]
    fn pop(&mut self) {
        let Some(oldest) = self.order.pop_front() else {
            return;
        };
        if let Some(times) = self.counts.get_mut(&oldest) {
            *times -= 1;
            if *times == 0 {
                self.counts.remove(&oldest);
            }
        }
    }

    #[inline]
    fn read(&mut self) -> Option<O> {
        (!self.order.is_empty()).then(|| (self.read)(&self.counts))
    }
}
