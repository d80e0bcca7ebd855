//! What an operator gathers its results in, where the run goes on with whole batches.

/// A `Vec` that takes no more than a pointer until it is used: most operators of a run that ends in a
/// closure never gather, and where there is a run for each of many keys, what a run is large decides
/// how fast it is found.
pub(crate) struct Batch<T>(Option<Box<Items<T>>>);

struct Items<T>(Vec<T>);

impl<T> Batch<T> {
    pub(crate) const fn new() -> Self {
        Batch(None)
    }

    #[inline]
    pub(crate) fn items(&mut self) -> &mut Vec<T> {
        &mut self.0.get_or_insert_with(Self::first).0
    }

    #[cold]
    fn first() -> Box<Items<T>> {
        Box::new(Items(Vec::new()))
    }
}
