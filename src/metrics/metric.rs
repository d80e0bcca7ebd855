//! `Metric`: what is measured, what is aggregated together, and how.

use std::sync::Arc;
use std::time::Duration;

use super::aggregators::Named;
use super::described::{Described, Kind, Output};
use super::error::{MetricError, Zero};
use super::outcome::IntoOutcome;
use super::tags::{IntoTags, Tags};
use super::value::Value;
use crate::Time;
use crate::aggregate::Aggregate;

/// A metric: a name, what is aggregated together (a window or a batch), and by which aggregators.
///
/// Values are grouped by their tags; each aggregator makes one [`Element`](super::Element) of each group,
/// called `metric.aggregator`. Of one window or batch they come aggregator by aggregator, and in the
/// order in which the tags first came.
///
/// It is described here, and checked where it is used: by a [pipeline](super::MetricsPipeline), or in a
/// graph of one's own by [`aggregate`](Metric::aggregate).
///
/// ```
/// use headwater::metrics::{Element, Metric};
/// use headwater::prelude::*;
///
/// let latency = Metric::new("latency")
///     .agg("mean", Mean)
///     .agg("max", Max)
///     .batch(3)
///     .default_tag("host", "a");
///
/// let source = Source::<Element>::new();
/// let results = latency.aggregate(&source)?.map(|e| e.to_string()).sink_to_list();
/// let home = Element::new("latency", 10).tagged([("route", "/home")]);
/// source.emit_all([home, Element::new("latency", 3), Element::new("latency", 5)])?;
/// assert_eq!(results.take(), [
///     "latency.mean{host=a route=/home} 10.0",
///     "latency.mean{host=a} 4.0",
///     "latency.max{host=a route=/home} 10",
///     "latency.max{host=a} 5",
/// ]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "MStream")]
#[derive(Debug, Clone)]
#[must_use = "a metric does nothing until it is part of a pipeline or aggregates a flow"]
pub struct Metric {
    pub(super) name: Arc<str>,
    aggregators: Vec<Named>,
    groupings: Vec<Grouping>,
    pub(super) default_tags: Tags,
    pub(super) max_tag_sets: usize,
    pub(super) max_values: usize,
    pub(super) late: Late,
    pub(super) tolerance: Duration,
    pub(super) aligned: Aligned,
    pub(super) epoch: Option<Time>,
    kind: Kind,
    unit: Option<String>,
    help: Option<String>,
}

/// What is aggregated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    Window(Duration),
    Batch(usize),
}

/// What becomes of a value that comes late: its time lies before the window that is under way when it
/// arrives. In either case it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Late {
    /// It is aggregated with what arrives together with it.
    #[default]
    Keep,
    /// It is dropped.
    Drop,
}

/// Where windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Aligned {
    /// At the start of the graph's clock, and every length of a window after that.
    #[default]
    Start,
    /// At whole multiples of the length since the Unix epoch: windows of a minute begin at full
    /// minutes. Where the system's clock is [put](super::MetricsPipelineBuilder::system_clock) later, they go on
    /// as they were, and begin at other times of the clock.
    WallClock,
}

/// How many sets of tags a metric has by default.
const MAX_TAG_SETS: usize = 10_000;

/// How many values are kept by default for aggregators that need all of them.
const MAX_VALUES: usize = 65_536;

/// How late is not late by default: coarser than the clock that values are stamped by.
const TOLERANCE: Duration = Duration::from_millis(10);

