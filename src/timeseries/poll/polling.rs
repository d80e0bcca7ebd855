//! What is polled, how often, and how.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::clock::{Clock, PollClock, Wall};
use super::cursor::Cursor;
use super::failing::Failing;
use super::order::{Held, Order};
use super::outlet::{Outlet, Outlets, Revised};
use super::polling_error::{LEAST, PollingError};
use super::range::{Lengths, Reach, millis};
use super::seen::Seen;
use super::shared::{Memory, Settings, Shared};
use super::stream::MetricsStream;
use super::ticks::Ticks;
use super::worker::Worker;
use crate::timeseries::{Point, Store};
use crate::{Retry, again};

/// What is polled, how often, and how: makes a [`MetricsStream`].
///
/// | option | by default |
/// | --- | --- |
/// | [`every`](Polling::every) | 10 seconds |
/// | [`buffer`](Polling::buffer) | 10 minutes |
/// | [`margin`](Polling::margin) | a tenth of the buffer |
/// | [`chunk`](Polling::chunk) | an hour, or twice the buffer and margin |
/// | [`order`](Polling::order) | as seen |
/// | [`clock`](Polling::clock) | the store's, where it tells the time |
/// | [`retry`](Polling::retry), [`retry_slowly`](Polling::retry_slowly) | 6 attempts, 1 to 30 seconds apart; then once a minute |
/// | [`timeout`](Polling::timeout) | 30 seconds |
/// | [`max_points`](Polling::max_points) | 1 000 000 |
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use headwater::timeseries::{Fetched, Point, Polling, Range, Store, StoreError};
///
/// /// A store that has a point a second.
/// struct Seconds;
///
/// impl Store for Seconds {
///     async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
///         let seconds = (range.from + 999).div_euclid(1000)..=range.to.div_euclid(1000);
///         Ok(Fetched::new(seconds.map(|s| Point::new("seconds", s * 1000, s))))
///     }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
/// # runtime.block_on(async {
/// let polling = Polling::new(Seconds)
///     .every(Duration::from_secs(10))
///     .buffer(Duration::from_secs(60));
/// let mut points = polling.start()?;
/// let first = points.next().await.unwrap();
/// let second = points.next().await.unwrap();
/// assert_eq!(second.point().millis(), first.point().millis() + 1000);
/// # Ok::<(), headwater::timeseries::PollingError>(())
/// # })?;
/// # Ok::<(), headwater::BoxError>(())
/// ```
#[must_use = "nothing is polled until it is started"]
pub struct Polling<S> {
    store: S,
    interval: Duration,
    jitter: Option<(Duration, u64)>,
    buffer: Duration,
    margin: Option<Duration>,
    chunk: Option<Duration>,
    order: Order,
    clock: PollClock,
    wall: Wall,
    retry: Retry,
    slowly: Duration,
    ends: bool,
    timeout: Duration,
    max_points: usize,
    cursor: Option<Cursor>,
    outlets: Outlets,
    /// An outlet that was asked for with no room.
    no_room: Option<&'static str>,
}

impl<S: Store> Polling<S> {
    /// Polls a store.
    pub fn new(store: S) -> Polling<S> {
        let retry = Retry::attempts(6)
            .exponential(Duration::from_secs(1))
            .max_delay(Duration::from_secs(30))
            .jitter(again::seed());
        Polling {
            store,
            interval: Duration::from_secs(10),
            jitter: None,
            buffer: Duration::from_secs(600),
            margin: None,
            chunk: None,
            order: Order::AsSeen,
            clock: PollClock::Store,
            wall: Arc::new(SystemTime::now),
            retry,
            slowly: Duration::from_secs(60),
            ends: false,
            timeout: Duration::from_secs(30),
            max_points: 1_000_000,
            cursor: None,
            outlets: Outlets::default(),
            no_room: None,
        }
    }

    /// How often it is polled. The first poll is at once, and the rate is fixed: while a poll is under
    /// way there is no other, and times that pass meanwhile are skipped and counted.
    #[doc(alias = "intervalMs")]
    pub fn every(self, interval: Duration) -> Self {
        Polling { interval, ..self }
    }

    /// Puts each poll off by chance, up to this, so that many who poll one store don't come
    /// all at once. The same seed gives the same delays.
    pub fn jitter(self, up_to: Duration, seed: u64) -> Self {
        Polling {
            jitter: Some((up_to, seed)),
            ..self
        }
    }

    /// How much later than the newest one a point may come and still be emitted.
    #[doc(alias = "buffer_time")]
    #[doc(alias = "bufferTime")]
    pub fn buffer(self, buffer: Duration) -> Self {
        Polling { buffer, ..self }
    }

    /// How much later than the buffer a point may come and still be noticed, as too late. It is asked
    /// for and remembered like the buffer; what comes later still is not seen at all.
    pub fn margin(self, margin: Duration) -> Self {
        Polling {
            margin: Some(margin),
            ..self
        }
    }

    /// The longest stretch of time that one request asks for. A longer one, after an outage for example,
    /// is cut, and asked for from the oldest chunk on.
    pub fn chunk(self, chunk: Duration) -> Self {
        Polling {
            chunk: Some(chunk),
            ..self
        }
    }

    /// In which order points are emitted.
    pub fn order(self, order: Order) -> Self {
        Polling { order, ..self }
    }

    /// Whose clock tells what time it is.
    pub fn clock(self, clock: PollClock) -> Self {
        Polling { clock, ..self }
    }

    /// Takes this computer's time of day from a function, which tests control, for example.
    pub fn wall_clock(self, wall: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Polling {
            wall: Arc::new(wall),
            ..self
        }
    }

