//! Aggregators of ranges of time: every five minutes, one point.

use serde_json::{Map, Value, json};

use super::aggregator::number;
use super::relative::Relative;

/// Makes one point of all the points in each range of time.
///
/// Ranges without points give none, except with [`gaps`](RangeAggregator::gaps). The time of a result is
/// that of the first point in its range, or as [`align_start_time`](RangeAggregator::align_start_time) and
/// [`align_end_time`](RangeAggregator::align_end_time) say.
///
/// # Where ranges begin
///
/// By default (from KairosDB 1.3 on) where the calendar does: the query's beginning is cut to its year,
/// month, week or day, in the time zone; shorter units are counted from the start of that day, and
/// milliseconds from the start of that second. Where that is not wanted, there is
/// [`from_start`](RangeAggregator::from_start).
///
/// ```
/// use headwater::timeseries::kairosdb::{RangeAggregator, Relative};
///
/// let monthly = RangeAggregator::sum(Relative::months(1))
///     .align_start_time()
///     .time_zone("Europe/Berlin");
/// assert_eq!(monthly.to_json()["name"], "sum");
/// assert_eq!(monthly.to_json()["align_start_time"], true);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an aggregator does nothing until it is part of a query"]
pub struct RangeAggregator(Map<String, Value>);

/// What [`RangeAggregator::dev_with`] comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deviation {
    /// The standard deviation itself.
    Value,
    /// The mean plus so many deviations.
    Above,
    /// The mean minus so many deviations.
    Below,
}

macro_rules! functions {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        pub fn $name(sampling: impl Into<Relative>) -> RangeAggregator {
            RangeAggregator::named(stringify!($name), sampling.into())
        }
    )+};
}

impl RangeAggregator {
    fn named(name: &str, sampling: Relative) -> RangeAggregator {
        let fields = [("name", name.into()), ("sampling", json!(sampling))];
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        RangeAggregator(fields.collect())
    }

    functions! {
        /// The sum.
        sum;
        /// The least value.
        min;
        /// The greatest value.
        max;
        /// The mean.
        avg;
        /// How many points there are, of any kind.
        count;
        /// The standard deviation of a sample (n − 1); 0 for one point.
        dev;
        /// The first point.
        first;
        /// The last point, at its own time unless times are aligned.
        last;
        /// Two points on the line that fits best, at the times of the first and the last point; one or two
        /// points pass as they are.
        least_squares;
        /// The points as they are, and a null at the start of each range that has none.
        gaps;
    }

    /// The deviation, or the mean and so many deviations.
    pub fn dev_with(
        sampling: impl Into<Relative>,
        what: Deviation,
        deviations: u32,
    ) -> RangeAggregator {
        let what = match what {
            Deviation::Value => "value",
            Deviation::Above => "pos_sd",
            Deviation::Below => "neg_sd",
        };
        RangeAggregator::dev(sampling)
            .with("return_type", what)
            .with("dev_count", deviations)
    }

    /// The value below which that part of the points is: 0.5 for the median. Above 0 and at most 1. Of large
    /// ranges the store takes samples.
    pub fn percentile(sampling: impl Into<Relative>, part: f64) -> RangeAggregator {
        let percentile = RangeAggregator::named("percentile", sampling.into());
        percentile.with("percentile", number(part))
    }

    /// Another one that works on ranges, by its name.
    pub fn raw(name: &str, sampling: impl Into<Relative>) -> RangeAggregator {
        RangeAggregator::named(name, sampling.into())
    }

    /// Any parameter that is not known here.
    pub fn with(mut self, parameter: &str, value: impl Into<Value>) -> RangeAggregator {
        self.0.insert(parameter.to_owned(), value.into());
        self
    }

    /// Ranges begin where the calendar does, or where the query begins. Before KairosDB 1.3 the latter is the
    /// default.
    pub fn align_sampling(self, align: bool) -> RangeAggregator {
        self.with("align_sampling", align)
    }

    /// Ranges begin at the query's beginning, and not where the calendar does.
    pub fn from_start(self) -> RangeAggregator {
        self.align_sampling(false)
    }

    /// The time of a result is the start of its range.
    pub fn align_start_time(self) -> RangeAggregator {
        self.with("align_start_time", true)
    }

    /// The time of a result is the end of its range, which is the start of the next one.
    pub fn align_end_time(self) -> RangeAggregator {
        self.with("align_end_time", true)
    }

    /// Ranges are counted from here, in milliseconds since the Unix epoch, instead of the query's beginning.
    pub fn start_time(self, millis: i64) -> RangeAggregator {
        self.with("start_time", millis)
    }

    /// The time zone of the calendar, `Europe/Berlin` for instance; the query's by default.
    pub fn time_zone(self, id: impl Into<String>) -> RangeAggregator {
        self.with("time_zone", id.into())
    }

    /// Without the empty ranges before the first point and behind the last one: of [`gaps`](Self::gaps), only
    /// those in between are shown. From KairosDB 1.3 on.
    pub fn trim(self) -> RangeAggregator {
        self.with("trim", true)
    }

    /// As it is written in a query.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub(super) fn into_fields(self) -> Map<String, Value> {
        self.0
    }
}