impl Metric {
    /// A metric of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Metric {
        Metric {
            name: name.into(),
            aggregators: Vec::new(),
            groupings: Vec::new(),
            default_tags: Tags::new(),
            max_tag_sets: MAX_TAG_SETS,
            max_values: MAX_VALUES,
            late: Late::default(),
            tolerance: TOLERANCE,
            aligned: Aligned::default(),
            epoch: None,
            kind: Kind::default(),
            unit: None,
            help: None,
        }
    }

    /// One more aggregator: one of the [`aggregate`](crate::aggregate)s that read as a number, or one's
    /// own. Its elements are called `metric.name`.
    #[doc(alias = "aggregator")]
    pub fn agg<A>(mut self, name: impl Into<Arc<str>>, aggregate: A) -> Metric
    where
        A: Aggregate<Value, Output: IntoOutcome> + Clone + Sync,
    {
        self.aggregators
            .push(Named::incremental(name.into(), aggregate));
        self
    }

    /// One more aggregator: a function of all values of a group, of which there is at least one, in the
    /// order in which they came. It returns a number, an `Option` of one, or a `Result`.
    ///
    /// If it fails or panics it emits nothing for this group; that is counted, and concerns neither
    /// other groups nor other aggregators. The values are kept until the window or batch is over:
    /// see [`max_values`](Metric::max_values).
    ///
    /// ```
    /// use headwater::metrics::{Metric, Value};
    /// use headwater::prelude::*;
    /// use std::time::Duration;
    ///
    /// let metric = Metric::new("load")
    ///     .agg("max", Max)
    ///     .agg_values("last two", |values| match values {
    ///         [.., a, b] => Some(a.as_f64() + b.as_f64()),
    ///         _ => None,
    ///     })
    ///     .window(Duration::from_secs(10));
    /// # let _ = metric;
    /// ```
    pub fn agg_values<O, F>(mut self, name: impl Into<Arc<str>>, f: F) -> Metric
    where
        O: IntoOutcome + 'static,
        F: Fn(&[Value]) -> O + Send + Sync + 'static,
    {
        self.aggregators.push(Named::of_values(name.into(), f));
        self
    }

    /// What arrives within each stretch of time of this length is aggregated together: on the graph's
    /// clock, and from its start on, unless [aligned](Metric::aligned) otherwise. Nothing is emitted
    /// for a window in which nothing came.
    #[doc(alias = "window_size")]
    #[doc(alias = "interval")]
    pub fn window(mut self, length: Duration) -> Metric {
        self.groupings.push(Grouping::Window(length));
        self
    }

    /// Every `n` values are aggregated together, and the rest at the close.
    #[doc(alias = "batch_size")]
    pub fn batch(mut self, n: usize) -> Metric {
        self.groupings.push(Grouping::Batch(n));
        self
    }

    /// A tag that all values have which don't bring one of the same name.
    pub fn default_tag(self, name: impl AsRef<str>, value: impl super::AsTag) -> Metric {
        let default_tags = self.default_tags.with(name, value);
        Metric {
            default_tags,
            ..self
        }
    }

    /// Tags that all values have which don't bring some of the same names.
    pub fn default_tags(self, tags: impl IntoTags) -> Metric {
        let default_tags = self.default_tags.merged(&tags.into_tags());
        Metric {
            default_tags,
            ..self
        }
    }

    /// How many sets of tags there may be: 10 000 by default. Values with further ones are aggregated
    /// together, with the default tags and `overflow=true`, and counted. A set that nobody used for
    /// ten minutes makes room.
    #[doc(alias = "cardinality")]
    pub fn max_tag_sets(self, max: usize) -> Metric {
        Metric {
            max_tag_sets: max,
            ..self
        }
    }

    /// How many values are kept at most, where an aggregator needs all of them ([`agg_values`],
    /// `Median`, `Quantile`): 65 536 by default. A window in which more come is emitted early, and counted.
    ///
    /// [`agg_values`]: Metric::agg_values
    pub fn max_values(self, max: usize) -> Metric {
        Metric {
            max_values: max,
            ..self
        }
    }

    /// What becomes of a value whose time lies before the window in which it arrives, by more than
    /// `tolerance`: by default it is kept, and the tolerance is 10 ms.
    ///
    /// A value belongs to the window in which it arrives; within a window the order of times does not
    /// matter, and a time in the future is taken as any other. Where the graph's clock is led by the
    /// elements' times, the window in which a value arrives is that of its time, unless it is late.
    pub fn late(self, late: Late, tolerance: Duration) -> Metric {
        Metric {
            late,
            tolerance,
            ..self
        }
    }

    /// Where windows begin.
    pub fn aligned(self, aligned: Aligned) -> Metric {
        Metric { aligned, ..self }
    }

    /// The time at which the graph's clock was zero: a `SystemTime`, or a [`Time`] since the Unix
    /// epoch. A pipeline knows it.
    pub fn epoch(self, zero: impl Into<Time>) -> Metric {
        Metric {
            epoch: Some(zero.into()),
            ..self
        }
    }

    /// What sort of quantity it is; a gauge unless something else is said.
    pub fn kind(self, kind: Kind) -> Metric {
        Metric { kind, ..self }
    }

    /// The unit of its values: a [`Unit`](super::Unit) of time, or any other as text, such as `bytes`. Receivers
    /// hear of it; and timers of the metric, [`SpanTimer`s](crate::metrics) among them, count in it, unless
    /// they are given another one.
    pub fn unit(self, unit: impl Into<String>) -> Metric {
        Metric {
            unit: Some(unit.into()),
            ..self
        }
    }

    /// What it means, in a sentence, for receivers that want to know.
    pub fn help(self, help: impl Into<String>) -> Metric {
        Metric {
            help: Some(help.into()),
            ..self
        }
    }

    /// The same, with these tags too where it says nothing else.
    pub(super) fn below(self, tags: &Tags) -> Metric {
        let default_tags = tags.merged(&self.default_tags);
        Metric {
            default_tags,
            ..self
        }
    }

    /// The same, with what it leaves open: windows of this length, and these aggregators.
    #[cfg(feature = "facade")]
    pub(super) fn completed(self, window: Duration, aggregators: fn(Metric) -> Metric) -> Metric {
        let grouped = match self.groupings.is_empty() {
            true => self.window(window),
            false => self,
        };
        match grouped.aggregators.is_empty() {
            true => aggregators(grouped),
            false => grouped,
        }
    }

    /// The same, with what nobody has said of it.
    #[cfg(feature = "facade")]
    pub(super) fn about(self, unit: Option<&str>, help: Option<&str>) -> Metric {
        Metric {
            unit: self.unit.or(unit.map(str::to_owned)),
            help: self.help.or(help.map(str::to_owned)),
            ..self
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What [sinks](super::MetricSink::describe) are told of it, for those who aggregate in a graph of
    /// their own.
    ///
    /// # Errors
    /// If it cannot be aggregated as it was described.
    pub fn described(&self) -> Result<Arc<Described>, MetricError> {
        Ok(self.clone().recipe()?.described)
    }

    /// Checks it.
    pub(super) fn recipe(self) -> Result<Recipe, MetricError> {
        let name = self.name.clone();
        if name.trim().is_empty() {
            return Err(MetricError::NoName);
        }
        if has_line_break(&name) {
            return Err(MetricError::LineBreak(name));
        }
        let bounds = [
            (
                self.max_tag_sets,
                Zero::of(
                    "max_tag_sets",
                    "let there be 1 set of tags at least, or send values without tags",
                ),
            ),
            (
                self.max_values,
                Zero::of("max_values", "let 1 value be kept at least"),
            ),
        ];
        if let Some((_, zero)) = bounds.into_iter().find(|(bound, _)| *bound == 0) {
            return Err(MetricError::ZeroBound { metric: name, zero });
        }
        let grouping = match self.groupings[..] {
            [] => return Err(MetricError::NoGrouping(name)),
            [Grouping::Window(Duration::ZERO)] => return Err(MetricError::ZeroWindow(name)),
            [Grouping::Batch(0)] => return Err(MetricError::ZeroBatch(name)),
            [grouping] => grouping,
            _ => return Err(MetricError::TwoGroupings(name)),
        };
        if self.aggregators.is_empty() {
            return Err(MetricError::NoAggregator(name));
        }
        if self.aligned == Aligned::WallClock && matches!(grouping, Grouping::Batch(_)) {
            return Err(MetricError::AlignedBatch(name));
        }
        for (at, named) in self.aggregators.iter().enumerate() {
            if named.name.trim().is_empty() || has_line_break(&named.name) {
                return Err(MetricError::AggregatorName {
                    metric: name,
                    aggregator: named.name.clone(),
                });
            }
            let before = &self.aggregators[..at];
            if before.iter().any(|other| other.name == named.name) {
                return Err(MetricError::SameAggregator {
                    metric: name,
                    aggregator: named.name.clone(),
                });
            }
        }
        let output = |named: &Named| Output {
            name: format!("{name}.{}", named.name).into(),
            aggregator: named.name.clone(),
            role: named.role,
        };
        let described = Described {
            name: name.clone(),
            kind: self.kind,
            unit: self.unit.clone(),
            help: self.help.clone(),
            outputs: self.aggregators.iter().map(output).collect(),
        };
        Ok(Recipe {
            described: Arc::new(described),
            grouping,
            aggregators: self.aggregators.clone().into(),
            metric: self,
        })
    }
}

/// Names are in lines of text, at receivers and in what is printed.
fn has_line_break(name: &str) -> bool {
    name.contains(['\n', '\r'])
}

/// A metric that was checked.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) described: Arc<Described>,
    pub(super) grouping: Grouping,
    pub(super) aggregators: Arc<[Named]>,
    pub(super) metric: Metric,
}
