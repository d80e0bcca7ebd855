//! `map`: each element becomes another.

use crate::engine::{Batch, Cx, Graph, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure to each element: see [`Flow::map`](crate::Flow::map).
///
/// - **Emits** one element for each element, at once.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let squares = source.map(|x| x * x).sink_to_list();
/// source.emit_all([1, 2, 3])?;
/// assert_eq!(squares.take(), [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Map<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> Map<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        Map {
            upstream,
            f,
            site: Site::new("map"),
        }
    }
}

impl<R, F, U> Run for Map<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> U + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let push = MapPush {
            f: self.f,
            batch: Batch::new(),
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct MapPush<F, U, N> {
    f: F,
    /// What a run that ends at a junction fills and passes on as a whole.
    batch: Batch<U>,
    next: N,
}

impl<T, F, U, N> Push<T> for MapPush<F, U, N>
where
    F: FnMut(T) -> U + InGraph,
    U: InGraph,
    N: Push<U>,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.next.push((self.f)(item), cx);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.next.batches() {
            let batch = self.batch.items();
            batch.extend(items.drain(..).map(&mut self.f));
            self.next.push_batch(batch, cx);
        } else {
            for item in items.drain(..) {
                self.push(item, cx);
            }
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        self.next.batches()
    }
}

impl<R, F> std::fmt::Debug for Map<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map").finish_non_exhaustive()
    }
}
