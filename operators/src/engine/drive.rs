//! Driving a graph: firing its timers and polling its futures, by whoever has a clock and a thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::clock::{Clock, Time};
use super::context::Cx;
use super::error::GraphError;
use super::graph::{Core, Graph};
use super::park;
use super::push::Signal;
use super::topology::Role;
use super::turn::TURN;

/// What a turn of the driver found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// There is more to do at once: call again soon.
    Again,
    /// Nothing to do until this moment on the graph's clock, or until the waker is called.
    Until(Time),
    /// Nothing to do until the waker is called.
    Idle,
    /// All sources are closed and everything has reached its end.
    Finished,
}

impl Graph {
    /// Becomes the graph's driver, with `clock` as its time; see [`Driving`]. For those who write a
    /// driver; others call `spawn`, `spawn_thread`, [`run`](Graph::run) or
    /// [`drive_manually`](Graph::drive_manually).
    ///
    /// `clock` returns the time since now. `None` keeps the graph's clock.
    ///
    /// # Panics
    /// If the graph has a driver already.
    #[track_caller]
    #[must_use]
    pub fn attach_driver(&self, clock: Option<Box<dyn Fn() -> Duration + Send + Sync>>) -> Driving {
        let driven = self.with(|cx| {
            let driven = std::mem::replace(&mut cx.driven, true);
            cx.wakeups.set_attended(true);
            if let (false, Some(clock)) = (driven, clock)
                && !matches!(cx.clock, Clock::Led(_))
            {
                cx.change_clock(|zero| Clock::Driver(Arc::new(move || zero + clock())));
            }
            if cx.clock_read {
                // Those who relied on the last driver for it rely on this one from here on.
                cx.coarse.note(cx.clock.read());
            }
            cx.refresh_inlets();
            driven
        });
        assert!(
            !matches!(driven, Ok(true)),
            "the graph has a driver already, and takes one at a time: drop or stop that one first"
        );
        if matches!(driven, Err(GraphError::Inside)) {
            // Made by a closure of the graph itself: it counts from when that has finished.
            self.change(|cx| {
                cx.driven = true;
                cx.wakeups.set_attended(true);
                cx.refresh_inlets();
            });
        }
        Driving {
            graph: self.clone(),
        }
    }

    /// Drives the graph by hand: time stands still except when [`Manual::advance`] moves it. For
    /// tests: deterministic, and without sleeping.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let ticks = graph.source::<u32>();
    /// let windows = ticks.timed_window(Duration::from_secs(1)).sink_to_list();
    /// ticks.emit(1)?;
    /// ticks.emit(2)?;
    /// time.advance(Duration::from_secs(1));
    /// assert_eq!(windows.take(), [[1, 2]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the graph has a driver already.
    #[track_caller]
    #[must_use = "without a driver, emitting into a graph with timers or futures is an error"]
    pub fn drive_manually(&self) -> Manual {
        let driving = self.attach_driver(None);
        self.change(|cx| {
            cx.wakeups.set_attended(false);
            if !matches!(cx.clock, Clock::Led(_)) {
                cx.change_clock(Clock::Virtual);
            }
        });
        Manual { driving }
    }

    /// Drives the graph on the calling thread until every stream and iterator that it pumps has
    /// ended, and nothing is held any more. Sources may stay open.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let sums = graph.from_iter(1..=10).partition(3).map(|n| n.iter().sum::<i32>()).sink_to_list();
    /// graph.run()?;
    /// assert_eq!(sums.take(), [6, 15, 24, 10]);
    /// # Ok::<(), GraphError>(())
    /// ```
    ///
    /// # Errors
    /// [`GraphError::Poisoned`], [`GraphError::Stopped`], and [`GraphError::Inside`] from a closure
    /// of a graph.
    ///
    /// # Panics
    /// If the graph has a driver already.
    #[track_caller]
    pub fn run(&self) -> Result<(), GraphError> {
        if super::inbox::is_inside() {
            return Err(GraphError::Inside);
        }
        let start = Instant::now();
        let driving = self.attach_driver(Some(Box::new(move || start.elapsed())));
        let waker = park::thread_waker();
        loop {
            let turn = driving.turn(&waker)?;
            if turn != Turn::Again {
                let (quiet, stopped) =
                    self.with(|cx| (cx.is_quiet(), cx.inbox.stopped.get().cloned()))?;
                if let Some(cause) = stopped {
                    return Err(GraphError::Stopped(cause));
                }
                if quiet || turn == Turn::Finished {
                    return Ok(());
                }
                if self.with(Cx::skip_ahead)? {
                    continue;
                }
            }
            match turn {
                Turn::Until(at) => {
                    let now = self.with(|cx| cx.clock.read())?;
                    std::thread::park_timeout(at - now);
                }
                Turn::Idle => std::thread::park(),
                Turn::Again | Turn::Finished => {}
            }
        }
    }
}

