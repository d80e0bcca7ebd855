//! Polls and shows it; in the end finds out whether every point came exactly once.

use std::time::{Duration, SystemTime};

use headwater::prelude::*;
use headwater::timeseries::kairosdb::{KairosDb, Query};
use headwater::timeseries::{
    Cursor, CursorFile, Order, Outlet, Point, PollClock, PollControl, Polling, Range, Revised,
    Store,
};
use headwater::{BoxError, Retry};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::devices;
use crate::ledger::Ledger;
use crate::options::{Options, Pace};
use crate::pipeline::{self, Window};
use crate::screen::Screen;
use crate::verdict::Verdict;

/// How long the end may take: the store may be out of order just then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that runs.
pub struct Run {
    control: PollControl,
    driver: headwater::Driver,
    ledger: Ledger,
    outlets: [Outlet<Point>; 2],
    revised: Outlet<Revised>,
    windows: mpsc::UnboundedReceiver<Window>,
    screen: Screen,
    /// To look in the end at what there is.
    client: KairosDb,
    query: Query,
    pace: Pace,
    length: Duration,
    cursor: Option<CursorFile>,
    resumed: bool,
    begun: (Instant, SystemTime),
    next_frame: Instant,
    saved: Instant,
}

impl Run {
    pub fn start(
        options: &Options,
        pace: Pace,
        client: &KairosDb,
        metrics: Vec<String>,
    ) -> Result<Run, BoxError> {
        let query = Query::since(0).metrics(metrics.iter().map(|name| &**name));
        let cursor = options.cursor.clone().map(CursorFile::new);
        let known: Option<Cursor> = cursor.as_ref().map(CursorFile::load).transpose()?.flatten();
        let resumed = known.is_some();
        let begun = (Instant::now(), SystemTime::now());
        let mut polling = Polling::new(client.store(query.clone()))
            .every(pace.every)
            .buffer(pace.buffer)
            .order(Order::Settled(pace.hold))
            .retry(Retry::attempts(4).exponential(pace.every / 3))
            .retry_slowly(pace.every)
            .resume(known);
        if options.url.is_none() {
            // The same clock, and the date of an HTTP answer has whole seconds only.
            polling = polling.clock(PollClock::Local);
        }
        let revised = polling.revised(100_000);
        let outlets = [polling.too_late(100_000), polling.overdue(100_000)];

        let graph = Graph::new();
        let (ledger, (news, windows)) = (Ledger::default(), mpsc::unbounded_channel());
        let stream = polling.start()?;
        let control = stream.control();
        pipeline::build(&graph, stream, pace.window, ledger.clone(), news);
        let again = if resumed { ", from the cursor on" } else { "" };
        let [_, from, length] = pace.outages.map(|length| length.as_secs_f64());
        let note = match options.url {
            Some(_) => String::new(),
            None => format!(
                "12 series of simulated devices, some late; from {from:.1} s on the store is out of order for {length:.1} s"
            ),
        };
        let title = format!(
            "polling {} every {:?}: {}{again}",
            client.url(),
            pace.every,
            metrics.join(", ")
        );
        Ok(Run {
            control,
            driver: graph.spawn(),
            ledger,
            outlets,
            revised,
            windows,
            screen: Screen::new([title, note], pace, options.seconds),
            client: client.clone(),
            query,
            pace,
            length: options.seconds,
            cursor,
            resumed,
            begun,
            next_frame: begun.0,
            saved: begun.0,
        })
    }

