//! Families as text.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::families::Families;
use super::family::{Family, Series};
use super::format::ExpositionFormat::{self, OpenMetrics};
use super::mapping::Sort;
use super::names::escape;
use crate::metrics::Value;

/// All families that have series, sorted by name and labels.
pub(super) fn text(families: &Families, format: ExpositionFormat) -> String {
    let mut out = Out {
        text: String::new(),
        format,
    };
    for (name, family) in families.iter() {
        out.family(name, family);
    }
    if format == OpenMetrics {
        out.text.push_str("# EOF\n");
    }
    out.text
}

struct Out {
    text: String,
    format: ExpositionFormat,
}

impl Out {
    fn family(&mut self, name: &str, family: &Family) {
        // What the family is called: OpenMetrics leaves out what the samples of a counter end with.
        let called = match (self.format, family.sort) {
            (ExpositionFormat::Text, Sort::Counter) => format!("{name}_total"),
            _ => name.to_owned(),
        };
        let begin = self.text.len();
        if let Some(help) = &family.help {
            let _ = write!(self.text, "# HELP {called} ");
            escape(help, self.format == OpenMetrics, &mut self.text);
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "# TYPE {called} {}", family.sort.text());
        if let (OpenMetrics, Some(unit)) = (self.format, &family.unit) {
            let _ = writeln!(self.text, "# UNIT {called} {unit}");
        }
        let head = self.text.len();
        for tags in family.labels.values() {
            // Both maps have the same keys.
            if let Some(series) = family.series.get(tags) {
                self.series(name, family.sort, series);
            }
        }
        if self.text.len() == head {
            self.text.truncate(begin);
        }
    }

    fn series(&mut self, name: &str, sort: Sort, series: &Series) {
        match sort {
            Sort::Gauge => self.sample(name, "", series, series.figure),
            Sort::Counter => self.sample(name, "_total", series, series.sum.value()),
            Sort::Summary => {
                for (level, value, _) in &series.quantiles {
                    let comma = if series.labels.is_empty() { "" } else { "," };
                    let labels = &series.labels;
                    let _ = write!(self.text, "{name}{{{labels}{comma}quantile=\"{level:?}\"}}");
                    self.value(*value);
                }
                self.sample(name, "_sum", series, series.sum.value());
                self.sample(name, "_count", series, series.count());
            }
        }
        if self.format == OpenMetrics && series.has_totals() {
            let since = series.since.duration_since(SystemTime::UNIX_EPOCH);
            let since = Value::from(since.unwrap_or_default());
            self.sample(name, "_created", series, Some(since));
        }
    }

    fn sample(&mut self, name: &str, suffix: &str, series: &Series, value: Option<Value>) {
        let Some(value) = value else { return };
        let _ = write!(self.text, "{name}{suffix}");
        if !series.labels.is_empty() {
            let _ = write!(self.text, "{{{}}}", series.labels);
        }
        self.value(value);
    }

    fn value(&mut self, value: Value) {
        let _ = match value {
            Value::Float(float) if float.is_nan() => writeln!(self.text, " NaN"),
            Value::Float(f64::INFINITY) => writeln!(self.text, " +Inf"),
            Value::Float(f64::NEG_INFINITY) => writeln!(self.text, " -Inf"),
            number => writeln!(self.text, " {number}"),
        };
    }
}