/// The right to drive a graph. When it is dropped the graph is undriven again.
pub struct Driving {
    graph: Graph,
}

impl Driving {
    /// Fires what is due and polls what is ready. `waker` is called when there is more to do
    /// earlier than the answer says.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`].
    pub fn turn(&self, waker: &Waker) -> Result<Turn, GraphError> {
        self.graph.core().wakeups.driver.register(waker);
        self.graph.core().locked(|core, cx| {
            let now = cx.clock.read();
            core.turn(cx, now)
        })
    }

    /// The graph's time.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`].
    pub fn now(&self) -> Result<Time, GraphError> {
        self.graph.with(|cx| cx.clock.read())
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.graph.change(|cx| {
            cx.driven = false;
            cx.wakeups.set_attended(false);
            cx.refresh_inlets();
            // Who waits for the end would wait for nobody.
            cx.wakes.append(&mut cx.waiting_for_end);
        });
    }
}

impl std::fmt::Debug for Driving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driving(..)")
    }
}

/// Moves a graph's time by hand: see [`Graph::drive_manually`]. When it is dropped the graph is
/// undriven again.
#[derive(Debug)]
pub struct Manual {
    driving: Driving,
}

impl Manual {
    /// Lets `duration` pass: everything that is due meanwhile happens, each at its own moment.
    pub fn advance(&self, duration: Duration) {
        self.settle();
        let core = self.driving.graph.core();
        let Ok(end) = core.locked(|_, cx| cx.clock.read() + duration) else {
            return;
        };
        loop {
            let step = core.locked(|core, cx| {
                let next = |cx: &Cx| cx.timers.next().filter(|at| *at <= end);
                if next(cx).is_some() {
                    // What that sets off may be due before.
                    core.catch_up(cx);
                }
                let next = next(cx);
                let now = next.unwrap_or(end).max(cx.clock.read());
                core.turn(cx, now);
                next.is_some()
            });
            self.settle();
            if !matches!(step, Ok(true)) {
                return;
            }
        }
    }

    /// Polls what is ready until nothing is, at the present moment.
    pub fn settle(&self) {
        let waker = park::thread_waker();
        while matches!(self.driving.turn(&waker), Ok(Turn::Again)) {}
    }

    /// The graph's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.driving.now().unwrap_or_default()
    }
}

impl Core {
    /// Runs `work` under the lock and settles before and after.
    pub(crate) fn locked<R>(
        &self,
        work: impl FnOnce(&Core, &mut Cx) -> R,
    ) -> Result<R, GraphError> {
        let mut entered = self.enter()?;
        self.settle(&mut entered.guard);
        let answer = work(self, &mut entered.guard);
        entered.settle_and_exit();
        Ok(answer)
    }

    /// A deadline is due: what was sent before it, and what that sets off, goes first.
    fn catch_up(&self, cx: &mut Cx) {
        if !cx.gathering.is_empty() {
            cx.catch_up();
            self.settle(cx);
        }
    }

