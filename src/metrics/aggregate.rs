//! A metric as a composition: group by window or batch, aggregate by tags, and make elements of it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::aggregators::guarded;
use super::by_tags::{ByTags, Grouped};
use super::carried::Carried;
use super::counts::MetricCounts;
use super::element::Element;
use super::epoch::Epoch;
use super::error::MetricError;
use super::metric::{Aligned, Grouping, Late, Metric, Recipe};
use super::sample::{Mark, Origin, Sample};
use super::series::{Lookup, SeriesTable};
use super::timer::Unit;
use super::warned::Warned;
use crate::prelude::*;
use crate::{BoxFlow, Outlet, Push, Stage, Time};

impl Metric {
    /// Aggregates the elements of a flow that have this metric's name; others are left out.
    ///
    /// An element's time counts from the Unix epoch. How that compares to the graph's clock is taken
    /// from the first element, unless [`epoch`](Metric::epoch) says it.
    ///
    /// What is dropped as it is late, aggregated as overflow, or fails is counted, and told of by
    /// [`aggregate_counted`](Metric::aggregate_counted).
    ///
    /// # Errors
    /// A [`MetricError`] where the metric is not complete or contradicts itself.
    pub fn aggregate<F>(self, elements: F) -> Result<BoxFlow<Element>, MetricError>
    where
        F: Flow<Item = Element>,
    {
        Ok(self.aggregate_counted(elements)?.0)
    }

    /// As [`aggregate`](Metric::aggregate), with what tells how many values came, were late, dropped, held,
    /// beyond the bound of tags, or failed in an aggregator.
    ///
    /// ```
    /// use headwater::metrics::{Element, Late, Metric};
    /// use headwater::prelude::*;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let source = graph.source::<Element>();
    /// source.lead_clock(|element| element.time());
    /// let (sums, counts) = Metric::new("power")
    ///     .agg("sum", Sum)
    ///     .window(Duration::from_secs(10))
    ///     .epoch(Time::ZERO)
    ///     .late(Late::Drop, Duration::ZERO)
    ///     .aggregate_counted(&source)?;
    /// let sums = sums.map(|e| e.to_string()).sink_to_list();
    /// for (second, watt) in [(1, 5), (12, 7), (3, 100)] {
    ///     source.emit(Element::new("power", watt).at(Time::from_millis(second * 1_000)))?;
    /// }
    /// assert_eq!((counts.snapshot().values, counts.snapshot().held), (3, 1));
    /// source.close();
    /// assert_eq!(sums.take(), ["power.sum 5", "power.sum 7"]);
    /// assert_eq!((counts.snapshot().dropped, counts.snapshot().held), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`aggregate`](Metric::aggregate).
    pub fn aggregate_counted<F>(
        self,
        elements: F,
    ) -> Result<(BoxFlow<Element>, MetricCounts), MetricError>
    where
        F: Flow<Item = Element>,
    {
        if self.aligned == Aligned::WallClock && self.epoch.is_none() {
            return Err(MetricError::NoEpoch(self.name.clone()));
        }
        let epoch = Epoch::fixed(self.epoch);
        let recipe = self.recipe()?;
        let name = recipe.described.name.clone();
        let running = Arc::new(Running::new(recipe, epoch.into()));
        let samples = elements
            .filter(move |element| element.is_named(&name))
            .stage(Resolve::new(&running.series));
        Ok((running.aggregate(samples), MetricCounts(running)))
    }
}

/// A metric in a graph.
pub(super) struct Running {
    pub(super) recipe: Recipe,
    pub(super) series: Arc<SeriesTable>,
    pub(super) counts: Counts,
    pub(super) carried: Carried,
    /// What timers count in.
    pub(super) unit: Unit,
    epoch: Arc<Epoch>,
}

