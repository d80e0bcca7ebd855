//! The graceful stop: close everything, let what is held drain, and say how it went.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::cell::{Cell, Node};
use super::census::Report;
use super::clock::{Clock, Time};
use super::context::Cx;
use super::drive::Turn;
use super::error::GraphError;
use super::graph::{Core, Graph};
use super::inbox;
use super::inlet::bits;
use super::node::NodeState;
use super::park;
use super::push::Signal;
use super::topology::{Label, NodeId, Role, Site};

impl Graph {
    /// Closes all sources, has streams and iterators stop, waits until everything that is held has
    /// reached its end, and reports. Nothing that was accepted is lost, and what came of a
    /// [stream that is acknowledged](Graph::from_acked_stream) and has arrived is acknowledged then.
    ///
    /// From the first poll on emits return [`Closed`](crate::EmitError::Closed), and what is built
    /// on the graph closes at once. A source that the graph itself feeds
    /// ([`connect`](crate::Flow::connect)) takes what is on its way to it, and closes after.
    ///
    /// The graph's driver does the work. A graph that needs no driver closes at once; one that is
    /// driven by hand is turned by this future, though its time stands still. A shutdown whose
    /// future is dropped goes on, only nobody is told.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// # futures::executor::block_on(async {
    /// let graph = Graph::new();
    /// let readings = graph.source::<u32>();
    /// readings.sink(drop);
    /// readings.emit_all(0..100)?;
    /// let report = graph.shutdown().await?;
    /// assert_eq!((report.accepted, report.delivered), (100, 100));
    /// assert!(report.complete);
    /// println!("{report}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`GraphError::Undriven`] where the graph has timers or futures and no driver, or loses it
    /// meanwhile: the sources are closed all the same, and [`close`](Graph::close) or a new driver
    /// lets go what is held. [`GraphError::Poisoned`], and [`GraphError::Inside`] from a closure of
    /// the graph.
    pub async fn shutdown(&self) -> Result<Report, GraphError> {
        self.shut(None)?;
        poll_fn(|task| self.poll_shut(task)).await
    }

    /// As [`shutdown`](Graph::shutdown), and gives up when `limit` has passed on the graph's clock.
    /// Then the report is not [`complete`](Report::complete): its snapshot counts by node what
    /// remained, and that is lost; receipts for it resolve as torn down.
    ///
    /// Where the data leads the clock there is no time to pass: then it waits as `shutdown` does.
    ///
    /// # Errors
    /// As [`shutdown`](Graph::shutdown).
    pub async fn shutdown_within(&self, limit: Duration) -> Result<Report, GraphError> {
        self.shut(Some(limit))?;
        poll_fn(|task| self.poll_shut(task)).await
    }

    /// As [`shutdown`](Graph::shutdown), on the calling thread: waits for the graph's driver, and
    /// drives the graph itself where nobody does. The time of a graph that is driven by hand moves
    /// on as far as deadlines need.
    ///
    /// Not for async code, where [`shutdown`](Graph::shutdown) is: a driver on the same thread, such
    /// as a task of a `current_thread` runtime, never gets its turn, and this waits for ever.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>();
    /// numbers.sink(drop);
    /// numbers.emit(1)?;
    /// assert_eq!(graph.close()?.delivered, 1);
    /// assert!(numbers.is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`GraphError::Poisoned`], and [`GraphError::Inside`] from a closure of any graph, where
    /// waiting could be for ever.
    pub fn close(&self) -> Result<Report, GraphError> {
        if inbox::is_inside() {
            return Err(GraphError::Inside);
        }
        self.shut(None)?;
        let waker = park::thread_waker();
        let start = Instant::now();
        let mut own = None;
        loop {
            let (driven, by_hand) =
                self.with(|cx| (cx.driven, matches!(cx.clock, Clock::Virtual(_))))?;
            if !driven {
                own = Some(self.attach_driver(Some(Box::new(move || start.elapsed()))));
            }
            let manual = by_hand && own.is_none();
            if manual {
                // Whoever is polled here wakes this thread, and not whoever moved the time last.
                self.core().wakeups.driver.register(&waker);
            }
            let turn = match &own {
                Some(driving) => driving.turn(&waker)?,
                None if manual => self.core().locked(turn_now)?,
                None => Turn::Idle,
            };
            let (report, dead) = self.with(|cx| (cx.report_or_wait(&waker), cx.graves()))?;
            drop(dead);
            if let Some(report) = report {
                return Ok(report);
            }
            match turn {
                Turn::Again | Turn::Finished => {}
                Turn::Until(at) if manual => self.with(|cx| cx.set_now(at))?,
                Turn::Until(at) => {
                    let now = self.with(|cx| cx.clock.read())?;
                    std::thread::park_timeout(at - now);
                }
                Turn::Idle => std::thread::park(),
            }
        }
    }

    /// Starts the shutdown, and sets its deadline.
    fn shut(&self, limit: Option<Duration>) -> Result<(), GraphError> {
        let alarm = self.fresh_id();
        let owner = self.cell_owner();
        self.with(|cx| {
            cx.shut = true;
            cx.close_all();
            let limit = limit.filter(|_| !matches!(cx.clock, Clock::Led(_)));
            if let Some(limit) = limit {
                let cell = Cell::new(owner, Deadline);
                let label = Arc::new(Label::new(alarm, Site::new("shutdown"), None));
                cx.install_deadline(label, cell, cx.clock.read() + limit);
            }
        })
    }