    pub(crate) fn turn(&self, cx: &mut Cx, now: Time) -> Turn {
        cx.faults.emitting = false;
        if cx.timers.next().is_some_and(|next| next <= now) {
            // Before the time moves on: it was sent at an earlier one.
            self.catch_up(cx);
        }
        cx.set_now(now);
        while let Some((_, node)) = cx.timers.pop_due(now) {
            cx.tick(node);
            cx.set_now(now);
        }
        cx.collect_woken();
        for _ in 0..TURN {
            if !cx.poll_next() {
                break;
            }
            if cx.todo {
                self.settle(cx);
            }
            cx.collect_woken();
        }
        let mut moved = false;
        if cx.ready.is_empty() && !self.inbox.is_flagged() {
            cx.free_starved();
            moved = cx.end_cycles() || cx.run_out();
        }
        cx.faults.emitting = true;
        if moved || !cx.ready.is_empty() || self.inbox.is_flagged() || !cx.reopened.is_empty() {
            Turn::Again
        } else if cx.is_finished() {
            Turn::Finished
        } else {
            match cx.timers.next() {
                // Where the data leads the clock, waiting does not make it later.
                Some(at) if !matches!(cx.clock, Clock::Led(_)) => Turn::Until(at),
                _ => Turn::Idle,
            }
        }
    }
}

impl Cx {
    /// Whether nothing more happens unless somebody emits: all pumps have ended, and what holds
    /// elements for a time is empty. Joins may hold what waits for a mate, and groups that are
    /// short what waits for more, and streams what waits for their consumer.
    fn is_quiet(&mut self) -> bool {
        self.broadcast(Signal::Census);
        self.open_pumps == 0
            && self
                .nodes
                .iter()
                .flatten()
                .all(|n| n.counts.held == 0 || n.rests)
    }

    /// With nothing left to do, a join at which an origin waits may wait for ever: let it look.
    pub(crate) fn free_starved(&mut self) {
        if self.joins_full.is_empty() {
            return;
        }
        // The joins ask what the holders in front of them hold.
        self.broadcast(Signal::Census);
        self.ask_full_joins(true);
        let mut joins = std::mem::take(&mut self.joins_full);
        joins.retain(|id| {
            let station = self.node(*id).and_then(|node| node.station.clone());
            station.is_some_and(|station| station.waits(self).is_some())
        });
        self.joins_full = joins;
    }

    /// Lets each join at which an origin waits look whether that is for ever.
    pub(crate) fn ask_full_joins(&mut self, still: bool) {
        for id in self.joins_full.clone() {
            if let Some(station) = self.node(id).and_then(|node| node.station.clone()) {
                station.starved(still, self);
            }
        }
    }

    /// Whether nothing more can happen: an empty graph is not finished, but about to be built.
    pub(crate) fn is_finished(&self) -> bool {
        let begun = self.ends > 0 || self.nodes.iter().flatten().any(|n| n.role == Role::Source);
        let closed = self.open_ends == 0 && self.open_sources == 0 && self.open_pumps == 0;
        begun && closed && self.untold.load(Ordering::Acquire) == 0
    }

    /// Where the data led the clock and no more will come, the time of what is due later is now.
    /// Returns whether something was due.
    fn skip_ahead(&mut self) -> bool {
        match self.timers.next() {
            Some(at) if matches!(self.clock, Clock::Led(_)) && self.open_pumps == 0 => {
                self.advance_led(at.max(self.clock.read()));
                true
            }
            _ => false,
        }
    }

    /// As [`skip_ahead`](Cx::skip_ahead), once no source is open any more either.
    pub(crate) fn run_out(&mut self) -> bool {
        self.open_sources == 0 && self.skip_ahead()
    }

    /// At a shutdown, a source that its own graph feeds stays open for what is on its way round. When
    /// nothing moves any more it closes too. Returns whether there was one.
    fn end_cycles(&mut self) -> bool {
        if !self.shut || self.open_sources == 0 || !self.is_quiet() {
            return false;
        }
        let open = self.open_sources;
        let inlets = self.inlets();
        if inlets.iter().any(|inlet| inlet.waiting() > 0) {
            return false;
        }
        for inlet in inlets {
            inlet.finish(self);
        }
        self.open_sources < open
    }
}
