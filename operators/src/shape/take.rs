//! `take`: a flow ends with its n-th element.

use super::cut::{self, Cut, Verdict};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::Run;

/// Lets n elements pass, and ends with the last of them: see [`Flow::take`](crate::Flow::take).
///
/// With its end the flow closes, as if it were closed from above: partial groups are emitted, buffers
/// drain, sinks flush. And it lets go of what is in front of it, up to the sources and shared nodes
/// that this hangs from. It is taken off there, so that nothing is pushed to it any more, and dropped
/// with all that its closures captured. What it held is dropped too, as if the `take` had seen it;
/// futures in flight are cancelled; closures in front see neither a close nor another element. An
/// iterator or a stream is dropped, and no more is pumped. A source that waited for what is let go
/// goes on. All this happens as soon as the element (or batch) under way has passed.
///
/// - **Emits** each of the first n elements, at once.
/// - **Holds** nothing.
/// - **Waits** never. Batches, iterators and streams are cut to what is left, so that operators in front
///   see nothing beyond the n-th element, unless they make several of one.
/// - **On close** passes it on. It closes by itself with the n-th element; with `take(0)` at once, when
///   it is connected, and nothing in front of it ever begins.
/// - **Drops** what comes after. That is no loss: it is not counted, and a tracked element that is
///   dropped here, or held in front, is done. Failures do not count as elements, and pass until the end.
/// - **Panics** never.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let first = source.take(2).partition(10).sink_to_list();
/// source.emit(1)?;
/// assert!(first.is_empty());
/// source.emit(2)?;
/// assert_eq!(first.take(), [[1, 2]]);
/// source.emit(3)?; // nobody is there any more
/// assert!(first.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Take<R> {
    upstream: R,
    n: u64,
    site: Site,
}

impl<R> Take<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: u64) -> Self {
        Take {
            upstream,
            n,
            site: Site::new("take"),
        }
    }
}

impl<R: Run> Run for Take<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        cut::build(self.upstream, self.site, Left(self.n), next, plan);
    }
}

struct Left(u64);

impl<T> Cut<T> for Left {
    #[inline]
    fn judge(&mut self, _item: &T) -> Verdict {
        self.0 -= 1;
        match self.0 {
            0 => Verdict::Last,
            _ => Verdict::Pass,
        }
    }

    fn judge_all(&mut self, items: &mut Vec<T>) -> bool {
        items.truncate(usize::try_from(self.0).unwrap_or(usize::MAX));
        self.0 -= items.len() as u64;
        self.0 == 0
    }

    fn left(&self) -> Option<u64> {
        Some(self.0)
    }
}

impl<R> std::fmt::Debug for Take<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Take")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
