//! The task that polls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::clock::Clock;
use super::course::Ask;
use super::failing::Failing;
use super::intake::Intake;
use super::order::Held;
use super::outlet::Outlets;
use super::shared::{Settings, Shared};
use super::state::{PollError, PollState};
use super::stream::Batch;
use super::ticks::{self, Ticks};
use crate::timeseries::{Fetched, Range, Store};

pub(super) struct Worker<S> {
    pub(super) name: String,
    pub(super) store: S,
    pub(super) clock: Clock,
    /// `None` if points don't wait.
    pub(super) held: Option<Held>,
    pub(super) shared: Arc<Shared>,
    pub(super) settings: watch::Receiver<Settings>,
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) failing: Failing,
    pub(super) ticks: Ticks,
    pub(super) timeout: Duration,
    pub(super) max_points: usize,
    pub(super) outlets: Outlets,
}

/// Why there are no polls any more.
enum Ended {
    /// Nobody wants the points, or somebody ended it.
    Wished,
    Fatal(PollError),
}

/// Why a poll was broken off.
enum Broken {
    Failed(PollError),
    Ended(Ended),
}

impl<S: Store> Worker<S> {
    pub(super) fn run(self) -> impl Future<Output = ()> {
        // Here already: a stream may be dropped before its task has begun.
        let ends = EndsState(self.shared.clone());
        async move {
            let _ends = ends;
            self.work().await;
        }
    }

    async fn work(mut self) {
        let ended = loop {
            if let Err(ended) = self.poll().await {
                break ended;
            }
            if let Err(ended) = self.next_tick().await {
                break ended;
            }
        };
        if let Some(held) = &mut self.held {
            let rest = held.all();
            self.shared.count(|stats| stats.held = 0);
            let _ = self.hand_over(rest).await;
        }
        if let Ended::Fatal(error) = ended {
            tracing::error!(store = self.name, %error, "polling ends");
            let error = Some(error);
            self.shared.state.send_replace(PollState::Ended { error });
        }
    }

    /// One poll, which is repeated until it succeeds.
    async fn poll(&mut self) -> Result<(), Ended> {
        self.shared.count(|stats| stats.polls += 1);
        loop {
            match self.ask_all().await {
                Ok(()) => return Ok(()),
                Err(Broken::Ended(ended)) => return Err(ended),
                Err(Broken::Failed(error)) => {
                    self.shared.count(|stats| stats.failures += 1);
                    let Some(delay) = self.failing.failed(&error, &self.clock, &self.shared) else {
                        return Err(Ended::Fatal(error));
                    };
                    let until = ticks::later(Instant::now(), delay);
                    self.wait(|_| until).await?;
                }
            }
        }
    }

    /// Asks for all that there may be, chunk by chunk.
    async fn ask_all(&mut self) -> Result<(), Broken> {
        // Points may have been acknowledged, and make room.
        self.forget();
        let begin = |worker: &Self| {
            // First: the clock may be the user's, who may look at the stream.
            let (clock, told) = (worker.clock.now(), worker.clock.is_told());
            let reach = &mut worker.shared.memory().reach;
            reach.begin(clock, told, Instant::now())
        };
        let mut course = begin(self);
        loop {
            let ask = course.next(&mut self.shared.memory().reach);
            let Some(ask) = ask else { break };
            let sent = Instant::now();
            let answer = match self.fetch(ask.range).await {
                Ok(answer) => answer,
                Err(error) if error.is_too_much() && self.narrow(&ask) => {
                    course = begin(self);
                    continue;
                }
                Err(error) => {
                    if let PollError::TimedOut { .. } = error {
                        self.shared.memory().reach.ease(&ask);
                    }
                    return Err(Broken::Failed(error));
                }
            };
            if let Some(told) = answer.server_time {
                let began_at = self.clock.heard(told, sent);
                let (clock, now) = (self.clock.now(), Instant::now());
                let reach = &mut self.shared.memory().reach;
                match began_at {
                    Some(began_at) if reach.is_fresh() => {
                        // What was asked for was not the last minutes.
                        reach.began_at(began_at);
                        course = reach.begin(clock, true, now);
                        continue;
                    }
                    _ => reach.correct(&mut course, clock, now),
                }
            }
            let batch = match self.take(&ask, (course.begun, sent), answer) {
                Ok(batch) => batch,
                Err(_) if self.narrow(&ask) => {
                    course = begin(self);
                    continue;
                }
                Err(error) => return Err(Broken::Failed(error)),
            };
            self.failing.succeeded(&self.shared, &self.name);
            self.hand_over(batch).await?;
        }
        self.shared.memory().reach.succeeded(&course);
        let settled = self.settle(course.to, course.begun);
        self.hand_over(settled).await
    }

    /// Asks for shorter stretches from now on, if that can help.
    fn narrow(&self, ask: &Ask) -> bool {
        let helps = self.shared.memory().reach.narrow(ask);
        if helps {
            self.shared.count(|stats| stats.failures += 1);
        }
        helps
    }

    async fn fetch(&self, range: Range) -> Result<Fetched, PollError> {
        self.shared.count(|stats| stats.requests += 1);
        let store = || self.name.clone();
        match tokio::time::timeout(self.timeout, self.store.fetch(range)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(PollError::Store {
                store: store(),
                range,
                error,
            }),
            Err(_) => Err(PollError::TimedOut {
                store: store(),
                range,
                after: self.timeout,
            }),
        }
    }

