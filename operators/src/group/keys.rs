//! `Keys`: how many keys a keyed operator keeps, and for how long.

use std::time::Duration;

/// The bound on the keys of a keyed operator: how many live at once, and how long one lives that
/// nothing comes for.
///
/// A key lives from its first element until it expires: when one key more comes than there may be,
/// the least recently used one goes; with [`idle`](Keys::idle), one also goes that has had no
/// element for so long. What an expired key held is emitted or dropped as the operator says, and
/// counted. A key that comes again after that begins anew.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let words = graph.source::<&str>();
/// let keys = Keys::max(1_000).idle(Duration::from_secs(60));
/// let counts = words
///     .map_with_state_by_key(|word| *word, keys, |_| 0, |count, _| {
///         *count += 1;
///         *count
///     })
///     .sink_to_list();
/// words.emit_all(["a", "b", "a"])?;
/// time.advance(Duration::from_secs(60));
/// words.emit("a")?;
/// assert_eq!(counts.take(), [1, 1, 2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    pub(super) max: usize,
    pub(super) idle: Option<Duration>,
}

impl Keys {
    /// Up to `n` keys live at once; for one more the least recently used expires.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    #[must_use]
    pub fn max(n: usize) -> Keys {
        assert!(
            n > 0,
            "`Keys::max(0)` would let no key live: allow at least 1"
        );
        Keys { max: n, idle: None }
    }

    /// A key that has had no element for `time`, on the graph's clock, expires too. It takes a timer,
    /// so the graph needs a driver.
    ///
    /// # Panics
    /// If `time` is zero.
    #[doc(alias = "ttl")]
    #[doc(alias = "time_to_idle")]
    #[track_caller]
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Keys {
        assert!(
            !time.is_zero(),
            "`idle` of zero would expire each key at once: give it a longer time"
        );
        self.idle = Some(time);
        self
    }

    pub(super) fn limit(&self) -> usize {
        self.max
    }

    pub(super) fn is_timed(&self) -> bool {
        self.idle.is_some()
    }
}