/// What a metric counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) values: AtomicU64,
    pub(super) elements: AtomicU64,
    pub(super) overflow: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) failing: Mutex<Failing>,
    /// How many went into windows and batches, what is carried into them included.
    pub(super) gathered: AtomicU64,
    /// How many of those are out of them.
    pub(super) finished: AtomicU64,
    /// How many windows were full before their time was over.
    pub(super) early: AtomicU64,
    pub(super) warned_of_tags: Warned,
    pub(super) warned_of_late: Warned,
    warned_of_failures: Warned,
}

/// How aggregators fare.
#[derive(Debug, Default, Clone)]
pub(super) struct Failing {
    pub(super) since: Option<SystemTime>,
    pub(super) last: Option<String>,
}

impl Failing {
    /// A window or a batch is over, in which somebody failed or nobody did.
    fn note(&mut self, failure: Option<String>) {
        match failure {
            Some(_) => {
                self.since.get_or_insert_with(SystemTime::now);
                self.last = failure;
            }
            None => self.since = None,
        }
    }
}

impl Counts {
    fn failing(&self) -> MutexGuard<'_, Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    pub(super) fn new(recipe: Recipe, epoch: Arc<Epoch>) -> Running {
        let metric = &recipe.metric;
        let window = match recipe.grouping {
            Grouping::Window(length) => length,
            Grouping::Batch(_) => Duration::ZERO,
        };
        let defaults = metric.default_tags.clone();
        let unit = recipe.described.unit().and_then(Unit::named);
        let series = SeriesTable::new(defaults, metric.max_tag_sets, window);
        Running {
            series: Arc::new(series),
            counts: Counts::default(),
            carried: Carried::default(),
            unit: unit.unwrap_or_default(),
            recipe,
            epoch,
        }
    }

    /// The whole pipeline of one metric.
    pub(super) fn aggregate<F>(self: &Arc<Self>, samples: F) -> BoxFlow<Element>
    where
        F: Flow<Item = Sample>,
    {
        let by_tags = ByTags::new(self.recipe.aggregators.clone(), self.series.clone());
        let keeps_values = self.recipe.aggregators.iter().any(|a| a.keeps_values);
        let anchor = self.anchor();
        let arrived = samples.stage(Arrive::new(self));
        let groups = match self.recipe.grouping {
            Grouping::Batch(n) => arrived
                .fold_partition(n, by_tags)
                .map(|groups| (None, groups))
                .boxed(),
            Grouping::Window(length) if keeps_values => arrived
                .timed_window(length)
                .anchored(anchor)
                .max_len(self.recipe.metric.max_values)
                .with_end()
                .filter_map(move |(end, values)| Some((Some(end), by_tags.group(&values)?)))
                .boxed(),
            Grouping::Window(length) => arrived
                .fold_window(length, by_tags)
                .anchored(anchor)
                .with_end()
                .map(|(end, groups)| (Some(end), groups))
                .boxed(),
        };
        groups.stage(Finish(self.clone())).boxed()
    }

    /// Where on the graph's clock a window begins.
    fn anchor(&self) -> Time {
        let (Grouping::Window(length), Aligned::WallClock, Some(epoch)) = (
            self.recipe.grouping,
            self.recipe.metric.aligned,
            self.epoch.zero(),
        ) else {
            return Time::ZERO;
        };
        // The first multiple of the length, since the Unix epoch, at which the graph's clock runs.
        let zero = Time::from_nanos(epoch.as_nanos().saturating_sub(1));
        Time::ZERO + (zero.next_boundary(Time::ZERO, length) - epoch)
    }

    /// The beginning of the window that is under way at `now`, on the graph's clock.
    fn begin(&self, now: Time, length: Duration) -> Time {
        let end = now.next_boundary(self.anchor(), length);
        Time::ZERO + (end - Time::from(length))
    }

    /// The end of the window that is under way at `now`, on the graph's clock.
    pub(super) fn end(&self, now: Time, length: Duration) -> Time {
        now.next_boundary(self.anchor(), length)
    }

    /// The Unix time of a time on the graph's clock.
    pub(super) fn since_epoch(&self, time: Time) -> Time {
        self.epoch.unix(time)
    }
}

