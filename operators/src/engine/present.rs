//! What time it is within a push, and time that the data leads.

use super::clock::{Clock, Time};
use super::context::Cx;
use super::topology::NodeId;

impl Cx {
    /// The time of this push, read from the clock when the first operator asks.
    #[inline]
    pub fn now(&mut self) -> Time {
        match self.now {
            Some(now) => now,
            None => self.read_clock(),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_clock(&mut self) -> Time {
        self.clock_read = true;
        let now = self.clock.read();
        self.now = Some(now);
        self.seen = self.seen.max(now);
        now
    }

    /// As [`begin`](Cx::begin), of elements that were sent at `time`, or little later. Time does not
    /// run backwards: nobody is given an earlier one than somebody had before.
    pub(super) fn begin_at(&mut self, origin: NodeId, time: Time) {
        self.origin = origin;
        let time = match self.clock {
            Clock::Virtual(now) | Clock::Led(now) => now,
            Clock::Real(_) | Clock::Driver(_) => time.max(self.seen),
        };
        self.seen = time;
        self.now = Some(time);
        self.clock_read = true;
    }

    /// A deadline is due: what was sent before it goes first.
    pub(super) fn catch_up(&mut self) {
        for at in 0..self.gathering.len() {
            if let Some(inlet) = self.gathering.get(at).cloned() {
                inlet.catch_up(self);
            }
        }
    }

    /// A new push begins, and the clock may have moved. The caller answers for `token`: it is `NONE`
    /// between pushes.
    #[inline]
    pub(crate) fn begin(&mut self, origin: NodeId) {
        self.origin = origin;
        self.now = None;
    }

    /// The clock may have moved since the last push.
    #[inline]
    pub(crate) fn forget_time(&mut self) {
        self.now = None;
    }

    /// The time that this turn ends at: later than [`now`](Cx::now) while the deadlines between two
    /// elements that lead the clock are fired one by one.
    #[inline]
    pub(crate) fn heading(&mut self) -> Time {
        self.now().max(self.heading)
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        match &mut self.clock {
            Clock::Virtual(at) | Clock::Led(at) => {
                *at = now;
                self.coarse.moved(now);
            }
            Clock::Real(_) | Clock::Driver(_) => self.coarse.note(now),
        }
        self.seen = self.seen.max(now);
        self.clock_read = true;
        self.now = Some(now);
    }

    pub(crate) fn set_timer(&mut self, node: NodeId, at: Time) {
        if self.timers.set(node, at) {
            self.wake_driver = true;
            self.todo = true;
        }
    }

    /// The clock follows the data from now on.
    pub(crate) fn lead(&mut self) {
        if !matches!(self.clock, Clock::Led(_)) {
            self.change_clock(|_| Clock::Led(Time::ZERO));
            self.seen = Time::ZERO;
            self.refresh_inlets();
        }
    }

    /// Whether nobody drives, since the elements bring the time along: then they also bring those
    /// along who waited for room downstream.
    pub(crate) fn is_led_alone(&self) -> bool {
        !self.driven && self.polled_runs == 0 && matches!(self.clock, Clock::Led(_))
    }

    /// As [`is_led_alone`](Cx::is_led_alone), or nobody has to drive, as there is neither a future
    /// nor a deadline.
    pub(crate) fn drives_itself(&self) -> bool {
        let idle = !self.driven && self.polled_runs == 0 && self.timed_runs == 0;
        idle || self.is_led_alone()
    }

    /// The push of an element that says it is `time` begins, if no deadline has to be fired first.
    /// Returns whether it does.
    #[inline]
    pub(crate) fn begin_led(&mut self, origin: NodeId, time: Time) -> bool {
        let Clock::Led(now) = &mut self.clock else {
            return false;
        };
        if time > *now {
            if self.timers.next().is_some_and(|next| next <= time) {
                return false;
            }
            *now = time;
            self.heading = time;
            self.coarse.moved(time);
        }
        self.now = Some(*now);
        self.clock_read = true;
        self.origin = origin;
        true
    }

    /// Fires all deadlines up to `now`, each at its own moment.
    pub(crate) fn advance_led(&mut self, now: Time) {
        self.heading = now;
        while self.timers.next().is_some_and(|next| next <= now) {
            self.catch_up();
            let Some((at, node)) = self.timers.pop_due(now) else {
                break;
            };
            self.set_now(at.max(self.clock.read()));
            self.tick(node);
        }
        self.set_now(now);
    }
}
