use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::frequencies::Tally;
use super::space_saving::Counters;
use super::{Aggregate, Of, Slide};

/// How many elements are counted for each one that is wanted, by default, and at the least.
const SPARE: usize = 10;
const LEAST: usize = 1_000;

/// The k elements that came most often, and how often, the most frequent first.
///
/// The counts are exact while there are no more distinct elements than counters
/// ([`counters`](TopK::counters): ten times k, at least 1 000). Beyond that it is the summary
/// "Space-Saving" of Metwally, Agrawal and El Abbadi ("Efficient Computation of Frequent and Top-k
/// Elements in Data Streams", ICDT 2005), merged as Cafaro, Pulimeno and Tempesta do ("A parallel
/// space saving algorithm for frequent items", Information Sciences 329, 2016): of n elements and m
/// counters, a count is never too low and at most n / m too high, and an element that came more often
/// than n / m times has a counter. A window that slides is exact.
///
/// Of elements that came equally often, any may come first.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, TopK};
///
/// let words = ["a", "b", "a", "c", "b", "a"];
/// assert_eq!(TopK::new(2).fold(&words), Some(vec![("a", 3), ("b", 2)]));
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias = "most_common")]
#[doc(alias = "heavy_hitters")]
#[doc(alias = "nlargest")]
#[must_use = "an aggregate does nothing until a flow folds with it"]
pub struct TopK {
    k: usize,
    counters: usize,
}

impl TopK {
    /// The `k` most frequent elements.
    ///
    /// # Panics
    /// If `k` is 0.
    #[track_caller]
    pub fn new(k: usize) -> Self {
        assert!(
            k > 0,
            "`TopK::new(0)` would read nothing: ask for at least 1 element"
        );
        let counters = k.saturating_mul(SPARE).max(LEAST);
        TopK { k, counters }
    }

    /// How many distinct elements are counted: more of them make the counts of the rest too high.
    ///
    /// # Panics
    /// If it is less than k.
    #[track_caller]
    pub fn counters(mut self, counters: usize) -> Self {
        assert!(
            counters >= self.k,
            "{counters} counters can't tell the {} most frequent elements: have at least as many",
            self.k
        );
        self.counters = counters;
        self
    }

    /// The same of what `field` makes of each element, typically a field of a record; see [`Of`].
    #[inline]
    pub fn of<T, V, F>(self, field: F) -> Of<Self, F>
    where
        Self: Aggregate<V>,
        F: Fn(&T) -> V,
    {
        Of::new(self, field)
    }
}

impl<T: Hash + Eq + Clone + Send + 'static> Aggregate<T> for TopK {
    type State = Counters<T>;
    type Output = Vec<(T, u64)>;

    const SLIDES: bool = true;

    fn lift(&self, item: &T) -> Counters<T> {
        let mut counters = Counters::new(self.counters);
        counters.add(item);
        counters
    }

    #[inline]
    fn add(&self, state: &mut Counters<T>, item: &T) {
        state.add(item);
    }

    fn merge(&self, left: &mut Counters<T>, right: &Counters<T>) {
        left.merge(right);
    }

    fn finish(&self, state: &Counters<T>) -> Vec<(T, u64)> {
        state.top(self.k)
    }

    fn slide(self) -> impl Slide<T, Output = Vec<(T, u64)>> {
        Tally::new(move |counts: &HashMap<T, u64>| {
            let mut all: Vec<_> = counts.iter().collect();
            if self.k < all.len() {
                all.select_nth_unstable_by_key(self.k, |(_, count)| Reverse(**count));
                all.truncate(self.k);
            }
            all.sort_by_key(|(_, count)| Reverse(**count));
            all.into_iter()
                .map(|(item, count)| (item.clone(), *count))
                .collect()
        })
    }
}
