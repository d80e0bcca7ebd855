//! `on_idle`: an element of one's own where none has come for a while.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::engine::{
    Alarm, Clock, Cx, Entry, Graph, Label, Node, Plan, Port, Push, Role, Signal, Site, Tail, Time,
};
use crate::flow::{InGraph, Run};

/// Emits an element when none has come for a while: see [`Flow::on_idle`](crate::Flow::on_idle).
///
/// - **Emits** each element at once and unchanged; and what the closure returns, once, when for
///   `quiet` on the graph's clock no element has come. The next stretch begins with the next element,
///   the first one with the first turn of the driver, or where the data lead the clock, with the
///   first element.
/// - **Holds** nothing.
/// - **Waits** never. If somebody downstream is full when the time is over, the closure is called when
///   there is room, unless an element comes first: then that stretch is skipped and counted.
/// - **On close** passes it on; a stretch that is not over then is forgotten.
/// - **Drops** nothing. Failures and holes pass; they are no elements.
/// - **Panics** at construction if the duration is zero; where the closure does, which poisons the
///   graph. The graph needs a driver, or a clock that is led by the data.
///
/// To make a failure of silence, let the flow and the closure give `Result`s, and `try_map` them.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let readings = graph.source::<f64>();
/// let list = readings
///     .map(Some)
///     .on_idle(Duration::from_secs(10), || None)
///     .sink_to_list();
/// readings.emit(1.5)?;
/// time.advance(Duration::from_secs(60));
/// readings.emit(2.5)?;
/// assert_eq!(list.take(), [Some(1.5), None, Some(2.5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct OnIdle<R, F> {
    upstream: R,
    quiet: Duration,
    make: F,
    site: Site,
}

impl<R, F> OnIdle<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, quiet: Duration, make: F) -> Self {
        assert!(
            !quiet.is_zero(),
            "`on_idle` after zero would always be idle: give it a longer time"
        );
        OnIdle {
            upstream,
            quiet,
            make,
            site: Site::new("on_idle"),
        }
    }
}

impl<R, F> Run for OnIdle<R, F>
where
    R: Run,
    F: FnMut() -> R::Item + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        plan.has_timers();
        plan.start(&label);
        let node = IdleNode {
            label: label.clone(),
            quiet: self.quiet,
            make: self.make,
            started: false,
            idle_from: None,
            alarm: Alarm::default(),
            passed: 0,
            skipped: 0,
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

struct IdleNode<T, F> {
    label: Arc<Label>,
    quiet: Duration,
    make: F,
    started: bool,
    /// When the stretch under way has been quiet for long enough.
    idle_from: Option<Time>,
    alarm: Alarm,
    passed: u64,
    skipped: u64,
    next: Tail<T>,
}

impl<T: InGraph, F: FnMut() -> T> IdleNode<T, F> {
    fn begin_stretch(&mut self, cx: &mut Cx) {
        let idle_from = cx.now() + self.quiet;
        self.started = true;
        self.idle_from = Some(idle_from);
        self.alarm.set(self.label.id(), idle_from, cx);
    }

    /// Emits if it was quiet for long enough, unless somebody downstream is full.
    fn look(&mut self, cx: &mut Cx) {
        let id = self.label.id();
        if self.idle_from.is_none_or(|at| at > cx.now()) || cx.gated(id) {
            return;
        }
        self.idle_from = None;
        cx.aside(id, |cx| self.next.push((self.make)(), cx));
    }

    /// An element comes.
    #[inline]
    fn comes(&mut self, cx: &mut Cx) {
        // It may have been quiet for long enough, and the driver late.
        self.look(cx);
        let now = cx.now();
        self.skipped += u64::from(self.idle_from.is_some_and(|at| at <= now));
        self.begin_stretch(cx);
    }
}

impl<T: InGraph, F: FnMut() -> T + InGraph> Entry<T> for IdleNode<T, F> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.comes(cx);
        self.next.push(item, cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if !items.is_empty() {
            self.passed += items.len() as u64;
            self.comes(cx);
            self.next.push_batch(items, cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                self.started = true;
                self.idle_from = None;
            }
            Signal::Census => {
                let (passed, skipped) = (self.passed, self.skipped);
                cx.take_census(self.label.id(), |node| {
                    node.counts.passed = passed;
                    node.counts.skipped = skipped;
                });
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }
}

impl<T: InGraph, F: FnMut() -> T + InGraph> Node for IdleNode<T, F> {
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        self.look(cx);
        if let Some(at) = self.idle_from.filter(|at| *at > now) {
            self.alarm.set(self.label.id(), at, cx);
        }
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        // Before their first element, data that lead the clock have not said what time it is.
        if !self.started && !matches!(cx.clock, Clock::Led(_)) {
            self.begin_stretch(cx);
        }
        self.look(cx);
    }
}

impl<R, F> std::fmt::Debug for OnIdle<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnIdle")
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}
