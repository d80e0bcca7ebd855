//! When a graph's clock was zero, and how far the system's clock was put since.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::Time;

/// By how much the system's clock has to differ from what it should say, so that somebody has put it: daemons
/// that keep the time correct smaller errors little by little, which the clock of a runtime follows.
const STEP: Duration = Duration::from_secs(1);

/// The Unix time at which a graph's clock was zero, once it is known.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    zero: OnceLock<Time>,
    system: Option<System>,
    /// How far the system's clock was put since, in nanoseconds.
    put: AtomicI64,
}

/// The system's clock, or what a user takes for it.
#[derive(Clone, Default)]
pub(super) struct SystemClock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

/// A clock that is followed.
#[derive(Debug)]
struct System {
    clock: SystemClock,
    /// What it said at first.
    start: Time,
    /// When that was, by a clock that nobody puts.
    at: Instant,
    /// The same by the runtime's, which goes with a user's clock in tests.
    at_runtimes: tokio::time::Instant,
}

impl SystemClock {
    pub(super) fn new(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> SystemClock {
        SystemClock(Some(Arc::new(clock)))
    }

    fn now(&self) -> Time {
        let SystemClock(clock) = self;
        clock
            .as_ref()
            .map_or_else(SystemTime::now, |clock| clock())
            .into()
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SystemClock(clock) = self;
        f.write_str(if clock.is_some() {
            "own"
        } else {
            "the system's"
        })
    }
}

impl System {
    fn passed(&self) -> Duration {
        match self.clock.0 {
            Some(_) => self.at_runtimes.elapsed(),
            None => self.at.elapsed(),
        }
    }

    /// How far the clock was put, in nanoseconds: the difference of what it says and what it should say. Nothing if
    /// this thread had no processor between the two.
    fn put(&self) -> Option<i64> {
        let (passed, says) = (self.passed(), self.clock.now());
        if self.passed() - passed > STEP / 4 {
            return None;
        }
        let put = i128::from(says.as_nanos()) - i128::from((self.start + passed).as_nanos());
        Some(i64::try_from(put).unwrap_or(if put < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl Epoch {
    /// Zero is when the clock says that it is now, and where the clock is put times follow it.
    pub(super) fn of_system(clock: SystemClock) -> Epoch {
        let start = clock.now();
        Epoch {
            zero: start.into(),
            system: Some(System {
                clock,
                start,
                at: Instant::now(),
                at_runtimes: tokio::time::Instant::now(),
            }),
            put: AtomicI64::new(0),
        }
    }

    /// Zero is this, or what the first element says.
    pub(super) fn fixed(zero: Option<Time>) -> Epoch {
        Epoch {
            zero: zero.map_or_else(OnceLock::new, OnceLock::from),
            ..Epoch::default()
        }
    }

    /// When it was, if that is known: by the clock as it was then.
    pub(super) fn zero(&self) -> Option<Time> {
        self.zero.get().copied()
    }

    /// If nobody knows when it was, it was then.
    pub(super) fn or_zero(&self, zero: impl FnOnce() -> Time) {
        self.zero.get_or_init(zero);
    }

    /// The Unix time of a time on the graph's clock.
    pub(super) fn unix(&self, time: Time) -> Time {
        self.put_on(self.zero().unwrap_or_default() + time.elapsed())
    }

    /// The same time, by the clock as it is now.
    pub(super) fn put_on(&self, time: Time) -> Time {
        Time::from_nanos(
            time.as_nanos()
                .saturating_add_signed(self.put.load(Relaxed)),
        )
    }

    /// Whether times are what they were said to be.
    pub(super) fn is_as_it_was(&self) -> bool {
        self.put.load(Relaxed) == 0
    }

    /// Looks whether somebody has put the clock.
    pub(super) fn look(&self) {
        let Some(put) = self.system.as_ref().and_then(System::put) else {
            return;
        };
        let before = self.put.load(Relaxed);
        let by = i128::from(put) - i128::from(before);
        if by.unsigned_abs() < STEP.as_nanos() {
            return;
        }
        self.put.store(put, Relaxed);
        tracing::warn!(
            seconds = by as f64 / 1e9,
            "the system's clock was put, or goes on after a sleep: the times of elements follow it"
        );
    }
}
