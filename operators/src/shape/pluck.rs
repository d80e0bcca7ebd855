//! `pluck`: a part of each element, by key or index.

use std::sync::Arc;

use super::pick::{NotFound, Pick};
use super::step::{Step, StepPush};
use crate::engine::{Cx, Failure, Graph, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Picks a part of each element: see [`Flow::pluck`](crate::Flow::pluck). What can be picked from what
/// is listed at [`Pick`].
///
/// - **Emits** the part, at once: what is at the key or index; a `Vec` for a `Vec` of them, an array
///   for an array, a tuple for a tuple.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** the rest of each element. An element without the key or index is a failure, which
///   names this operator and its place and carries the element; its error is a
///   [`NotFound`](crate::NotFound), which names the key or index.
/// - **Panics** never, unless a key's `Hash` or `Ord`, or the part's `Clone`, does.
///
/// Where a missing part is no fault, `.filter_map(|row| row.get(3).cloned())` says so; the field of
/// a struct is `.map(|row| row.field)`.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::NotFound;
///
/// let source = Source::<Vec<u32>>::new();
/// let second = source.pluck(1).sink_to_list();
/// let ends = source.pluck([0, 2]).sink_to_list();
/// source.emit(vec![1, 2, 3])?;
/// assert_eq!(second.take(), [2]);
/// assert_eq!(ends.take(), [[1, 3]]);
///
/// let Err(EmitError::Failed(failure)) = source.emit(vec![4]) else { panic!("it has no second") };
/// assert_eq!(failure.error().downcast_ref(), Some(&NotFound::Index { index: 1, len: 1 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Pluck<R, W> {
    upstream: R,
    what: W,
    site: Site,
}

impl<R, W> Pluck<R, W> {
    #[track_caller]
    pub(crate) fn new(upstream: R, what: W) -> Self {
        Pluck {
            upstream,
            what,
            site: Site::new("pluck"),
        }
    }
}

impl<R, W> Run for Pluck<R, W>
where
    R: Run,
    W: Pick<R::Item, Part: InGraph> + InGraph,
{
    type Item = W::Part;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<W::Part>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let step = PluckStep {
            what: self.what,
            label,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct PluckStep<W> {
    what: W,
    label: Arc<Label>,
}

impl<T, W> Step<T, W::Part> for PluckStep<W>
where
    T: InGraph,
    W: Pick<T, Part: InGraph> + InGraph,
{
    #[inline]
    fn step<N: Push<W::Part>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        match self.what.pick(item) {
            Ok(part) => next.push(part, cx),
            Err(missing) => self.fail_one(missing, next, cx),
        }
    }

    #[inline]
    fn step_all<N: Push<W::Part>>(
        &mut self,
        items: &mut impl Iterator<Item = T>,
        next: &mut N,
        cx: &mut Cx,
    ) {
        while let Some(missing) = items.find_map(|item| match self.what.pick(item) {
            Ok(part) => {
                next.push(part, cx);
                None
            }
            Err(missing) => Some(missing),
        }) {
            self.fail_one(missing, next, cx);
        }
    }
}

impl<W> PluckStep<W> {
    #[cold]
    #[inline(never)]
    fn fail_one<T: InGraph, U>(
        &self,
        (error, item): (NotFound, T),
        next: &mut impl Push<U>,
        cx: &mut Cx,
    ) {
        let failure = Failure::with_element(&self.label, error, item);
        next.signal(Signal::Fail(failure), cx);
    }
}

impl<R, W> std::fmt::Debug for Pluck<R, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pluck").finish_non_exhaustive()
    }
}