    /// Shows it while it runs; then says whether every point came once.
    pub async fn until_the_end(
        mut self,
        devices: Option<JoinHandle<Result<devices::Written, BoxError>>>,
    ) -> Result<Verdict, BoxError> {
        let until = self.begun.0 + self.length;
        tokio::select! {
            () = self.look(until) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        let written = match devices {
            // They write for as long as this runs, and until the store has taken everything.
            Some(devices) => Some(self.while_looking(devices).await??),
            None => None,
        };
        let there = self
            .while_looking(tokio::spawn(there(self.asking())))
            .await??;
        let polled = tokio::spawn(polled_once_more(self.control.clone(), self.pace.every));
        let caught_up = self.while_looking(polled).await?;
        self.control.stop();
        (&mut self.driver).await?;
        self.take_news();
        self.screen.show(&self.control.stats());
        self.save().await?;
        self.screen.print_windows();
        let (range, there) = there;
        Ok(Verdict {
            stats: self.control.stats(),
            windows: (self.screen.windows(), self.pace.window),
            misplaced: self.screen.misplaced(),
            by_devices: written.as_ref().map(|written| {
                let points: Vec<Point> = written.points.values().cloned().collect();
                self.ledger.compare(&points, i64::MIN)
            }),
            by_query: caught_up.then(|| self.ledger.compare(&there, range.from)),
            before: self.resumed.then(|| self.ledger.before(range.from)),
            written,
        })
    }

    /// Shows what happens, up to a time.
    async fn look(&mut self, until: Instant) {
        let mut state = self.control.watch();
        while Instant::now() < until {
            tokio::select! {
                () = tokio::time::sleep_until(self.next_frame.min(until)) => {}
                Ok(()) = state.changed() => {
                    let state = state.borrow_and_update().clone();
                    self.screen.state(state);
                    continue;
                }
            }
            if Instant::now() >= self.next_frame {
                self.next_frame = Instant::now() + self.screen.every();
                self.take_news();
                self.screen.show(&self.control.stats());
            }
            if self.saved.elapsed() > Duration::from_secs(1) {
                self.saved = Instant::now();
                if let Err(error) = self.save().await {
                    eprintln!("the cursor is not up to date: {error}");
                }
            }
        }
    }

    async fn while_looking<T>(&mut self, mut task: JoinHandle<T>) -> Result<T, BoxError> {
        tokio::select! {
            ended = &mut task => Ok(ended?),
            () = self.look(Instant::now() + PATIENCE) => {
                task.abort();
                Err(format!("after {PATIENCE:?} the store still does not answer").into())
            }
        }
    }

    fn take_news(&mut self) {
        self.ledger.set_aside(&mut self.outlets, &mut self.revised);
        while let Ok(window) = self.windows.try_recv() {
            self.screen.window(window);
        }
    }

    async fn save(&self) -> Result<(), BoxError> {
        if let Some(file) = self.cursor.clone() {
            let cursor = self.control.cursor();
            tokio::task::spawn_blocking(move || file.save(&cursor)).await??;
        }
        Ok(())
    }

    /// A plain query for what was polled, and what it is for.
    fn asking(&self) -> (KairosDb, Query, Range) {
        (self.client.clone(), self.query.clone(), self.polled())
    }

    /// From the first moment that was asked for to now, by the store's clock. What there was before, a cursor
    /// may know.
    fn polled(&self) -> Range {
        let ahead = self.control.stats().clock_ahead.unwrap_or(0);
        let millis = |time: SystemTime| {
            let since = time
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            since.as_millis() as i64 + ahead
        };
        let before = match self.resumed {
            true => Duration::ZERO,
            // The date of an HTTP answer has whole seconds.
            false => self.pace.buffer.saturating_sub(Duration::from_secs(1)),
        };
        Range {
            from: millis(self.begun.1 - before),
            to: millis(SystemTime::now()),
        }
    }
}

/// What there is in the store. An answer of 204 says that points are queued, so it is asked until that does not
/// change any more.
async fn there(
    (client, query, range): (KairosDb, Query, Range),
) -> Result<(Range, Vec<Point>), BoxError> {
    let store = client.store(query);
    let mut before = None;
    loop {
        match store.fetch(range).await {
            Ok(fetched) if before == Some(fetched.points.len()) => {
                return Ok((range, fetched.points));
            }
            Ok(fetched) => before = Some(fetched.points.len()),
            // It may be out of order just now.
            Err(error) if error.can_retry() => before = None,
            Err(error) => return Err(error.into()),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for a poll that begins after this, and for all that it brings; whether there was one.
async fn polled_once_more(control: PollControl, every: Duration) -> bool {
    let next = control.stats().polls + 1;
    let deadline = Instant::now() + PATIENCE;
    while control.stats().polls <= next || !control.state().is_healthy() {
        if Instant::now() > deadline || control.state().is_ended() {
            return false;
        }
        sleep(every / 10).await;
    }
    true
}
