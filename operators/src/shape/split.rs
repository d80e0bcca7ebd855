//! `split`: a flow becomes two, told apart by a predicate.

use crate::engine::{Cx, Fork, Handle, Head, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Ends `run` in a junction of two flows: see [`Flow::split`](crate::Flow::split).
#[track_caller]
pub(crate) fn split<R, F>(run: R, predicate: F) -> (Head<R::Item>, Head<R::Item>)
where
    R: Run,
    F: FnMut(&R::Item) -> bool + InGraph,
{
    let graph = run.graph().clone();
    let mut plan = Plan::new(&graph);
    // Behind the first flow's junction in the topology: so that one knows of both whether they meet.
    let rest = plan.node(Site::new("rest"), Role::Shared).id();
    let those = plan.node(Site::new("split"), Role::Shared).id();
    run.build(
        SplitPush {
            predicate,
            // One branch each at the most, as the flows are values and not handles.
            those: Fork::new(those, None),
            rest: Fork::new(rest, None),
            of_rest: Vec::new(),
        },
        &mut plan,
    );
    let handle = Handle::new(graph.clone(), plan.install(), those);
    (
        Head::of_shared(graph.clone(), those, handle.clone()),
        Head::of_shared(graph, rest, handle),
    )
}

struct SplitPush<F, T> {
    predicate: F,
    those: Fork<T>,
    rest: Fork<T>,
    /// The second flow's part of a batch.
    of_rest: Vec<T>,
}

impl<T, F> Push<T> for SplitPush<F, T>
where
    T: InGraph,
    F: FnMut(&T) -> bool + InGraph,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        if (self.predicate)(&item) {
            self.those.push(item, cx);
        } else {
            self.rest.push(item, cx);
        }
    }

    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if !self.those.batches_may_cross(cx) {
            // The flows meet again where it matters which element came first.
            for item in items.drain(..) {
                self.push(item, cx);
            }
            return;
        }
        let goes = |item: &mut T| !(self.predicate)(item);
        self.of_rest.extend(items.extract_if(.., goes));
        if !items.is_empty() {
            self.those.push_batch(items, cx);
        }
        if !self.of_rest.is_empty() {
            self.rest.push_batch(&mut self.of_rest, cx);
        }
    }

    fn signal(&mut self, mut signal: Signal<'_>, cx: &mut Cx) {
        // The first flow begins at a fork, which reports a failure. Nobody knows which of the two
        // the element would have come to, so its place is empty in both.
        self.those.signal(signal.again(), cx);
        self.rest.signal(
            match signal {
                Signal::Fail(_) => Signal::Hole,
                other => other,
            },
            cx,
        );
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}
