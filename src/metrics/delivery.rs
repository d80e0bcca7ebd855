//! The way of elements to one sink: a buffer, a limit, batches, and attempts to deliver them. A
//! composition of operators on a branch of its own.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use super::aggregators::panic_text;
use super::described::Described;
use super::element::Element;
use super::error::Zero;
use super::options::SinkOptions;
use super::sink::{Delivery, MetricSink, SinkError};
use super::warned::Warned;
use crate::prelude::*;
use crate::{BoxError, Branch, OnFull, Overflow, Shared};

/// The metrics of a pipeline, in the order in which they were added.
pub(super) type Descriptions = Arc<RwLock<Vec<Arc<Described>>>>;

/// What became of the elements for one sink.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) name: String,
    pub(super) delivery: Delivery,
    pub(super) delivered: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) given_up: AtomicU64,
    /// How many failed as they did not fit into the buffer: see [`OnFull::Fail`](crate::OnFull::Fail).
    pub(super) unfit: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) trouble: Mutex<Trouble>,
    /// How many elements a sink that delivers at most once is at: nobody knows of any of them whether it has
    /// arrived.
    pub(super) at_risk: AtomicU64,
    /// Of failures.
    warned: Warned,
}

/// How a sink fares.
#[derive(Debug, Default, Clone)]
pub(super) struct Trouble {
    pub(super) failing_since: Option<SystemTime>,
    pub(super) last_error: Option<String>,
    /// It was said that it fails.
    told_of_failure: bool,
    /// It was said that elements are rejected.
    told_of_rejects: bool,
}

impl Fate {
    pub(super) fn new(name: String, delivery: Delivery) -> Fate {
        Fate {
            name,
            delivery,
            delivered: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            unfit: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            trouble: Mutex::default(),
            at_risk: AtomicU64::new(0),
            warned: Warned::new(),
        }
    }

    /// The receiver took something.
    fn went_well(&self) {
        let mut trouble = self.trouble();
        trouble.failing_since = None;
        let told = std::mem::take(&mut trouble.told_of_failure);
        drop(trouble);
        // Not under the lock: who listens to events may ask for a snapshot.
        if told {
            tracing::info!(sink = self.name, "delivers again");
        }
    }

    /// The receiver took something, and would not take the rest.
    fn took_some(&self, error: &SinkError) {
        let text = error.to_string();
        let mut trouble = self.trouble();
        trouble.last_error = Some(text);
        let told = std::mem::replace(&mut trouble.told_of_rejects, true);
        drop(trouble);
        match told {
            false => tracing::warn!(
                sink = self.name,
                %error,
                "elements were rejected; further ones are counted, and logged for debugging"
            ),
            true => tracing::debug!(sink = self.name, %error, "elements were rejected"),
        }
        self.went_well();
    }

