//! `split_errors`: failures become a flow of their own.

use crate::engine::{Cx, Failure, Fork, Handle, Head, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Ends `run` in a junction of two flows: see [`Flow::split_errors`](crate::Flow::split_errors).
#[track_caller]
pub(crate) fn split_errors<R: Run>(run: R) -> (Head<R::Item>, Head<Failure>) {
    let graph = run.graph().clone();
    let mut plan = Plan::new(&graph);
    let failures = plan.node(Site::new("failures"), Role::Shared).id();
    let items = plan.node(Site::new("split_errors"), Role::Shared).id();
    run.build(
        SplitPush {
            // One branch each at the most, as the flows are values and not handles.
            items: Fork::new(items, None),
            failures: Fork::new(failures, None),
        },
        &mut plan,
    );
    let handle = Handle::new(graph.clone(), plan.install(), items);
    (
        Head::of_shared(graph.clone(), items, handle.clone()),
        Head::of_shared(graph, failures, handle),
    )
}

struct SplitPush<T> {
    items: Fork<T>,
    failures: Fork<Failure>,
}

impl<T: InGraph> Push<T> for SplitPush<T> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.items.push(item, cx);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.items.push_batch(items, cx);
    }

    fn signal(&mut self, mut signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Fail(failure) if self.failures.is_heard(cx) => {
                self.failures.push(failure, cx);
                self.items.signal(Signal::Hole, cx);
            }
            // Nobody takes it, so it is reported: the flow of items begins at a fork.
            Signal::Fail(_) | Signal::Hole => self.items.signal(signal, cx),
            _ => {
                self.items.signal(signal.again(), cx);
                self.failures.signal(signal, cx);
            }
        }
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}
