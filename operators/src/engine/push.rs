//! The one protocol between operators: elements, batches and signals, pushed downstream.

use super::context::Cx;
use super::error::Failure;

/// What receives elements: the rest of a run, seen from the operator in front of it.
///
/// A run is built from its end backwards into one value that implements `Push`, so that a straight
/// run is one monomorphised call chain. It is boxed once, where it hangs from a junction.
///
/// `push` returns nothing: what an operator could have to say (it is full, it failed) is recorded in
/// the context, where the emitter looks once for the whole run.
pub trait Push<T>: Send + 'static {
    /// Takes one element.
    fn push(&mut self, item: T, cx: &mut Cx);

    /// Takes all elements of `items` and leaves it empty, its capacity kept for the next batch.
    ///
    /// The default loops here, inside the run, so that the loop sees the whole run and vectorises.
    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        for item in items.drain(..) {
            self.push(item, cx);
        }
    }

    /// Takes what travels between elements. An adaptor that has nothing to say forwards it.
    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx);

    /// Whether the run's end wants whole batches. Then an adaptor fills a `Vec` and passes it on;
    /// otherwise it loops at the head of the run. A constant of the run's type.
    #[inline]
    fn batches(&self) -> bool {
        false
    }
}

/// Where a run ends whose elements nobody wants from the first.
pub(crate) struct Nobody;

impl<T> Push<T> for Nobody {
    fn push(&mut self, _item: T, _cx: &mut Cx) {}

    fn signal(&mut self, _signal: Signal<'_>, _cx: &mut Cx) {}
}

/// Stands where the rest of a run belongs, while that is at work. Boxing it allocates nothing.
pub(crate) struct Away;

impl<T> Push<T> for Away {
    fn push(&mut self, _item: T, _cx: &mut Cx) {
        unreachable!("edges are acyclic, so a node is not entered while it pushes")
    }

    fn signal(&mut self, _signal: Signal<'_>, _cx: &mut Cx) {}
}

/// A run behind one virtual call: what hangs from a junction.
pub type Tail<T> = Box<dyn Push<T>>;

impl<T: 'static> Push<T> for Tail<T> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        (**self).push(item, cx);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        (**self).push_batch(items, cx);
    }

    #[inline]
    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        (**self).signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

/// What travels down a run besides elements. A new concern of the engine is a new variant here, and
/// not a new method in every operator.
#[derive(Debug)]
pub enum Signal<'a> {
    /// No element will follow: emit what is held, then pass this on.
    Close,
    /// An element failed here above; it goes on to the nearest operator that catches.
    Fail(Failure),
    /// An element that failed and was reported already: its place is empty, so that joins drop the
    /// mate instead of pairing the wrong ones.
    Hole,
    /// How many elements may be pushed before somebody downstream is full: holders lower the number.
    Room(&'a mut usize),
    /// Junctions collect the branches that were connected or disconnected.
    Settle,
    /// Junctions and holders write their counts into the node table.
    Census,
}

impl Signal<'_> {
    /// The same signal once more, for a junction that sends it into several branches.
    pub fn again(&mut self) -> Signal<'_> {
        match self {
            Signal::Close => Signal::Close,
            Signal::Fail(failure) => Signal::Fail(failure.clone()),
            Signal::Hole => Signal::Hole,
            Signal::Room(room) => Signal::Room(room),
            Signal::Settle => Signal::Settle,
            Signal::Census => Signal::Census,
        }
    }
}
