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
}

impl Default for Shards {
    /// 64 shards of 8 192 elements, drained after 1 ms at the latest.
    fn default() -> Self {
        Shards {
            count: 64,
            capacity: 8_192,
            max_age: Duration::from_millis(1),
        }
    }
}

impl Shards {
    /// How many buffers there are, rounded up to a power of two. A thread sends into one of them; as
    /// many threads as there are shards have one each, and more than that share. An empty shard takes
    /// 128 bytes, and a look at it costs a drain some nanoseconds.
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

    /// How many elements in a shard are worth a visit to the graph: a power of two.
    pub(super) fn batch(&self) -> usize {
        // The largest power of two that is not above the capacity.
        BATCH.min(1 << self.capacity.ilog2())
    }
}
