//! `connect`: what flows out here enters the graph again at a source.

use std::sync::{Arc, Weak};

use crate::engine::{
    Branch, Cx, Graph, Label, Loss, Plan, Push, Role, Signal, Site, Source, SourceCell,
};
use crate::flow::{InGraph, Run};

#[track_caller]
pub(crate) fn connect<R: Run>(run: R, source: &Source<R::Item>) -> Branch {
    run.graph().assert_same(&source.graph(), "connect");
    let graph: &Graph = run.graph();
    let mut plan = Plan::new(graph);
    let label = plan.node(Site::new("connect"), Role::End);
    let target = source.cell();
    target.add_feed();
    plan.feedback(label.id(), target.id());
    let end = ConnectPush {
        label,
        target: Arc::downgrade(target),
        passed: 0,
        closed: false,
        cycle: None,
    };
    run.build(end, &mut plan);
    plan.install()
}

struct ConnectPush<T> {
    label: Arc<Label>,
    /// Weak, as in a cycle the source's cell owns this end.
    target: Weak<SourceCell<T>>,
    passed: u64,
    closed: bool,
    /// Whether elements come back here from the target, found at this state of the structure.
    cycle: Option<(u32, bool)>,
}

impl<T: InGraph> ConnectPush<T> {
    #[cold]
    #[inline(never)]
    fn in_cycle(&mut self, target: &SourceCell<T>, cx: &Cx) -> bool {
        match self.cycle {
            Some((epoch, cycle)) if epoch == cx.epoch => cycle,
            _ => {
                let cycle = cx
                    .topology
                    .lock()
                    .is_ok_and(|topology| topology.reaches(target.id(), self.label.shown_id()));
                self.cycle = Some((cx.epoch, cycle));
                cycle
            }
        }
    }
}

impl<T: InGraph> Push<T> for ConnectPush<T> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let outcome = match self.target.upgrade() {
            None => Err(Loss::Unheard),
            Some(target) => {
                let in_cycle = target.queue_room() <= 1 && self.in_cycle(&target, cx);
                target.feed(item, in_cycle, cx)
            }
        };
        if let Err(loss) = outcome {
            cx.lose_current(self.label.id(), loss);
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Room(room) => {
                if let Some(target) = self.target.upgrade() {
                    *room = (*room).min(target.queue_room());
                }
            }
            Signal::Close if !std::mem::replace(&mut self.closed, true) => {
                cx.end_signal(self.label.id(), self.passed, Signal::Close);
                if let Some(target) = self.target.upgrade() {
                    target.end_feed(cx);
                }
            }
            other => cx.end_signal(self.label.id(), self.passed, other),
        }
    }
}
