use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::frequencies::Tally;
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

/// What [`TopK`] keeps: counters of elements, and which of them is the lowest.
#[derive(Debug, Clone)]
pub struct Counters<T> {
    counters: Vec<Counter<T>>,
    /// Where the counter of each element is.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// Counts and places, the lowest first.
    ranks: BTreeSet<(u64, usize)>,
    /// What an element that has no counter may have come to.
    missed: u64,
}

#[derive(Debug, Clone)]
struct Counter<T> {
    item: T,
    count: u64,
}

impl<T: Hash + Eq + Clone> Counters<T> {
    fn new() -> Self {
        Counters {
            counters: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            ranks: BTreeSet::new(),
            missed: 0,
        }
    }

    fn place(&self, item: &T) -> Option<usize> {
        let same = |place: &usize| self.counters[*place].item == *item;
        self.places.find(self.hasher.hash_one(item), same).copied()
    }

    fn add(&mut self, item: &T, room: usize) {
        if let Some(place) = self.place(item) {
            let counter = &mut self.counters[place];
            self.ranks.remove(&(counter.count, place));
            counter.count += 1;
            self.ranks.insert((counter.count, place));
            return;
        }
        let lowest = match self.ranks.first() {
            Some(lowest) if self.counters.len() >= room => *lowest,
            _ => return self.open(item.clone(), 1),
        };
        // The new one takes over the lowest counter, and what it had counted.
        let (missed, place) = lowest;
        let hash = self.hasher.hash_one(&self.counters[place].item);
        if let Ok(entry) = self.places.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.ranks.remove(&lowest);
        self.missed = missed;
        let count = missed + 1;
        self.counters[place] = Counter {
            item: item.clone(),
            count,
        };
        self.enter(place, count);
    }

    /// A counter for an element that has none.
    fn open(&mut self, item: T, count: u64) {
        let place = self.counters.len();
        self.counters.push(Counter { item, count });
        self.enter(place, count);
    }

    fn enter(&mut self, place: usize, count: u64) {
        let (hasher, counters) = (&self.hasher, &self.counters);
        let hash = |place: &usize| hasher.hash_one(&counters[*place].item);
        self.places.insert_unique(hash(&place), place, hash);
        self.ranks.insert((count, place));
    }

    /// An element that only one side has a counter for may have come as often as `missed` says on the
    /// other side.
    fn merge(&mut self, right: &Counters<T>, room: usize) {
        let mut all = Vec::with_capacity(self.counters.len() + right.counters.len());
        for Counter { item, count } in &right.counters {
            if self.place(item).is_none() {
                all.push((item.clone(), count + self.missed));
            }
        }
        let mut merged = Counters::new();
        merged.missed = self.missed + right.missed;
        for Counter { item, count } in self.counters.drain(..) {
            let beside = match right.place(&item) {
                Some(place) => right.counters[place].count,
                None => right.missed,
            };
            all.push((item, count + beside));
        }
        all.sort_by_key(|(_, count)| Reverse(*count));
        if let Some((_, dropped)) = all.get(room) {
            merged.missed = merged.missed.max(*dropped);
        }
        for (item, count) in all.into_iter().take(room) {
            merged.open(item, count);
        }
        *self = merged;
    }
}

impl<T: Hash + Eq + Clone + Send + 'static> Aggregate<T> for TopK {
    type State = Counters<T>;
    type Output = Vec<(T, u64)>;

    const SLIDES: bool = true;

    fn lift(&self, item: &T) -> Counters<T> {
        let mut counters = Counters::new();
        counters.add(item, self.counters);
        counters
    }

    #[inline]
    fn add(&self, state: &mut Counters<T>, item: &T) {
        state.add(item, self.counters);
    }

    fn merge(&self, left: &mut Counters<T>, right: &Counters<T>) {
        left.merge(right, self.counters);
    }

    fn finish(&self, state: &Counters<T>) -> Vec<(T, u64)> {
        let highest = state.ranks.iter().rev().take(self.k);
        let read = |(count, place): &(u64, usize)| (state.counters[*place].item.clone(), *count);
        highest.map(read).collect()
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
