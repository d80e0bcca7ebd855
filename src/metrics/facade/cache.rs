//! The instruments that the macros found before, by key.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use ::metrics::Key;
use hashbrown::HashMap;

use super::names::Names;
use crate::Time;
use crate::metrics::handle::Handle;
use crate::metrics::pipeline::MetricsPipeline;
use crate::metrics::series::{IDLE, SWEEP};

/// What stands behind a counter, a gauge or a histogram.
pub(super) trait Instrument {
    fn new(pipeline: &MetricsPipeline, handle: Handle, names: &Names) -> Self;

    /// Whether nothing is lost if a new one takes its place.
    fn may_go(&self) -> bool;
}

/// The instruments of one kind.
pub(super) struct Cache<I>(RwLock<Map<I>>);

struct Map<I> {
    by_key: HashMap<Key, Cached<I>>,
    /// When idle ones were looked for.
    swept: Option<Time>,
}

struct Cached<I> {
    instrument: Arc<I>,
    /// When a macro found it last, in nanoseconds on the graph's clock.
    used: AtomicU64,
}

impl<I> Cached<I> {
    /// Notes the use. Written at most once a second, as all threads read it.
    fn touch(&self, now: Time) {
        let now = now.as_nanos();
        if now.saturating_sub(self.used.load(Relaxed)) > 1_000_000_000 {
            self.used.store(now, Relaxed);
        }
    }

    fn is_idle(&self, now: Time) -> bool {
        now - Time::from_nanos(self.used.load(Relaxed)) >= IDLE
    }
}

impl<I: Instrument> Cache<I> {
    pub(super) fn get(&self, key: &Key, now: Time) -> Option<Arc<I>> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let cached = map.by_key.get(key)?;
        cached.touch(now);
        Some(cached.instrument.clone())
    }

    /// Keeps an instrument, unless somebody else was first: theirs holds.
    pub(super) fn insert(&self, key: &Key, instrument: I, now: Time) -> Arc<I> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let cached = map
            .by_key
            .entry(key.to_retained())
            .or_insert_with(|| Cached {
                instrument: Arc::new(instrument),
                used: now.as_nanos().into(),
            });
        cached.instrument.clone()
    }

    /// Forgets instruments that nobody keeps and nobody asked for in a while, so that their series may make
    /// room.
    pub(super) fn forget_idle(&self, now: Time) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if map.swept.is_some_and(|swept| now - swept < SWEEP) {
            return;
        }
        map.swept = Some(now);
        map.by_key.retain(|_, cached| {
            let held = Arc::strong_count(&cached.instrument) > 1;
            held || !cached.is_idle(now) || !cached.instrument.may_go()
        });
    }
}

impl<I> Default for Cache<I> {
    fn default() -> Cache<I> {
        Cache(RwLock::new(Map {
            by_key: HashMap::new(),
            swept: None,
        }))
    }
}
