//! `Retry`: how often a failed attempt is repeated, and after which delay.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// No delay grows beyond this unless the user says so.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// How often an element whose attempt failed is tried again, and when: what
/// [`TryMapAsync::retry`](crate::TryMapAsync::retry), [`TryBranch::retry`](crate::TryBranch::retry) and
/// their kin take.
///
/// Without a delay the next attempt follows at once. Time between attempts is the graph's, so that it
/// is virtual in tests.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::Retry;
/// use std::{io, time::Duration};
///
/// let policy = Retry::attempts(5)
///     .exponential(Duration::from_millis(100)) // 100, 200, 400, then
///     .max_delay(Duration::from_millis(500)) // 500 ms
///     .jitter(42)
///     .when(|error| error.is::<io::Error>());
/// # drop(policy);
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until it is given to `retry`"]
pub struct Retry {
    attempts: u32,
    delay: Delay,
    max_delay: Duration,
    seed: Option<u64>,
    when: Option<Arc<Predicate>>,
}

type Predicate = dyn Fn(&(dyn Error + Send + Sync + 'static)) -> bool + Send + Sync;

#[derive(Clone, Copy, Debug)]
enum Delay {
    None,
    Fixed(Duration),
    Exponential(Duration),
}

impl Retry {
    /// At most `attempts` of them, the first one included: three retries are four attempts.
    ///
    /// With 1 there is no second attempt; what it changes is that the failure brings its element
    /// along, for a [`dead_letter`](crate::Flow::dead_letter).
    ///
    /// # Panics
    /// If `attempts` is 0.
    #[track_caller]
    pub fn attempts(attempts: u32) -> Retry {
        assert!(
            attempts > 0,
            "`Retry::attempts(0)` would never try at all: let there be at least 1 attempt"
        );
        Retry {
            attempts,
            delay: Delay::None,
            max_delay: MAX_DELAY,
            seed: None,
            when: None,
        }
    }

    /// The same delay before each further attempt.
    ///
    /// # Panics
    /// If `delay` is zero.
    #[doc(alias = "constant")]
    #[track_caller]
    pub fn fixed(mut self, delay: Duration) -> Retry {
        assert!(
            !delay.is_zero(),
            "`fixed` delay of zero is none: leave it out, and the next attempt follows at once"
        );
        self.delay = Delay::Fixed(delay);
        self
    }

    /// A delay of `first` before the second attempt, and before each further one twice as long as
    /// before the last, up to [`max_delay`](Retry::max_delay).
    ///
    /// # Panics
    /// If `first` is zero.
    #[doc(alias = "backoff")]
    #[track_caller]
    pub fn exponential(mut self, first: Duration) -> Retry {
        assert!(
            !first.is_zero(),
            "`exponential` delay that begins at zero never grows: begin with a longer one"
        );
        self.delay = Delay::Exponential(first);
        self
    }

    /// The longest delay (60 seconds by default). A fixed one is cut to it, too.
    ///
    /// # Panics
    /// If `longest` is zero.
    #[doc(alias = "cap")]
    #[track_caller]
    pub fn max_delay(mut self, longest: Duration) -> Retry {
        assert!(
            !longest.is_zero(),
            "`max_delay` of zero would leave no delay: leave the delay out instead"
        );
        self.max_delay = longest;
        self
    }

    /// Shortens each delay by chance, to something between the half and the whole of it, so that
    /// many who failed together do not come back together. The same seed gives the same delays.
    pub fn jitter(mut self, seed: u64) -> Retry {
        self.seed = Some(seed);
        self
    }

    /// Tries again only where `predicate` holds for the error. It runs under the graph's lock.
    ///
    /// Said several times, all of them must hold: each is asked where those before it did. So a library
    /// that knows which failures are for good can add that to a policy of yours without losing what you
    /// said.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::Retry;
    /// use std::io::Error;
    ///
    /// let mut policy = Retry::attempts(2)
    ///     .when(|error| error.is::<Error>())
    ///     .when(|error| error.to_string() != "wrong password");
    /// let (busy, wrong) = (Error::other("busy"), Error::other("wrong password"));
    /// assert!(policy.delay_after(1, &busy).is_some());
    /// assert!(policy.delay_after(1, &wrong).is_none());
    /// assert!(policy.delay_after(1, &std::fmt::Error).is_none());
    /// ```
    #[doc(alias = "retry_if")]
    pub fn when(
        mut self,
        predicate: impl Fn(&(dyn Error + Send + Sync + 'static)) -> bool + Send + Sync + 'static,
    ) -> Retry {
        self.when = Some(match self.when.take() {
            None => Arc::new(predicate),
            Some(before) => Arc::new(move |error| before(error) && predicate(error)),
        });
        self
    }

    /// How long to wait after attempt number `attempt`, counted from 1, failed; `None` where it was
    /// the last one. For who repeats attempts outside of a graph by the same policy.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::Retry;
    /// use std::time::Duration;
    ///
    /// let mut policy = Retry::attempts(2).fixed(Duration::from_secs(1));
    /// let error = std::io::Error::other("unplugged");
    /// assert_eq!(policy.delay_after(1, &error), Some(Duration::from_secs(1)));
    /// assert_eq!(policy.delay_after(2, &error), None);
    /// ```
    pub fn delay_after(
        &mut self,
        attempt: u32,
        error: &(dyn Error + Send + Sync + 'static),
    ) -> Option<Duration> {
        let given_up = self.when.as_ref().is_some_and(|when| !when(error));
        if attempt >= self.attempts || given_up {
            return None;
        }
        let delay = match self.delay {
            Delay::None => return Some(Duration::ZERO),
            Delay::Fixed(delay) => delay,
            Delay::Exponential(first) => {
                let doublings = attempt.saturating_sub(1).min(31);
                first.saturating_mul(1 << doublings)
            }
        };
        let delay = delay.min(self.max_delay);
        Some(match &mut self.seed {
            None => delay,
            Some(state) => delay / 2 + (delay / 2).mul_f64(draw(state)),
        })
    }
}

/// A number from 0 up to 1: splitmix64, which needs no more than its state.
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("delay", &self.delay)
            .field("max_delay", &self.max_delay)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// May be tried again: `Clone`, as each attempt gets an element of its own. All such types have it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be tried again, as each attempt gets an element of its own: derive `Clone`, lend it by `try_map_async_ref`, or write `.map(Arc::new)` in front",
    label = "not `Clone`",
    note = "clones of an `Arc<{Self}>` are one and the same element"
)]
pub trait Retriable: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Retriable for T {}

/// May be lent to futures: `Sync`, as a future that has a reference may move between threads. All such
/// types have it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a future, which may move between threads: it is not `Sync`",
    label = "not `Sync`",
    note = "give it to the future instead, by `try_map_async` or `try_sink_async`, or put what is not `Sync` into a `Mutex`"
)]
pub trait Lendable: Sync {}

#[diagnostic::do_not_recommend]
impl<T: Sync> Lendable for T {}

/// A policy, and how to copy an element: a pointer, so that what is never retried needs no `Clone`.
pub(crate) struct Again<T> {
    policy: Retry,
    /// `None` where each attempt is lent the same element.
    copy: Option<fn(&T) -> T>,
}

impl<T> Again<T> {
    /// Each further attempt gets a clone.
    pub(crate) fn cloning(policy: Retry) -> Again<T>
    where
        T: Clone,
    {
        Again {
            policy,
            copy: Some(T::clone),
        }
    }

    /// Each attempt is lent the same element.
    pub(crate) fn lending(policy: Retry) -> Again<T> {
        Again { policy, copy: None }
    }

    pub(super) fn copy(&self, item: &T) -> Option<T> {
        self.copy.map(|copy| copy(item))
    }

    /// How long to wait after attempt number `attempt` failed; `None` where it was the last.
    pub(super) fn after(
        &mut self,
        attempt: u32,
        error: &(dyn Error + Send + Sync + 'static),
    ) -> Option<Duration> {
        self.policy.delay_after(attempt, error)
    }
}