/// Adds to a counter that is written under the graph's lock only.
fn count(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed) + more, Relaxed);
}

/// Finds the series of elements. Which are in use is a matter of the graph's time, and not of theirs,
/// which may be any.
struct Resolve {
    lookup: Lookup,
    /// Of a batch; empty between batches.
    samples: Vec<Sample>,
}

impl Resolve {
    fn new(series: &Arc<SeriesTable>) -> Resolve {
        Resolve {
            lookup: Lookup::new(series.clone()),
            samples: Vec::new(),
        }
    }

    #[inline]
    fn sample(lookup: &mut Lookup, element: &Element, now: Time) -> Sample {
        let series = (0, lookup.series(element.tags(), now));
        Sample::new(
            Mark::new(series),
            element.value(),
            Origin::At,
            element.time(),
        )
    }
}

impl Stage<Element, Sample> for Resolve {
    fn at_most(&self) -> Option<usize> {
        Some(1)
    }

    fn on_item(&mut self, element: Element, out: &mut Outlet<'_, impl Push<Sample>>) {
        let sample = Resolve::sample(&mut self.lookup, &element, out.now());
        out.emit(sample);
    }

    fn on_batch(&mut self, elements: &mut Vec<Element>, out: &mut Outlet<'_, impl Push<Sample>>) {
        let now = out.now();
        let Resolve { lookup, samples } = self;
        let resolved = elements.drain(..);
        samples.extend(resolved.map(|element| Resolve::sample(lookup, &element, now)));
        out.emit_all(samples);
    }
}

/// Looks whether values come in time.
struct Arrive {
    running: Arc<Running>,
    /// The end of the window under way, on the graph's clock.
    end: Time,
    /// What was measured before this is late; nothing, for batches.
    begin: Time,
}

impl Arrive {
    fn new(running: &Arc<Running>) -> Arrive {
        Arrive {
            running: running.clone(),
            end: Time::ZERO,
            begin: Time::ZERO,
        }
    }

    #[cold]
    fn next_window(&mut self, sample: &Sample, now: Time) {
        let running = &self.running;
        running.epoch.or_zero(|| Time::ZERO + (sample.time - now));
        running.epoch.look();
        let Grouping::Window(length) = running.recipe.grouping else {
            // Batches have none: it is looked again in a while.
            self.end = now + Duration::from_secs(1);
            return;
        };
        self.end = now.next_boundary(running.anchor(), length);
        let begin = running.since_epoch(running.begin(now, length));
        self.begin = Time::ZERO + (begin - Time::from(running.recipe.metric.tolerance));
    }
}

impl Stage<Sample, Sample> for Arrive {
    fn at_most(&self) -> Option<usize> {
        Some(1)
    }

    fn on_item(&mut self, mut sample: Sample, out: &mut Outlet<'_, impl Push<Sample>>) {
        self.window_of(&sample, out);
        self.put_on(std::slice::from_mut(&mut sample));
        let late = self.note(std::slice::from_ref(&sample));
        if late == 0 || self.takes_late(late, out.now()) {
            count(&self.running.counts.gathered, 1);
            out.emit(sample);
        }
    }

    fn on_batch(&mut self, samples: &mut Vec<Sample>, out: &mut Outlet<'_, impl Push<Sample>>) {
        if let Some(first) = samples.first() {
            self.window_of(first, out);
            self.put_on(samples);
            let late = self.note(samples);
            if late > 0 && !self.takes_late(late, out.now()) {
                let begin = self.begin;
                samples.retain(|sample| !sample.is_late(begin));
            }
            count(&self.running.counts.gathered, samples.len() as u64);
        }
        out.emit_all(samples);
    }
}

impl Arrive {
    /// A sample may be the first of its window.
    #[inline]
    fn window_of(&mut self, sample: &Sample, out: &mut Outlet<'_, impl Push<Sample>>) {
        let now = out.now();
        if now >= self.end {
            self.next_window(sample, now);
        }
    }

