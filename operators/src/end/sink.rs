//! `sink`: a closure takes each element.

use std::sync::Arc;

use crate::engine::{Branch, Cx, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

#[track_caller]
pub(crate) fn sink<R, F>(run: R, f: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) + InGraph,
{
    let mut plan = Plan::new(run.graph());
    let label = plan.node(Site::new("sink"), Role::End);
    run.build(
        SinkPush {
            f,
            label,
            passed: 0,
        },
        &mut plan,
    );
    plan.install()
}

struct SinkPush<F> {
    f: F,
    label: Arc<Label>,
    passed: u64,
}

impl<T, F> Push<T> for SinkPush<F>
where
    F: FnMut(T) + InGraph,
{
    #[inline]
    fn push(&mut self, item: T, _cx: &mut Cx) {
        self.passed += 1;
        (self.f)(item);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, _cx: &mut Cx) {
        self.passed += items.len() as u64;
        items.drain(..).for_each(&mut self.f);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.end_signal(self.label.id(), self.passed, signal);
    }
}
