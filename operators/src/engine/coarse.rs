//! A graph's time for those who don't hold its lock: what was read last, or a reading of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::clock::{Clock, Time};
use super::context::Cx;

/// What is known of a graph's time outside of its lock. Shared by all sources of a graph, so that
/// time does not run backwards from one to the other.
///
/// Aligned, as many threads read it and nothing else is to be written beside it.
#[repr(align(128))]
pub(crate) struct Coarse {
    /// The latest reading that anybody noted, in nanoseconds.
    latest: AtomicU64,
    outside: Mutex<Outside>,
}

/// The clock as it is seen from outside.
struct Outside {
    clock: Clock,
    /// Whether anybody has read it here: until then its zero may still move.
    looked: bool,
}

impl Coarse {
    pub(super) fn new(clock: Clock) -> Coarse {
        Coarse {
            latest: AtomicU64::new(0),
            outside: Mutex::new(Outside {
                clock,
                looked: false,
            }),
        }
    }

    /// The time when somebody looked last.
    #[inline]
    pub(super) fn latest(&self) -> Time {
        Time::from_nanos(self.latest.load(Ordering::Relaxed))
    }

    /// Somebody looked. The machine's clock and a driver's are read by several threads, and who comes
    /// late does not put it back.
    pub(super) fn note(&self, now: Time) {
        if now > self.latest() {
            self.latest.fetch_max(now.as_nanos(), Ordering::Relaxed);
        }
    }

    /// Somebody who holds the graph moved its clock.
    #[inline]
    pub(super) fn moved(&self, now: Time) {
        self.latest.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Looks at the clock, and notes what it says.
    pub(super) fn read(&self) -> Time {
        let mut outside = self.outside();
        outside.looked = true;
        match &outside.clock {
            // It stands still until somebody moves it, and says so here.
            Clock::Virtual(_) | Clock::Led(_) => self.latest(),
            clock => {
                let now = clock.read();
                let before = self.latest.fetch_max(now.as_nanos(), Ordering::Relaxed);
                now.max(Time::from_nanos(before))
            }
        }
    }

    fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cx {
    /// Another clock takes over. `next` makes it from the moment at which the old one stands: its
    /// zero, where nobody has looked at the old one yet.
    pub(super) fn change_clock(&mut self, next: impl FnOnce(Time) -> Clock) {
        let coarse = self.coarse.clone();
        // Nobody looks at the old clock from here on, or time would run backwards for them.
        let mut outside = coarse.outside();
        let looked = self.clock_read || outside.looked;
        let zero = match looked {
            true => self.clock.read(),
            false => Time::ZERO,
        };
        self.clock = next(zero);
        outside.clock = self.clock.clone();
        if let Clock::Virtual(now) | Clock::Led(now) = self.clock {
            coarse.moved(now);
        }
    }
}