    /// How often, and when, a failed request is repeated while the stream is
    /// [degraded](super::PollState::Degraded). A store that asks to be left alone is obeyed where
    /// that is longer, for an hour at most.
    pub fn retry(self, retry: Retry) -> Self {
        Polling { retry, ..self }
    }

    /// How often a request is repeated while the stream is [down](super::PollState::Down): after
    /// all attempts have failed, or at once where the store said that asking again soon cannot help.
    pub fn retry_slowly(self, every: Duration) -> Self {
        Polling {
            slowly: every,
            ..self
        }
    }

    /// Ends the stream instead of repeating slowly what the store said cannot help. The
    /// [state](super::PollState::Ended) then tells the error.
    pub fn end_on_fatal(self) -> Self {
        Polling { ends: true, ..self }
    }

    /// How long a request may take. After one that took longer, requests are for half of its stretch of time at most,
    /// down to an eighth of the buffer, and for twice as much again after each poll that succeeds.
    pub fn timeout(self, timeout: Duration) -> Self {
        Polling { timeout, ..self }
    }

    /// How many points are remembered at most: those of the buffer and the margin, and all since the oldest one
    /// that is not acknowledged. Beyond that polls fail, visibly. A point takes 24 to 27 bytes.
    pub fn max_points(self, max_points: usize) -> Self {
        Polling { max_points, ..self }
    }

    /// Goes on from a cursor, if there is one: its points are not emitted again.
    pub fn resume(self, cursor: impl Into<Option<Cursor>>) -> Self {
        Polling {
            cursor: cursor.into(),
            ..self
        }
    }

    /// Points whose value is another one than before; so many wait at most.
    pub fn revised(&mut self, capacity: usize) -> Outlet<Revised> {
        self.has_room("revised", capacity);
        self.outlets.revised.open(capacity.max(1))
    }

    /// Points that came later than the buffer, within the [margin](Polling::margin); so many wait at most.
    pub fn too_late(&mut self, capacity: usize) -> Outlet<Point> {
        self.has_room("too_late", capacity);
        self.outlets.too_late.open(capacity.max(1))
    }

    /// Points that came after later ones had [settled](Order::Settled); so many wait at most.
    pub fn overdue(&mut self, capacity: usize) -> Outlet<Point> {
        self.has_room("overdue", capacity);
        self.outlets.overdue.open(capacity.max(1))
    }

    /// Begins to poll, in a task of the tokio runtime it is called in, until the stream is dropped.
    ///
    /// # Errors
    /// If an option makes no sense, or where there is no runtime.
    pub fn start(self) -> Result<MetricsStream, PollingError> {
        self.check()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| PollingError::NoRuntime)?;
        let margin = self.margin.unwrap_or(self.buffer / 10);
        let both = self.buffer.saturating_add(margin);
        let hour = Duration::from_secs(3600);
        let lengths = Lengths {
            buffer: millis(self.buffer),
            margin: millis(margin),
            chunk: millis(self.chunk.unwrap_or(hour.max(both.saturating_mul(2)))),
        };
        let begun = |cursor: &Cursor| Some((cursor.horizon?, cursor.known_from));
        let resumed = self.cursor.as_ref().and_then(begun);
        let seen = self.cursor.map_or_else(Seen::default, Cursor::into_seen);
        let memory = Memory {
            reach: Reach::new(lengths, resumed, seen.newest()),
            seen,
        };
        let settings = Settings {
            interval: self.interval,
            jitter: self.jitter.map(|(up_to, _)| up_to),
            stopped: false,
        };
        let shared = Shared::new(memory, settings);
        let (sender, batches) = tokio::sync::mpsc::channel(1);
        let held = match self.order {
            Order::AsSeen => None,
            Order::Settled(hold) => Some(Held::new(millis(hold))),
        };
        let worker = Worker {
            name: self.store.name(),
            store: self.store,
            clock: Clock::new(self.clock, self.wall),
            held,
            settings: shared.settings.subscribe(),
            shared: shared.clone(),
            batches: sender,
            failing: Failing::new(self.retry, self.slowly, self.ends),
            ticks: Ticks::new(self.jitter),
            timeout: self.timeout,
            max_points: self.max_points,
            outlets: self.outlets,
        };
        Ok(MetricsStream::new(
            runtime.spawn(worker.run()),
            batches,
            shared,
        ))
    }

    /// Notes an outlet that has none, for the check at the start.
    fn has_room(&mut self, outlet: &'static str, capacity: usize) {
        if capacity == 0 {
            self.no_room.get_or_insert(outlet);
        }
    }

    fn check(&self) -> Result<(), PollingError> {
        if let Some(outlet) = self.no_room {
            return Err(PollingError::NoRoom(outlet));
        }
        let lengths = [
            ("buffer", Some(self.buffer)),
            ("chunk", self.chunk),
            ("retry_slowly", Some(self.slowly)),
            ("timeout", Some(self.timeout)),
        ];
        for (option, length) in lengths {
            if let Some(length) = length
                && length < LEAST
            {
                return Err(PollingError::TooShort(option, length));
            }
        }
        if self.max_points == 0 {
            return Err(PollingError::NoPoints);
        }
        if let Order::Settled(hold) = self.order
            && hold > self.buffer
        {
            let buffer = self.buffer;
            return Err(PollingError::HoldBeyondBuffer { hold, buffer });
        }
        PollingError::of_rate(self.interval, self.jitter.map(|(up_to, _)| up_to))
    }
}

impl<S> fmt::Debug for Polling<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polling")
            .field("interval", &self.interval)
            .field("buffer", &self.buffer)
            .field("order", &self.order)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
