//! `with_end`: windows of time, each with the moment to which it reaches.

use super::fold_window::FoldWindow;
use super::gather::Gather;
use super::timed_window::TimedWindow;
use crate::aggregate::Aggregate;
use crate::engine::{Cx, Graph, Plan, Push, Time, Token};
use crate::flow::Run;

/// Windows of time, each with the moment to which it reaches: see
/// [`TimedWindow::with_end`](crate::TimedWindow::with_end) and
/// [`FoldWindow::with_end`](crate::FoldWindow::with_end).
///
/// - **Emits** what the windows emit, as a pair with the end of the window on the graph's clock; or, where
///   it was cut short by the close or as it was full, the moment at which it was. That is the window's own
///   time, however late the driver is and however long it had to wait for room downstream.
/// - **Holds** what the windows hold.
/// - **Waits** as they do.
/// - **On close** emits the window that is under way.
/// - **Drops** nothing.
/// - **Panics** never.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<u32>();
/// let sums = source.fold_window(Duration::from_secs(10), Sum).with_end().sink_to_list();
/// source.emit_all([1, 2])?;
/// time.advance(Duration::from_secs(13));
/// source.emit(5)?;
/// source.close();
/// assert_eq!(sums.take(), [(Time::from_millis(10_000), 3), (Time::from_millis(13_000), 5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct WithEnd<W>(pub(super) W);

impl<R: Run> Run for WithEnd<TimedWindow<R>> {
    type Item = (Time, Vec<R::Item>);

    fn graph(&self) -> &Graph {
        self.0.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        self.0.build_by(Ended::new, next, plan);
    }
}

impl<R: Run, A: Aggregate<R::Item>> Run for WithEnd<FoldWindow<R, A>> {
    type Item = (Time, A::Output);

    fn graph(&self) -> &Graph {
        self.0.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        self.0.build_by(Ended::new, next, plan);
    }
}

/// What is collected, and when it ends.
struct Ended<C> {
    content: C,
    at: Time,
}

impl<C> Ended<C> {
    fn new(content: C) -> Ended<C> {
        Ended {
            content,
            at: Time::ZERO,
        }
    }
}

impl<T, C: Gather<T>> Gather<T> for Ended<C> {
    type Whole = (Time, C::Whole);

    const SEES: bool = C::SEES;

    #[inline]
    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx) {
        self.content.add(items, cx);
    }

    #[inline]
    fn see(&mut self, items: &[T], cx: &Cx) {
        self.content.see(items, cx);
    }

    #[inline]
    fn count(&self) -> usize {
        self.content.count()
    }

    #[inline]
    fn held(&self) -> usize {
        self.content.held()
    }

    fn ends(&mut self, at: Time) {
        self.at = at;
    }

    fn take(&mut self) -> Option<(Self::Whole, Token)> {
        let (whole, token) = self.content.take()?;
        Some(((self.at, whole), token))
    }

    fn empty(&self) -> Option<Self::Whole> {
        Some((self.at, self.content.empty()?))
    }
}