    fn poll_shut(&self, task: &mut Context<'_>) -> Poll<Result<Report, GraphError>> {
        loop {
            let mut entered = self.core().enter()?;
            let cx = &mut *entered.guard;
            self.core().settle(cx);
            let needs = cx.polled_runs + cx.timed_runs > 0;
            // Nobody else turns a graph that is driven by hand, or by nobody: what was started
            // inside is to come to an end here.
            let turn = if matches!(cx.clock, Clock::Virtual(_)) || !(cx.driven || needs) {
                // Whoever is polled here wakes this task.
                cx.wakeups.driver.register(task.waker());
                turn_now(self.core(), cx)
            } else {
                Turn::Idle
            };
            let report = cx.report_or_wait(task.waker());
            let undriven = !cx.driven && needs;
            let idle = !cx.driven;
            let dead = cx.graves();
            entered.settle_and_exit();
            drop(dead);
            return Poll::Ready(match report {
                Some(report) => Ok(report),
                None if undriven => Err(GraphError::Undriven),
                None if turn == Turn::Again || (idle && turn == Turn::Finished) => continue,
                None => return Poll::Pending,
            });
        }
    }
}

fn turn_now(core: &Core, cx: &mut Cx) -> Turn {
    let now = cx.clock.read();
    core.turn(cx, now)
}

/// Wakes who waits for the end when the time is up.
struct Deadline;

impl Node for Deadline {
    fn tick(&mut self, cx: &mut Cx) {
        if !cx.has_arrived() {
            cx.out_of_time = true;
            cx.wakes.append(&mut cx.waiting_for_end);
        }
    }
}

impl Cx {
    /// Closes all sources and pumps. Sources that the graph itself feeds may take longer.
    pub(crate) fn close_all(&mut self) {
        let roots: Vec<_> = self
            .nodes
            .iter()
            .flatten()
            .map(|node| (node.inlet.clone(), node.station.clone()))
            .collect();
        for (inlet, station) in roots {
            if let Some(inlet) = inlet {
                inlet.retire(self);
            }
            if let Some(station) = station {
                station.signal(Signal::Close, self);
            }
        }
        self.wake_driver = true;
        self.todo = true;
    }

    fn install_deadline(&mut self, label: Arc<Label>, cell: Cell<Deadline>, at: Time) {
        let id: NodeId = label.id();
        let mut node = NodeState::new(label, Role::Operator);
        node.station = Some(Arc::new(cell));
        self.add_node(node);
        self.set_timer(id, at);
    }

    /// Whether all ends have seen their close, and nothing waits to come in.
    fn has_arrived(&self) -> bool {
        self.open_ends == 0 && self.open_sources == 0 && !self.inbox.is_flagged()
    }

    /// Whether those who gave elements were told what became of them. The driver tells: without one, nobody will.
    fn is_told(&self) -> bool {
        !self.driven || self.untold.load(Ordering::Acquire) == 0
    }

    /// The report, if the shutdown is over; else `waker` is called when it may be.
    fn report_or_wait(&mut self, waker: &Waker) -> Option<Report> {
        let drained = self.has_arrived();
        let over = self.out_of_time || (drained && self.is_told());
        if !over {
            if !self.waiting_for_end.iter().any(|w| w.will_wake(waker)) {
                self.waiting_for_end.push(waker.clone());
            }
            return None;
        }
        let report = self.report_so_far();
        if !drained {
            let dead = self.tear_down(bits::CLOSED);
            self.graves.extend(dead);
            self.last_report = Some(report.clone());
            self.wake_driver = true;
            self.todo = true;
        }
        Some(report)
    }

    fn report_so_far(&mut self) -> Report {
        // Who asks after the graph was given up gets the counts as they were then.
        if let Some(report) = &self.last_report {
            return report.clone();
        }
        let snapshot = self.snapshot();
        let gone = snapshot.gone;
        let (mut accepted, mut delivered, mut inside) =
            (gone.accepted, gone.delivered, gone.inside);
        for node in &snapshot.nodes {
            let role = self.node(node.label().id()).map(|node| node.role);
            match role {
                // What a source still holds was accepted, and has not passed it.
                Some(Role::Source) => accepted += node.counts.passed + node.counts.held,
                // Neither the end of an element's way, nor the beginning of another's.
                Some(Role::End) if node.label().kind() == "connect" => {
                    inside += node.counts.passed - node.counts.dropped();
                }
                Some(Role::End) => delivered += node.counts.delivered,
                _ => {}
            }
        }
        Report {
            snapshot,
            accepted: accepted.saturating_sub(inside),
            delivered,
            complete: !self.out_of_time,
        }
    }

    /// What was torn down, to be dropped outside of the lock.
    fn graves(&mut self) -> Vec<Box<dyn std::any::Any + Send>> {
        std::mem::take(&mut self.graves)
    }
}
