//! Whose clock tells until when a poll asks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::timeseries::unix::unix_millis;

/// Whose clock tells what time it is when a poll asks for "the last ten minutes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PollClock {
    /// The store's, where its answers tell the time ([`Fetched::server_time`]), and ours where they
    /// don't. How far it is from this computer's steady clock is measured with each answer and
    /// smoothed, so that this computer's time of day may be wrong, and may be changed. That the store's
    /// clock has jumped by two seconds or more is believed when two answers in a row agree on it.
    ///
    /// [`Fetched::server_time`]: crate::timeseries::Fetched::server_time
    #[default]
    Store,
    /// This computer's time of day.
    Local,
}

/// Tells the time of day.
pub(super) type Wall = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub(super) struct Clock {
    whose: PollClock,
    wall: Wall,
    origin: Instant,
    /// What the store's clock shows at the origin, in milliseconds since the Unix epoch.
    store: Option<f64>,
    /// A measurement that was too far off to be believed without another one.
    doubtful: Option<f64>,
}

/// A measurement that is further off than this is no matter of chance: the clock has jumped, or the answer
/// was wrong. Two in a row tell which.
const JUMP_MS: f64 = 2000.0;
/// What took longer than this tells little of when, in between, the time was told.
const SLOW: Duration = Duration::from_secs(2);
/// The share of a new measurement in the estimate.
const SHARE: f64 = 0.125;
/// How far this computer may be off when it begins, before it begins again.
const OFF: u64 = 1000;

impl Clock {
    pub(super) fn new(whose: PollClock, wall: Wall) -> Clock {
        Clock {
            whose,
            wall,
            origin: Instant::now(),
            store: None,
            doubtful: None,
        }
    }

    fn since_origin(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.origin).as_secs_f64() * 1000.0
    }

    /// Milliseconds since the Unix epoch.
    pub(super) fn now(&self) -> i64 {
        match self.store {
            Some(store) => (store + self.since_origin(Instant::now())) as i64,
            None => unix_millis(self.wall()),
        }
    }

    /// Whether it is the store that has told the time.
    pub(super) fn is_told(&self) -> bool {
        self.store.is_some()
    }

    /// This computer's time of day.
    pub(super) fn wall(&self) -> SystemTime {
        (self.wall)()
    }

    /// How far the store's clock is ahead of this computer's.
    pub(super) fn ahead(&self) -> Option<i64> {
        self.store?;
        Some(self.now().saturating_sub(unix_millis(self.wall())))
    }

    /// The store told the time in an answer to what was sent then. If the clock was far off before, as
    /// nothing was known of the store's, this says at what time it began.
    pub(super) fn heard(&mut self, told: SystemTime, sent: Instant) -> Option<i64> {
        if self.whose == PollClock::Local {
            return None;
        }
        let before = self.now();
        let first = self.store.is_none();
        let mut millis = unix_millis(told) as f64;
        // A date of HTTP has whole seconds, cut off.
        if told
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |t| t.subsec_nanos())
            == 0
        {
            millis += 500.0;
        }
        // It was told some time between then and now.
        let (earliest, latest) = (
            millis - self.since_origin(Instant::now()),
            millis - self.since_origin(sent),
        );
        let measured = match self.store {
            Some(known) if sent.elapsed() > SLOW => known.clamp(earliest, latest),
            _ => (earliest + latest) / 2.0,
        };
        self.learn(measured);
        let off = first && self.now().abs_diff(before) > OFF;
        self.store.filter(|_| off).map(|origin| origin as i64)
    }

    /// Takes a measurement into the estimate.
    fn learn(&mut self, measured: f64) {
        let near = |other: &f64| (measured - other).abs() < JUMP_MS;
        let doubtful = self.doubtful.take();
        match self.store {
            Some(known) if near(&known) => self.store = Some(known + SHARE * (measured - known)),
            // One answer of a mistaken server between others changes nothing.
            Some(_) if !doubtful.as_ref().is_some_and(near) => self.doubtful = Some(measured),
            _ => self.store = Some(measured),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("whose", &self.whose)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
