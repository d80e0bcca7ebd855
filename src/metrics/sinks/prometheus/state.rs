//! The last state of all families.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::families::Families;
use super::family::Owner;
use super::mapping::{self, Target};
use crate::metrics::{Described, Element, Tags};

/// What [`Exposition::counts`](super::Exposition::counts) tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExpositionCounts {
    /// Series that there are now.
    pub series: usize,
    /// Elements that were taken.
    pub taken: u64,
    /// Elements that were rejected since their value can't be part of what they are for: a counter that
    /// would fall, a quantile below zero.
    pub refused: u64,
    /// Elements that were rejected since their series would be, in name and labels, that of others.
    pub collided: u64,
    /// Elements whose series had no room: those of totals went into `overflow="true"`, others were
    /// rejected.
    pub overflowed: u64,
    /// Totals that were forgotten to make room, or as they were idle for so long.
    pub forgotten: u64,
}

/// What a user chose.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) stale_after: Duration,
    pub(super) forget_totals_after: Option<Duration>,
    pub(super) max_series: usize,
    pub(super) since: SystemTime,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Options,
    pub(super) families: Families,
    /// What went wrong, each sentence once.
    pub(super) problems: BTreeSet<String>,
    news: Vec<String>,
    counts: ExpositionCounts,
    described: HashMap<Arc<str>, Arc<Described>>,
    /// Where the elements of a name go, or why they go nowhere.
    routes: HashMap<Arc<str>, Result<Arc<Target>, String>>,
    /// When somebody last looked for what is stale.
    looked: Option<Instant>,
    /// When somebody last looked for room. Not the same, as a scrape looks for the former only.
    sought_room: Option<Instant>,
}

/// How many sentences are kept.
const PROBLEMS: usize = 100;

/// As long as there is no room, somebody looks so often whether there is some now.
const LOOK_EVERY: Duration = Duration::from_secs(1);

fn is_time(last: Option<Instant>, now: Instant, every: Duration) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= every)
}

impl State {
    pub(super) fn new(options: Options) -> State {
        State {
            options,
            families: Families::default(),
            problems: BTreeSet::new(),
            news: Vec::new(),
            counts: ExpositionCounts::default(),
            described: HashMap::new(),
            routes: HashMap::new(),
            looked: None,
            sought_room: None,
        }
    }

    pub(super) fn counts(&self) -> ExpositionCounts {
        ExpositionCounts {
            series: self.families.len(),
            ..self.counts
        }
    }

    /// Makes families for a metric, or notes that their names are taken.
    pub(super) fn describe(&mut self, metric: &Arc<Described>) {
        let name: Arc<str> = metric.name().into();
        if self.described.get(&name) == Some(metric) {
            return;
        }
        let owner = Owner::Metric(name.clone());
        let targets = mapping::targets(metric);
        let mut since = self.options.since;
        if let Some(before) = self.described.insert(name, metric.clone()) {
            if mapping::same_places(&before, metric) {
                for target in &targets {
                    self.families.explain(&owner, target);
                }
                return;
            }
            // The same name for something else: it begins anew, and now.
            since = SystemTime::now();
            for output in before.outputs() {
                self.routes.remove(output.name());
            }
            self.families.remove(&owner);
        }
        for (output, target) in metric.outputs().iter().zip(targets) {
            // Who says what it is goes before who does not.
            self.families.displace(&target);
            let claimed = self.families.claim(&owner, &target, since);
            if let Err(problem) = &claimed {
                self.note(problem);
            }
            let route = claimed.map(|()| Arc::new(target));
            self.routes.insert(output.name().into(), route);
        }
    }

    /// Takes an element, or says why not.
    pub(super) fn take(&mut self, element: &Element, now: Instant) -> Result<(), String> {
        let taken = self.place(element, now).and_then(|(target, tags)| {
            // It was found or begun a moment ago.
            let series = self.families.series(&target, &tags);
            let taken = series.map_or(Ok(()), |s| s.take(target.part, element.value(), now));
            taken.map_err(|why| {
                self.counts.refused += 1;
                self.families.end_if_empty(&target, &tags);
                // Of the metric, and not of each of its values: there is room for other problems.
                self.note(&format!(
                    "elements of {:?} were rejected: {why}",
                    element.name()
                ));
                format!("{element} was rejected: {why}")
            })
        });
        self.counts.taken += u64::from(taken.is_ok());
        taken
    }

    /// The series of an element: found, or begun.
    fn place(&mut self, element: &Element, now: Instant) -> Result<(Arc<Target>, Tags), String> {
        let route = self.routes.get(element.name()).cloned();
        let described = route.is_some();
        let target = match route {
            // That its name is taken was told when it was described.
            Some(route) => route.inspect_err(|_| self.counts.collided += 1)?,
            None => Arc::new(mapping::undescribed(element.name())),
        };
        let owner = || Owner::Elements(element.name().into());
        let claimed = described || self.families.is_of(&target, &owner());
        let mut tags = element.tags().clone();
        if claimed && self.families.series(&target, &tags).is_some() {
            return Ok((target, tags));
        }
        if !self.has_room(now) {
            self.counts.overflowed += 1;
            if !target.part.adds_up() {
                let (max, name) = (self.options.max_series, element.name());
                self.note(&format!(
                    "there are {max} series, and no room for all of {name:?}: `max_series` may be more"
                ));
                return Err(format!("there are {max} series, and no room for {element}"));
            }
            tags = Tags::new().with("overflow", true);
            if self.families.series(&target, &tags).is_some() {
                return Ok((target, tags));
            }
        }
        let claimed = match claimed {
            true => Ok(()),
            false => self.families.claim(&owner(), &target, self.options.since),
        };
        claimed
            .and_then(|()| self.families.begin(&target, &tags, now))
            .inspect_err(|problem| {
                self.counts.collided += 1;
                self.note(problem);
            })?;
        Ok((target, tags))
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let max = self.options.max_series;
        if self.families.len() >= max && is_time(self.sought_room, now, LOOK_EVERY) {
            self.sought_room = Some(now);
            self.sweep(now);
            if self.families.len() >= max {
                // Some more than one, so that it pays to look.
                let some = self.families.len() - max + 1 + max / 16;
                let idle = self.options.stale_after;
                self.counts.forgotten += self.families.forget(some, now, idle);
            }
        }
        self.families.len() < max
    }

    /// Lets go what is stale, if somebody looks again at last.
    pub(super) fn sweep_sometimes(&mut self, now: Instant) {
        if is_time(self.looked, now, self.options.stale_after) {
            self.sweep(now);
        }
    }

    /// Lets go what is stale.
    pub(super) fn sweep(&mut self, now: Instant) {
        let Options {
            stale_after,
            forget_totals_after,
            ..
        } = self.options;
        self.looked = Some(now);
        self.counts.forgotten += self.families.sweep(now, stale_after, forget_totals_after);
    }

    fn note(&mut self, problem: &str) {
        if self.problems.len() < PROBLEMS && self.problems.insert(problem.to_owned()) {
            self.news.push(problem.to_owned());
        }
    }

    /// Problems that nobody was told of yet: to be logged when the state is not locked any more, as who
    /// logs may want to look at it.
    pub(super) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }
}
