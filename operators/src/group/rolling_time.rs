//! `rolling_time`: with each element, the aggregate of those of the last stretch of time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::census::take_census;
use super::window::MAX_LEN;
use crate::aggregate::{Aggregate, Slide};
use crate::engine::{Cx, Graph, Label, Plan, Push, Role, Signal, Site, Time};
use crate::flow::{InGraph, Run};

/// Folds the elements of the last stretch of time, with each element: see
/// [`Flow::rolling_time`](crate::Flow::rolling_time).
///
/// At the time t of an element the window is (t − d, t] on the graph's clock: an element that is
/// exactly `d` old has left. Nothing is ever subtracted, so what has left leaves no trace.
///
/// - **Emits** the aggregate with each element, from the first one on. That elements have left the
///   window by time alone emits nothing: the next element tells.
/// - **Holds** up to 65 536 states, or [`max_len`](RollingTime::max_len), and no elements; or what a
///   window of the aggregate's own holds of as many elements ([`Aggregate::slide`]): numbers for
///   quantiles, clones for `TopK` and `Frequencies`. It keeps state and not lineage: an element is done
///   when its own output is done.
/// - **Waits** never.
/// - **On close** it passes it on.
/// - **Drops** nothing. For one element more than `max_len` the oldest leaves the window before its
///   time, which is counted as [`early`](crate::Counts::early). A failure passes in its place and
///   leaves no gap in the window.
/// - **Panics** at construction if the duration or the length is zero. It sets no timer, so that the
///   graph needs no driver for it.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let source = Source::<(u64, f64)>::new();
/// source.lead_clock(|(millis, _)| Time::from_millis(*millis));
/// let means = source
///     .map(|(_, value)| value)
///     .rolling_time(Duration::from_secs(1), Mean)
///     .sink_to_list();
/// source.emit_all([(0, 1.0), (500, 3.0), (1_000, 5.0), (9_000, 7.0)])?;
/// assert_eq!(means.take(), [1.0, 2.0, 4.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct RollingTime<R, A> {
    upstream: R,
    duration: Duration,
    max_len: usize,
    aggregate: A,
    site: Site,
}

impl<R, A> RollingTime<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, duration: Duration, aggregate: A) -> Self {
        assert!(
            !duration.is_zero(),
            "`rolling_time` over no time would see nothing: give it a longer time"
        );
        RollingTime {
            upstream,
            duration,
            max_len: MAX_LEN,
            aggregate,
            site: Site::new("rolling_time"),
        }
    }

    /// How many elements the window may have (65 536 by default). For one more the oldest leaves early.
    ///
    /// # Panics
    /// If `max` is 0.
    #[track_caller]
    pub fn max_len(mut self, max: usize) -> Self {
        assert!(
            max > 0,
            "`max_len(0)` would see nothing: let the window have at least 1 element"
        );
        self.max_len = max;
        self
    }
}

impl<R, A> Run for RollingTime<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let push = RollingTimePush {
            label,
            duration: self.duration,
            max_len: self.max_len,
            times: VecDeque::new(),
            window: self.aggregate.slide(),
            batch: Vec::new(),
            passed: 0,
            early: 0,
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct RollingTimePush<W, O, N> {
    label: Arc<Label>,
    duration: Duration,
    max_len: usize,
    /// When each element in the window came.
    times: VecDeque<Time>,
    window: W,
    /// What a run that ends at a junction fills and passes on as a whole.
    batch: Vec<O>,
    passed: u64,
    /// Elements that left before their time.
    early: u64,
    next: N,
}

impl<W, O, N> RollingTimePush<W, O, N> {
    /// Lets those go that are too old by now.
    #[inline]
    fn expire<T>(&mut self, now: Time)
    where
        W: Slide<T>,
    {
        while self
            .times
            .front()
            .is_some_and(|at| now - *at >= self.duration)
        {
            self.times.pop_front();
            self.window.pop();
        }
    }

    #[inline]
    fn slide<T>(&mut self, item: &T, now: Time) -> Option<W::Output>
    where
        W: Slide<T>,
    {
        if self.times.len() >= self.max_len {
            self.times.pop_front();
            self.window.pop();
            self.early += 1;
        }
        self.times.push_back(now);
        self.window.push(item);
        self.window.read()
    }
}

impl<T, W, N> Push<T> for RollingTimePush<W, W::Output, N>
where
    T: InGraph,
    W: Slide<T>,
    N: Push<W::Output>,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let now = cx.now();
        self.expire(now);
        if let Some(reading) = self.slide(&item, now) {
            self.next.push(reading, cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let now = cx.now();
        self.expire(now);
        let whole = self.next.batches();
        for item in items.drain(..) {
            match self.slide(&item, now) {
                Some(reading) if whole => self.batch.push(reading),
                Some(reading) => self.next.push(reading, cx),
                None => {}
            }
        }
        if whole {
            self.next.push_batch(&mut self.batch, cx);
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Census => {
                let held = self.times.len();
                take_census(&self.label, self.passed, held, self.max_len, true, cx);
                let early = self.early;
                cx.take_census(self.label.id(), |node| {
                    node.counts.early = early;
                    node.copies = true;
                });
            }
            // Nobody asks for the window any more.
            Signal::Close => {
                self.times.drain(..).for_each(|_| self.window.pop());
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

impl<R, A> std::fmt::Debug for RollingTime<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RollingTime")
            .field("duration", &self.duration)
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}
