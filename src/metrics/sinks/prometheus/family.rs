//! Families of series, and what a series knows.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::mapping::{Part, Sort, Target};
use crate::aggregate::Summand;
use crate::metrics::{Tags, Total, Value};

/// Series of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) owner: Owner,
    pub(super) sort: Sort,
    /// What there is of it: each once.
    pub(super) parts: Vec<Part>,
    pub(super) unit: Option<String>,
    pub(super) help: Option<String>,
    pub(super) series: HashMap<Tags, Series>,
    /// Whose the labels are, as they are written: two sets of tags may come to the same ones.
    pub(super) labels: BTreeMap<Arc<str>, Tags>,
    /// When the totals of series that are new from now on begin.
    pub(super) since: SystemTime,
}

/// What a family is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A metric that was described.
    Metric(Arc<str>),
    /// Elements of this name, which nobody has described.
    Elements(Arc<str>),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Metric(name) => write!(f, "the metric {name:?}"),
            Owner::Elements(name) => write!(f, "what is called {name:?} and not described"),
        }
    }
}

/// The last state of one set of labels.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Arc<str>,
    pub(super) since: SystemTime,
    pub(super) touched: Instant,
    pub(super) figure: Option<Value>,
    pub(super) sum: Sum,
    pub(super) count: Option<Total>,
    pub(super) quantiles: Vec<(f64, Value, Instant)>,
}

/// What was added up, of a counter or a summary.
#[derive(Debug)]
pub(super) enum Sum {
    None,
    Of(Total),
    /// Something came that can't be added to what only grows.
    Broken,
}

impl Family {
    pub(super) fn new(owner: Owner, target: &Target, since: SystemTime) -> Family {
        Family {
            owner,
            sort: target.sort,
            parts: vec![target.part],
            unit: target.unit.clone(),
            help: target.help.clone(),
            series: HashMap::new(),
            labels: BTreeMap::new(),
            since,
        }
    }

    /// Begins a series.
    pub(super) fn begin(&mut self, tags: &Tags, labels: Arc<str>, now: Instant) {
        self.labels.insert(labels.clone(), tags.clone());
        let series = Series {
            labels,
            since: self.since,
            touched: now,
            figure: None,
            sum: Sum::None,
            count: None,
            quantiles: Vec::new(),
        };
        self.series.insert(tags.clone(), series);
    }

    /// Ends those series that `ends` says, and says how many totals were forgotten.
    pub(super) fn end(&mut self, mut ends: impl FnMut(&mut Series) -> bool) -> u64 {
        let (labels, mut forgotten) = (&mut self.labels, 0);
        self.series.retain(|_, series| {
            let ends = ends(series);
            if ends {
                labels.remove(&series.labels);
                forgotten += u64::from(series.is_total());
            }
            !ends
        });
        if forgotten > 0 {
            // A series that comes back counts from here on.
            self.since = SystemTime::now();
        }
        forgotten
    }
}

impl Series {
    /// Whether it has totals, which stay true when nothing comes.
    pub(super) fn is_total(&self) -> bool {
        self.count.is_some() || !matches!(self.sum, Sum::None)
    }

    /// Whether there are totals to show.
    pub(super) fn has_totals(&self) -> bool {
        self.count.is_some() || self.sum.value().is_some()
    }

    /// The number of values.
    pub(super) fn count(&self) -> Option<Value> {
        self.count.as_ref().map(Value::sum)
    }

    /// Lets figures go that are of a time long past, and says whether there is anything left.
    pub(super) fn is_stale(&mut self, now: Instant, after: Duration) -> bool {
        let stale = |at: Instant| now.duration_since(at) >= after;
        self.quantiles.retain(|(_, _, at)| !stale(*at));
        if stale(self.touched) {
            self.figure = None;
        }
        self.is_empty()
    }

    /// Whether it knows nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.figure.is_none() && self.quantiles.is_empty() && !self.is_total()
    }

    /// Takes a value. Says what is wrong with one that can't be taken.
    pub(super) fn take(
        &mut self,
        part: Part,
        value: Value,
        now: Instant,
    ) -> Result<(), &'static str> {
        let negative = value < Value::Int(0);
        let adds_up = value.is_finite() && !negative;
        match part {
            Part::Figure => self.figure = Some(value),
            Part::Total if adds_up => self.sum.add(value),
            Part::Total => {
                return Err("a counter only grows: describe what may fall as a gauge");
            }
            Part::Sum if adds_up => self.sum.add(value),
            Part::Sum => {
                self.sum = Sum::Broken;
                return Err(
                    "the sum of a summary only grows, so it is left out from now on: describe what \
                     may be below zero as a gauge",
                );
            }
            Part::Count if adds_up => match &mut self.count {
                Some(total) => Value::merge(total, &value.to_total()),
                none => *none = Some(value.to_total()),
            },
            Part::Count => return Err("a number of values only grows"),
            Part::Quantile(_) if negative => {
                return Err(
                    "the quantiles of a summary are not below zero, as OpenMetrics has it: describe \
                     what may be as a gauge",
                );
            }
            Part::Quantile(level) => {
                let at = self.quantiles.partition_point(|(known, ..)| *known < level);
                match self.quantiles.get_mut(at) {
                    Some(known) if known.0 == level => *known = (level, value, now),
                    _ => self.quantiles.insert(at, (level, value, now)),
                }
            }
        }
        self.touched = now;
        Ok(())
    }
}

impl Sum {
    fn add(&mut self, value: Value) {
        match self {
            Sum::None => *self = Sum::Of(value.to_total()),
            Sum::Of(total) => Value::merge(total, &value.to_total()),
            Sum::Broken => {}
        }
    }

    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Sum::Of(total) => Some(Value::sum(total)),
            Sum::None | Sum::Broken => None,
        }
    }
}