    /// Takes an answer in, of a poll that began then, to what was asked for then; returns what is to be handed
    /// over.
    fn take(
        &mut self,
        ask: &Ask,
        (begun, sent): (Instant, Instant),
        answer: Fetched,
    ) -> Result<Batch, PollError> {
        let mut intake = self.remember(ask, sent, answer)?;
        self.forget();
        let given = self.outlets.give(std::mem::take(&mut intake.aside));
        let (held, ahead) = (self.held.as_ref().map_or(0, Held::len), self.clock.ahead());
        self.shared.count(|stats| {
            intake.count(stats);
            given.count(stats);
            stats.held = held;
            stats.clock_ahead = ahead;
        });
        let mut batch = intake.batch;
        if let Some(complete) = ask.complete {
            batch.append(&mut self.settle(complete, begun));
        }
        Ok(batch)
    }

    /// Remembers what is new in an answer, and sorts it by where it goes: in one hold of the memory, as a cursor that
    /// is made meanwhile knows all of the answer or nothing.
    fn remember(&mut self, ask: &Ask, sent: Instant, answer: Fetched) -> Result<Intake, PollError> {
        let received = answer.points.len() as u64;
        let mut found = Vec::new();
        let mut memory = self.shared.memory();
        let horizon = memory.reach.horizon().unwrap_or(i64::MIN);
        let keep = |place, new| found.push((place, new));
        let taken = memory
            .seen
            .take(answer, ask.range, horizon, self.max_points, keep);
        let taken = taken.map_err(|many| PollError::TooManyPoints {
            store: self.name.clone(),
            range: ask.range,
            points: many.points,
            max: self.max_points,
        })?;
        let mut intake = Intake {
            received,
            repeated: received - taken.unasked - found.len() as u64,
            unasked: taken.unasked,
            ..Intake::default()
        };
        intake.sort(found, &mut self.held, &mut self.shared.pending());
        let reach = &mut memory.reach;
        reach.answered(ask, taken.newest, sent, Instant::now());
        Ok(intake)
    }

    /// Forgets what cannot come again, as nobody asks for it any more.
    fn forget(&self) {
        let mut memory = self.shared.memory();
        let oldest = self.shared.pending().oldest();
        let before = memory.reach.forgets_before();
        let before = oldest.map_or(before, |oldest| oldest.min(before));
        memory.seen.forget(before);
        memory.reach.forgot(before);
    }

    /// What has settled, where everything up to a time was asked for by a poll that began then. What was
    /// stored since is not late because an answer took long, or its consumer.
    fn settle(&mut self, complete: i64, begun: Instant) -> Batch {
        let Some(held) = &mut self.held else {
            return Batch::new();
        };
        let (complete, now) = {
            let reach = &self.shared.memory().reach;
            (reach.complete(complete), reach.at_least(begun))
        };
        let settled = held.settle(complete, now.unwrap_or(i64::MIN));
        let left = held.len();
        self.shared.count(|stats| stats.held = left);
        settled
    }

    /// Waits until the consumer takes it.
    async fn hand_over(&mut self, batch: Batch) -> Result<(), Broken> {
        let late = batch.iter().filter(|(_, polled)| polled.is_late()).count();
        self.shared.count(|stats| {
            stats.emitted += batch.len() as u64;
            stats.late += late as u64;
        });
        if !batch.is_empty() && self.batches.send(batch).await.is_err() {
            return Err(Broken::Ended(Ended::Wished));
        }
        match self.settings.borrow().stopped {
            true => Err(Broken::Ended(Ended::Wished)),
            false => Ok(()),
        }
    }

    /// Waits for the next poll to be due.
    async fn next_tick(&mut self) -> Result<(), Ended> {
        let interval = self.settings.borrow_and_update().interval;
        let skipped = self.ticks.skip(interval);
        self.shared.count(|stats| stats.skipped += skipped);
        let ticks = self.ticks;
        self.wait(move |settings| ticks.next(settings.interval))
            .await?;
        let now = self.settings.borrow().interval;
        match now == interval {
            true => self.ticks.tick(now),
            false => self.ticks.tick_anew(now),
        }
        Ok(())
    }

    /// Waits until a time that depends on the settings, or until it is ended.
    async fn wait(&mut self, until: impl Fn(&Settings) -> Instant) -> Result<(), Ended> {
        loop {
            let settings = *self.settings.borrow_and_update();
            if settings.stopped {
                return Err(Ended::Wished);
            }
            let changed = self.settings.changed();
            match tokio::time::timeout_at(until(&settings), changed).await {
                Err(_) => return Ok(()),
                Ok(Ok(())) => {}
                // Never, as we have a handle of the sender.
                Ok(Err(_)) => return Err(Ended::Wished),
            }
        }
    }
}

/// Whoever sees the end of the task sees it in the state too, however it ends.
struct EndsState(Arc<Shared>);

impl Drop for EndsState {
    fn drop(&mut self) {
        self.0.state.send_if_modified(|state| {
            let ends = !state.is_ended();
            if ends {
                *state = PollState::Ended { error: None };
            }
            ends
        });
    }
}