    /// What is sent as it is measured has the time of a clock that nobody puts; that of a batch is the latest of
    /// these and of those that senders say.
    #[inline]
    fn put_on(&self, samples: &mut [Sample]) {
        let Running { epoch, recipe, .. } = &*self.running;
        if epoch.is_as_it_was() || matches!(recipe.grouping, Grouping::Window(_)) {
            return;
        }
        let sent = samples.iter_mut().filter(|s| s.is(Origin::Now));
        sent.for_each(|sample| sample.time = epoch.put_on(sample.time));
    }

    /// Counts what came, but for what is the pipeline's own, and says how many are late for their window. Of
    /// batches none is.
    #[inline]
    fn note(&self, samples: &[Sample]) -> u64 {
        let counts = &self.running.counts;
        if Sample::are_plain(samples) {
            count(&counts.values, samples.len() as u64);
            return 0;
        }
        let (mut values, mut overflow, mut late) = (0, 0, 0);
        for sample in samples {
            let is_value = !sample.is(Origin::Carried);
            let is_beyond = sample.series() == SeriesTable::OVERFLOW;
            values += u64::from(is_value);
            overflow += u64::from(is_value & is_beyond);
            late += u64::from(sample.is_late(self.begin));
        }
        count(&counts.values, values);
        count(&counts.overflow, overflow);
        late
    }

    /// Counts those that are late, and says whether they are part of the window all the same.
    #[cold]
    fn takes_late(&self, late: u64, now: Time) -> bool {
        let Running { counts, recipe, .. } = &*self.running;
        count(&counts.late, late);
        if recipe.metric.late == Late::Keep {
            return true;
        }
        count(&counts.dropped, late);
        if counts.warned_of_late.is_due(now) {
            let dropped = counts.dropped.load(Relaxed);
            tracing::warn!(
                metric = recipe.described.name(),
                dropped,
                "values come late and are dropped, as the metric says, and counted"
            );
        }
        false
    }
}

/// Makes elements of the groups of a batch, or of a window with its end on the graph's clock, aggregator by
/// aggregator.
struct Finish(Arc<Running>);

impl Stage<(Option<Time>, Grouped), Element> for Finish {
    fn on_item(
        &mut self,
        (end, groups): (Option<Time>, Grouped),
        out: &mut Outlet<'_, impl Push<Element>>,
    ) {
        let Finish(running) = self;
        let counts = &running.counts;
        // That of the window, whatever times its values say; of a batch, that of the latest value.
        let time = match end {
            Some(end) => {
                running.epoch.look();
                running.since_epoch(end)
            }
            None => groups.totals.latest,
        };
        count(&counts.finished, groups.totals.values);
        let metric = &running.recipe.metric;
        let has_kept = running.recipe.aggregators.iter().any(|a| a.keeps_values);
        let is_window = matches!(running.recipe.grouping, Grouping::Window(_));
        if is_window && has_kept && groups.totals.values >= metric.max_values as u64 {
            count(&counts.early, 1);
        }
        let outputs = &running.recipe.described.outputs;
        let mut failure = None;
        for (output, outcomes) in outputs.iter().zip(groups.columns) {
            for (tags, outcome) in groups.tags.iter().zip(outcomes) {
                match outcome {
                    Ok(Some(value)) => {
                        count(&counts.elements, 1);
                        out.emit(Element::made(&output.name, value, tags, time));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        count(&counts.failed, 1);
                        // The error is the user's too.
                        let error = guarded(|| error.to_string()).unwrap_or_else(|panic| panic);
                        failure = Some(format!("{}{{{tags}}}: {error}", output.name));
                    }
                }
            }
        }
        if let Some(failure) = &failure
            && counts.warned_of_failures.is_due(out.now())
        {
            tracing::warn!(
                metric = running.recipe.described.name(),
                failure,
                failed = counts.failed.load(Relaxed),
                "an aggregator fails: it emits nothing for what it failed on, which is counted"
            );
        }
        if counts.failed.load(Relaxed) > 0 {
            counts.failing().note(failure);
        }
    }
}
