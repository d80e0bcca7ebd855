//! `connect`: what flows out here enters the graph again at a source.

use std::sync::Arc;

use super::feed::Feed;
use crate::engine::{Branch, Cx, Label, Plan, Push, Role, Signal, Site, Source};
use crate::flow::{InGraph, Run};

#[track_caller]
pub(crate) fn connect<R: Run>(run: R, source: &Source<R::Item>) -> Branch {
    run.graph().assert_same(&source.graph(), "connect");
    let mut plan = Plan::new(run.graph());
    let label = plan.node(Site::new("connect"), Role::End);
    let end = ConnectPush {
        feed: Feed::new(&label, source.cell(), &mut plan),
        label,
        passed: 0,
    };
    run.build(end, &mut plan);
    plan.install()
}

struct ConnectPush<T> {
    label: Arc<Label>,
    feed: Feed<T>,
    passed: u64,
}

impl<T: InGraph> Push<T> for ConnectPush<T> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if let Err(loss) = self.feed.give(item, cx) {
            cx.lose_current(self.label.id(), loss);
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Room(room) => *room = (*room).min(self.feed.room()),
            Signal::Close => {
                cx.end_signal(self.label.id(), self.passed, Signal::Close);
                self.feed.close(cx);
            }
            other => cx.end_signal(self.label.id(), self.passed, other),
        }
    }
}
