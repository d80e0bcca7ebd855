//! `try_sink`: a closure takes each element, and may fail.

use std::sync::Arc;

use crate::engine::{BoxError, Branch, Cx, Failure, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

#[track_caller]
pub(crate) fn try_sink<R, F>(run: R, f: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) -> Result<(), BoxError> + InGraph,
{
    let mut plan = Plan::new(run.graph());
    let label = plan.node(Site::new("try_sink"), Role::End);
    run.build(
        TrySinkPush {
            f,
            label,
            passed: 0,
        },
        &mut plan,
    );
    plan.install()
}

struct TrySinkPush<F> {
    f: F,
    label: Arc<Label>,
    passed: u64,
}

impl<T, F> Push<T> for TrySinkPush<F>
where
    F: FnMut(T) -> Result<(), BoxError> + InGraph,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if let Err(error) = (self.f)(item) {
            // Nothing follows that could catch it.
            cx.report(Failure::new(&self.label, error));
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.end_signal(self.label.id(), self.passed, signal);
    }
}