    fn failed(&self, error: &SinkError) {
        self.failures.fetch_add(1, Relaxed);
        // The user's words, which may ask for a snapshot: not under the lock either.
        let text = error.to_string();
        let mut trouble = self.trouble();
        trouble.last_error = Some(text);
        let now = SystemTime::now();
        trouble.failing_since.get_or_insert(now);
        // One that fails again and again is not told of each time.
        let tell = !trouble.told_of_failure && self.warned.is_due(now.into());
        trouble.told_of_failure |= tell;
        drop(trouble);
        match tell {
            true => tracing::warn!(sink = self.name, %error, "failed to deliver"),
            false => tracing::debug!(sink = self.name, %error, "failed to deliver"),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch on its way, and how far it has come: one attempt at a time moves it on.
struct Parcel {
    elements: Vec<Element>,
    done: AtomicUsize,
    /// How many elements a sink that delivers at most once is at, and has not said what became of them.
    at_risk: AtomicU64,
    fate: Arc<Fate>,
}

impl Parcel {
    fn new(elements: Vec<Element>, fate: &Arc<Fate>) -> Arc<Parcel> {
        Arc::new(Parcel {
            elements,
            done: AtomicUsize::new(0),
            at_risk: AtomicU64::new(0),
            fate: fate.clone(),
        })
    }

    fn rest(&self) -> &[Element] {
        &self.elements[self.done.load(Relaxed)..]
    }

    /// A sink is at the rest from now on.
    fn begin(&self) {
        if self.fate.delivery == Delivery::AtMostOnce {
            let rest = self.rest().len() as u64;
            self.at_risk.store(rest, Relaxed);
            self.fate.at_risk.fetch_add(rest, Relaxed);
        }
    }

    /// No sink is at it any more. Says how many elements one was at.
    fn end(&self) -> u64 {
        let at_risk = self.at_risk.swap(0, Relaxed);
        self.fate.at_risk.fetch_sub(at_risk, Relaxed);
        at_risk
    }

    /// An attempt has ended. What it says of the rest of the batch is an error; where nothing is left,
    /// there is nothing to try again, whatever it says.
    fn attempted(&self, outcome: Result<(), SinkError>) -> Result<(), SinkError> {
        let (fate, rest) = (&self.fate, self.rest().len());
        // Nobody sees what it is at without what became of it, or both.
        let together = fate.trouble();
        self.end();
        let (done, rejected, unknown) = match &outcome {
            Ok(()) => (rest, 0, 0),
            Err(error) => {
                let done = error.done_count().min(rest);
                let rejected = error.rejected_count().min(done);
                (done, rejected, error.unknown_count().min(done - rejected))
            }
        };
        self.done.fetch_add(done, Relaxed);
        fate.rejected.fetch_add(rejected as u64, Relaxed);
        fate.unknown.fetch_add(unknown as u64, Relaxed);
        let delivered = (done - rejected - unknown) as u64;
        fate.delivered.fetch_add(delivered, Relaxed);
        drop(together);
        match outcome {
            Ok(()) => fate.went_well(),
            Err(error) if done < rest => {
                fate.failed(&error);
                return Err(error);
            }
            Err(error) if 0 < rejected && rejected < rest && unknown == 0 => fate.took_some(&error),
            // Perhaps nobody is there who would take anything, or the connection broke behind the last one.
            Err(error) => fate.failed(&error),
        }
        Ok(())
    }
}

/// What is not done with when nobody tries any more is lost, and counted. Where a sink that delivers at
/// most once panicked over it, or was stopped half-way, nobody knows.
impl Drop for Parcel {
    fn drop(&mut self) {
        let lost = self.rest().len() as u64;
        // As above.
        let _together = self.fate.trouble();
        let unknown = self.end();
        self.fate.unknown.fetch_add(unknown, Relaxed);
        self.fate.given_up.fetch_add(lost - unknown, Relaxed);
    }
}

/// A sink, and which metrics it has been told of.
struct Told<S> {
    sink: S,
    told: usize,
    closes: u32,
}

/// How often it is tried to close a sink. Deliveries may be tried for ever, as elements wait; nothing waits
/// here but whoever shuts down.
const CLOSES: u32 = 5;

impl<S: MetricSink> Told<S> {
    fn describe(&mut self, descriptions: &Descriptions) {
        let known = descriptions.read().unwrap_or_else(PoisonError::into_inner);
        if known.len() == self.told {
            return;
        }
        // Not under the lock: a sink may measure something itself, which adds a metric.
        let new = known[self.told..].to_vec();
        drop(known);
        for metric in &new {
            // First: one over which the sink panics is not told again, and the others are.
            self.told += 1;
            self.sink.describe(metric);
        }
    }

    async fn deliver(
        &mut self,
        parcel: &Parcel,
        descriptions: &Descriptions,
    ) -> Result<(), SinkError> {
        self.describe(descriptions);
        parcel.begin();
        self.sink.deliver(parcel.rest()).await
    }

    async fn close(&mut self, limit: Option<Duration>, fate: &Fate) -> Result<(), SinkError> {
        self.closes += 1;
        let Err(error) = in_time(limit, fate.delivery, 0, self.sink.close()).await else {
            return Ok(());
        };
        fate.failed(&error);
        if error.can_retry() && self.closes < CLOSES {
            return Err(error);
        }
        tracing::error!(sink = fate.name, %error, "was not closed: what it had buffered may be lost");
        Err(SinkError::fatal(error))
    }
}

/// What a sink is to do next.
#[derive(Clone)]
enum Job {
    Deliver(Arc<Parcel>),
    Close,
}

/// A task that ends if nobody waits for it any more. Panics stay within it.
struct Attempt(tokio::task::JoinHandle<Result<(), SinkError>>);

/// How an attempt ended: by the sink's own words, or not.
enum Ended {
    Said(Result<(), SinkError>),
    Broken(SinkError),
}

impl Future for Attempt {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Ended> {
        Pin::new(&mut self.0).poll(task).map(|ended| match ended {
            Ok(outcome) => Ended::Said(outcome),
            Err(error) if error.is_panic() => {
                let said = panic_text(&*error.into_panic());
                Ended::Broken(SinkError::fatal(format!("the sink panicked: {said}")))
            }
            Err(_) => Ended::Broken(SinkError::fatal("the runtime is shutting down")),
        })
    }
}

/// An attempt at so many elements, for as long as it may take.
async fn in_time(
    limit: Option<Duration>,
    delivery: Delivery,
    elements: usize,
    attempt: impl Future<Output = Result<(), SinkError>>,
) -> Result<(), SinkError> {
    let Some(limit) = limit else {
        return attempt.await;
    };
    let Ok(outcome) = tokio::time::timeout(limit, attempt).await else {
        let text = format!("there was no answer within {limit:?}");
        // What has arrived nobody knows.
        return Err(match delivery {
            Delivery::AtLeastOnce => SinkError::retry(text),
            Delivery::AtMostOnce => SinkError::fatal(text).done(elements).unknown(elements),
        });
    };
    outcome
}

/// Warns of elements that find no room in the buffer, where the policy is to drop them: follows what goes
/// in and out.
#[derive(Default)]
struct Room {
    came: AtomicU64,
    left: AtomicU64,
    lost: AtomicU64,
    warned: Warned,
}

impl Room {
    fn came(&self, capacity: usize, name: &str) {
        let came = self.came.fetch_add(1, Relaxed);
        let lost = self.lost.load(Relaxed);
        let waiting = came.saturating_sub(self.left.load(Relaxed) + lost);
        if waiting >= capacity as u64 {
            self.lost.store(lost + 1, Relaxed);
            let now = SystemTime::now().into();
            if self.warned.is_due(now) {
                tracing::warn!(
                    sink = name,
                    capacity,
                    lost = lost + 1,
                    "its buffer is full: elements are dropped, and counted"
                );
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks a sink for all that is needed to connect it, which is the user's code, and returns how to. The
/// branch ends when the sink has been closed. Deliveries run on this runtime.
pub(super) fn prepare<S: MetricSink>(
    elements: &Shared<Element>,
    sink: S,
    options: &SinkOptions,
    fate: &Arc<Fate>,
    descriptions: &Descriptions,
    runtime: &tokio::runtime::Handle,
) -> Result<impl FnOnce() -> Branch, Zero> {
    options.check()?;
    let (name, max_batch) = (fate.name.clone(), sink.max_batch());
    if max_batch == 0 {
        return Err(Zero::of("max_batch", "let a batch have 1 element at least"));
    }
    let runtime = runtime.clone();
    let (elements, options) = (elements.clone(), options.clone());
    let (graph, descriptions) = (elements.graph().clone(), descriptions.clone());
    let fate = fate.clone();
    Ok(move || {
        let sink = Arc::new(tokio::sync::Mutex::new(Told {
            sink,
            told: 0,
            closes: 0,
        }));

        let room = Arc::new(Room::default());
        let (left, called, capacity) = (room.clone(), name.clone(), options.buffer);
        let drops = matches!(options.on_full, OnFull::DropOldest | OnFull::DropNewest);
        let waiting = elements
            .inspect(move |_| {
                if drops {
                    room.came(capacity, &called);
                }
            })
            .buffer(options.buffer)
            .on_full(options.on_full)
            .named(format!("{name}: buffer"))
            .inspect(move |_| _ = left.left.fetch_add(1, Relaxed));
        let paced = match options.rate_limit {
            Some(interval) => waiting.rate_limit(interval).capacity(1).boxed(),
            None => waiting.boxed(),
        };
        let parcels = fate.clone();
        let jobs = paced
            .partition(max_batch)
            .max_age(options.max_age)
            .map(move |elements| Job::Deliver(Parcel::new(elements, &parcels)))
            .chain(graph.from_iter([Job::Close]));

        let (failed, timeout) = (fate.clone(), options.timeout);
        let attempt = move |job: Job| {
            let (sink, descriptions, fate) = (sink.clone(), descriptions.clone(), fate.clone());
            let broken = fate.clone();
            let attempt = async move {
                let mut sink = sink.lock().await;
                match job {
                    Job::Deliver(parcel) => {
                        let rest = parcel.rest().len();
                        let attempt = sink.deliver(&parcel, &descriptions);
                        let outcome = in_time(timeout, fate.delivery, rest, attempt).await;
                        parcel.attempted(outcome)
                    }
                    Job::Close => sink.close(timeout, &fate).await,
                }
            };
            let attempt = Attempt(runtime.spawn(attempt));
            async move {
                match attempt.await {
                    Ended::Said(outcome) => outcome.map_err(BoxError::from),
                    Ended::Broken(error) => {
                        broken.failed(&error);
                        Err(error.into())
                    }
                }
            }
        };
        jobs.try_map_async(1, attempt)
            .retry(options.retry.clone().when(can_retry))
            .named(format!("{name}: deliver"))
            // What the sink said is told of already, in its figures.
            .catch(move |failure| {
                let unfit = failure.error().is::<Overflow>();
                failed.unfit.fetch_add(unfit.into(), Relaxed);
                None
            })
            .sink(drop)
            .named(name)
    })
}

fn can_retry(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<SinkError>();
    error.is_some_and(SinkError::can_retry)
}
