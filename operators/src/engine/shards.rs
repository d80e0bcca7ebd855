//! What users choose about a sharded source.

use std::time::Duration;

use super::emit_all::BATCH;

/// How a [`Sharded`](crate::Sharded) source buffers: see [`Graph::sharded`](crate::Graph::sharded).
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::{Shards, prelude::*};
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let shards = Shards::default().count(4).capacity(100).max_age(Duration::from_millis(10));
/// let values = graph.sharded::<u64>(shards);
/// let list = values.sink_to_list();
/// values.send(7)?;
/// time.advance(Duration::from_millis(9));
/// assert!(list.is_empty());
/// time.advance(Duration::from_millis(1));
/// assert_eq!(list.take(), [7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "options do nothing until a source is made with them"]
pub struct Shards {
    pub(super) count: usize,
    pub(super) capacity: usize,
    pub(super) max_age: Duration,
    /// How many elements a thread gathers before it runs them through the graph; [`NEVER`] if it does not.
    pub(super) hand_over: usize,
}

/// Of a source that is [left to the driver](Shards::left_to_driver).
const NEVER: usize = usize::MAX;

impl Default for Shards {
    /// 64 shards of 8 192 elements, drained after 1 ms at the latest, or by the thread that has sent 256.
    fn default() -> Self {
        Shards {
            count: 64,
            capacity: 8_192,
            max_age: Duration::from_millis(1),
            hand_over: BATCH,
        }
    }
}

impl Shards {
    /// How many buffers there are, rounded up to a power of two. A thread sends into one of them; as
    /// many threads as there are shards have one each, and more than that share. An empty shard takes
    /// 128 bytes, and a look at it costs a drain some nanoseconds. One that was used keeps the memory of a batch
    /// of up to 256 elements, and while elements flow that of its busiest moment, up to its
    /// [`capacity`](Shards::capacity).
    ///
    /// # Panics
    /// If `count` is 0 or more than 65 536.
    #[track_caller]
    pub fn count(self, count: usize) -> Self {
        assert!(
            (1..=65_536).contains(&count),
            "`count({count})`: a sharded source has 1 shard at least, and 65 536 at most"
        );
        Shards {
            count: count.next_power_of_two(),
            ..self
        }
    }

    /// How many elements a shard may hold. What is sent beyond is refused.
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn capacity(self, capacity: usize) -> Self {
        assert!(
            capacity > 0,
            "`capacity(0)` could hold nothing: let a shard have room for at least 1 element"
        );
        Shards { capacity, ..self }
    }

    /// How long an element may lie in its shard before the driver takes it into the graph, on the
    /// graph's clock; also how far [`Sharded::now`](crate::Sharded::now) may be behind.
    ///
    /// # Panics
    /// If `max_age` is zero.
    #[track_caller]
    pub fn max_age(self, max_age: Duration) -> Self {
        assert!(
            !max_age.is_zero(),
            "`max_age` of zero leaves no time to gather a batch: use `graph.source()` for elements \
             that are to run at once"
        );
        Shards { max_age, ..self }
    }

    /// How many elements in its shard make a thread run them through the graph, if that is free: 256 by
    /// default. It is rounded down to a power of two, or to a multiple of 256, and a shard that is full is
    /// enough.
    ///
    /// What a thread sends below `n` within [`max_age`](Shards::max_age) is the driver's work alone. A service
    /// whose threads are to answer requests, and not to run windows and closures, has a large `n`, such as
    /// half the [`capacity`](Shards::capacity): then they take part only where the driver does not keep
    /// up, before anything would be refused. When the shard has half of `n` the driver is called, once
    /// within `max_age`.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::{Shards, prelude::*};
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let values = graph.sharded::<u32>(Shards::default().hand_over(1_024));
    /// let list = values.sink_to_list();
    /// for n in 0..1_023 {
    ///     values.send(n)?;
    /// }
    /// assert!(list.is_empty());
    /// values.send(1_023)?;
    /// assert_eq!(list.len(), 1_024);
    /// # let _ = time;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn hand_over(self, n: usize) -> Self {
        assert!(
            n > 0,
            "`hand_over(0)` leaves nothing to hand over: let a thread gather 1 element at least"
        );
        Shards {
            hand_over: n.min(NEVER - 1),
            ..self
        }
    }

    /// Threads that send never run the graph, whatever else they do: only its driver takes elements in.
    ///
    /// They lie in their shard for up to [`max_age`](Shards::max_age), or until a shard is half full: then
    /// the driver is called, once within `max_age`. What a thread sends meanwhile beyond the
    /// [`capacity`](Shards::capacity) is refused.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::{Shards, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let values = graph.sharded::<u32>(Shards::default().capacity(1_000).left_to_driver());
    /// let list = values.sink_to_list();
    /// let accepted = (0..1_500).filter(|n| values.send(*n).is_ok()).count();
    /// assert_eq!((accepted, list.len()), (1_000, 0));
    /// time.advance(Duration::from_millis(1));
    /// assert_eq!(list.len(), 1_000);
    /// ```
    pub fn left_to_driver(self) -> Self {
        Shards {
            hand_over: NEVER,
            ..self
        }
    }

    /// Whether threads that send run the graph at all.
    pub(super) fn hands_over(&self) -> bool {
        self.hand_over != NEVER
    }

    /// How many elements of a shard are taken into the graph at once, at the most: a power of two.
    pub(super) fn batch(&self) -> usize {
        // The largest power of two that is above neither the capacity nor what is handed over.
        BATCH.min(1 << self.capacity.min(self.hand_over).ilog2())
    }

    /// How many elements in a shard the thread that sent them hands over: full batches.
    pub(super) fn hand_over_at(&self) -> usize {
        let batch = self.batch();
        match self.hands_over() {
            true => self.capacity.min(self.hand_over) / batch * batch,
            false => NEVER,
        }
    }

    /// How many elements in a shard are a reason to call the driver: a batch at least.
    pub(super) fn call_at(&self) -> usize {
        (self.capacity.min(self.hand_over) / 2).max(self.batch())
    }
}
