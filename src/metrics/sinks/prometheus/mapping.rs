//! Which families of Prometheus' a metric becomes, and which part of them each of its outputs.

use std::sync::Arc;

use super::names::legal;
use crate::metrics::{Described, Kind, Output, Role};

/// What Prometheus calls the type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Counter,
    Gauge,
    Summary,
}

impl Sort {
    pub(super) fn text(self) -> &'static str {
        match self {
            Sort::Counter => "counter",
            Sort::Gauge => "gauge",
            Sort::Summary => "summary",
        }
    }

    /// What the names of samples end with, besides the family's own name.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Sort::Counter => &["_total", "_created"],
            Sort::Gauge => &[],
            Sort::Summary => &["_sum", "_count", "_created"],
        }
    }
}

/// Where the elements of an output go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) family: Arc<str>,
    pub(super) sort: Sort,
    pub(super) part: Part,
    pub(super) unit: Option<String>,
    pub(super) help: Option<String>,
}

impl Target {
    /// The names that no other family's samples may have.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let suffixes = [""].iter().chain(self.sort.suffixes());
        suffixes.map(|suffix| format!("{}{suffix}", self.family))
    }
}

/// What of a series an element is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// A figure that replaces the last one.
    Figure,
    /// More for the total of a counter.
    Total,
    /// More for the sum of a summary.
    Sum,
    /// More for the count of a summary.
    Count,
    /// A quantile of a summary.
    Quantile(f64),
}

impl Part {
    /// Whether values of several sets of tags make sense together.
    pub(super) fn adds_up(self) -> bool {
        matches!(self, Part::Total | Part::Sum | Part::Count)
    }
}

/// The targets of a metric's outputs, in their order.
pub(super) fn targets(metric: &Described) -> Vec<Target> {
    // What `name_total` counts: the sum, or the number of values where there is no sum.
    let main = [Role::Sum, Role::Count].into_iter().find_map(|role| {
        let mut outputs = metric.outputs().iter();
        outputs.position(|output| output.role() == role)
    });
    let mut taken: Vec<Part> = Vec::new();
    let outputs = metric.outputs().iter().enumerate();
    outputs
        .map(|(at, output)| match metric.kind() {
            Kind::Counter => counter(metric, output, main == Some(at)),
            Kind::Histogram => {
                let part = summary_part(output.role());
                match part {
                    // Two of a kind, as a median beside the quantile 0.5, would be one series.
                    Some(part) if !taken.contains(&part) => {
                        taken.push(part);
                        summary(metric, part)
                    }
                    _ => gauge(metric, output),
                }
            }
            _ => gauge(metric, output),
        })
        .collect()
}

/// Whether the elements of a metric go where they went, whatever else is said of it now: what it means, or
/// its unit, if that is not put at the end of a name.
pub(super) fn same_places(before: &Described, after: &Described) -> bool {
    let places = |metric: &Described| {
        let names = metric
            .outputs()
            .iter()
            .map(|output| output.name().to_owned());
        let targets = targets(metric).into_iter();
        let places = targets.map(|target| (target.family, target.sort, target.part));
        names.zip(places).collect::<Vec<_>>()
    };
    places(before) == places(after)
}

/// What the elements of a name become that nobody has described.
pub(super) fn undescribed(name: &str) -> Target {
    Target {
        family: legal(name).into(),
        sort: Sort::Gauge,
        part: Part::Figure,
        unit: None,
        help: None,
    }
}

fn counter(metric: &Described, output: &Output, main: bool) -> Target {
    if !matches!(output.role(), Role::Sum | Role::Count) {
        return gauge(metric, output);
    }
    // A number of values is not in the values' unit.
    let unit = (output.role() == Role::Sum).then(|| unit(metric)).flatten();
    let name = match main {
        true => metric.name().to_owned(),
        false => format!("{}_{}", metric.name(), output.aggregator()),
    };
    let name = legal(&name);
    // Its samples are called so in any case.
    let stem = name.strip_suffix("_total").filter(|stem| !stem.is_empty());
    Target {
        family: with_unit(stem.unwrap_or(&name), unit.as_deref()),
        sort: Sort::Counter,
        part: Part::Total,
        unit,
        help: metric.help().map(str::to_owned),
    }
}

fn summary_part(role: Role) -> Option<Part> {
    match role {
        Role::Sum => Some(Part::Sum),
        Role::Count => Some(Part::Count),
        // Minus zero is written as zero.
        Role::Quantile(level) if (0.0..=1.0).contains(&level) => Some(Part::Quantile(level + 0.0)),
        _ => None,
    }
}

fn summary(metric: &Described, part: Part) -> Target {
    let unit = unit(metric);
    Target {
        family: with_unit(&legal(metric.name()), unit.as_deref()),
        sort: Sort::Summary,
        part,
        unit,
        help: metric.help().map(str::to_owned),
    }
}

/// Whose unit is not known: a variance is not in the values' unit. It is named in the help.
fn gauge(metric: &Described, output: &Output) -> Target {
    let of = match metric.unit() {
        Some(unit) => format!(" ({} of values in {unit})", output.aggregator()),
        None => format!(" ({})", output.aggregator()),
    };
    Target {
        family: legal(&format!("{}_{}", metric.name(), output.aggregator())).into(),
        sort: Sort::Gauge,
        part: Part::Figure,
        unit: None,
        help: metric.help().map(|help| help.to_owned() + &of),
    }
}

fn unit(metric: &Described) -> Option<String> {
    // `%` has no letters left.
    let unit = metric.unit().map(legal)?;
    let unit = unit.trim_matches('_');
    (!unit.is_empty()).then(|| unit.to_owned())
}

/// OpenMetrics wants the unit at the end of the name.
fn with_unit(name: &str, unit: Option<&str>) -> Arc<str> {
    match unit {
        Some(unit) if name != unit && !name.ends_with(&format!("_{unit}")) => {
            format!("{name}_{unit}").into()
        }
        _ => name.into(),
    }
}
