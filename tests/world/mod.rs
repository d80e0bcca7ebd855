//! A store in memory that follows a script, and the clocks around it. Time is tokio's, which is paused.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use futures::{Stream, StreamExt};
use headwater::timeseries::{Fetched, Point, Polling, Range, Store, StoreError};
use tokio::time::Instant;

/// Noon of some day.
pub const NOON: i64 = 1_700_049_600_000;
pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A store, its points, and the clock of this computer, which may be wrong.
#[derive(Clone)]
pub struct World {
    begun: Instant,
    script: Arc<Mutex<Script>>,
}

type Fault = Box<dyn FnMut(Range) -> Option<StoreError> + Send>;

#[derive(Default)]
pub struct Script {
    points: Vec<Stored>,
    /// By how much this computer's clock is ahead.
    pub ahead: i64,
    /// What is to be answered instead, where it is `Some`.
    pub fault: Option<Fault>,
    /// How long an answer takes.
    pub latency: Duration,
    /// Whether answers have each point twice, the latest ones first.
    pub unruly: bool,
    /// Whether the answers tell the time.
    pub tells_time: bool,
    /// By how much the time that they tell is ahead.
    pub tells_ahead: i64,
    /// When there were requests, and for what.
    pub requests: Vec<(i64, Range)>,
}

struct Stored {
    /// From when until when it is in the store.
    from: i64,
    until: i64,
    point: Point,
}

impl World {
    pub fn new() -> World {
        World {
            begun: Instant::now(),
            script: Arc::default(),
        }
    }

    /// The true time.
    pub fn now(&self) -> i64 {
        NOON + self.begun.elapsed().as_millis() as i64
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// What this computer believes that it is.
    pub fn wall(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let world = self.clone();
        move || {
            let ahead = world.script().ahead;
            unix(world.now() + ahead)
        }
    }

    /// A point is there from now on.
    pub fn put(&self, point: Point) {
        self.put_at(self.now(), point);
    }

    /// A point is there from a time on.
    pub fn put_at(&self, from: i64, point: Point) {
        let until = i64::MAX;
        let stored = Stored { from, until, point };
        self.script().points.push(stored);
    }

    /// What is there now of a time is there no longer.
    pub fn remove(&self, millis: i64) {
        let now = self.now();
        for stored in &mut self.script().points {
            if stored.point.millis() == millis && stored.until > now {
                stored.until = now;
            }
        }
    }

    /// Forgets points before a time, as stores do.
    pub fn forget(&self, before: i64) {
        let old = |stored: &Stored| stored.point.millis() >= before;
        self.script().points.retain(old);
    }

    pub fn fail(&self, fault: impl FnMut(Range) -> Option<StoreError> + Send + 'static) {
        self.script().fault = Some(Box::new(fault));
    }

    pub fn heal(&self) {
        self.script().fault = None;
    }

    /// Lets true time go on until then.
    pub async fn until(&self, millis: i64) {
        let wait = u64::try_from(millis - self.now()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

impl Store for World {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        let (latency, fault) = {
            let now = self.now();
            let mut script = self.script();
            script.requests.push((now, range));
            let fault = script.fault.as_mut().and_then(|fault| fault(range));
            (script.latency, fault)
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if let Some(error) = fault {
            return Err(error);
        }
        let now = self.now();
        let script = self.script();
        let there = |stored: &&Stored| {
            let millis = stored.point.millis();
            stored.from <= now && now < stored.until && range.from <= millis && millis <= range.to
        };
        let mut points: Vec<_> = script.points.iter().filter(there).collect();
        points.sort_by_key(|stored| (stored.point.metric(), stored.point.millis()));
        let mut points: Vec<_> = points.into_iter().map(|s| s.point.clone()).collect();
        if script.unruly {
            points.reverse();
            points.extend(points.clone());
        }
        let mut fetched = Fetched::new(points);
        fetched.server_time = script.tells_time.then(|| {
            let told = now + script.tells_ahead;
            unix(told / SECOND * SECOND)
        });
        Ok(fetched)
    }
}

/// Polls a store by the clock of this world: every 10 s, points that come up to 60 s late.
pub fn polling<S: Store>(world: &World, store: S) -> Polling<S> {
    Polling::new(store)
        .wall_clock(world.wall())
        .every(secs(10))
        .buffer(secs(60))
        .margin(secs(30))
}

pub fn unix(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis as u64)
}

/// What a stream has for us now, once nothing moves any more.
pub async fn ready<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    let mut items = Vec::new();
    while let Ok(Some(item)) = tokio::time::timeout(Duration::from_millis(1), stream.next()).await {
        items.push(item);
    }
    items
}

/// What a stream brings until a time, taken as it comes.
pub async fn until<S: Stream + Unpin>(world: &World, stream: &mut S, millis: i64) -> Vec<S::Item> {
    let mut items = Vec::new();
    let mut end = std::pin::pin!(world.until(millis));
    loop {
        tokio::select! {
            biased;
            () = &mut end => break,
            item = stream.next() => match item {
                Some(item) => items.push(item),
                None => break,
            },
        }
    }
    items.extend(ready(stream).await);
    items
}
