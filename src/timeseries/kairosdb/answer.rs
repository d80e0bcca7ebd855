//! What the store answers to a query.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;

use super::group::Group;
use super::values::values;
use crate::metrics::{TagRef, Tags};
use crate::timeseries::{Point, PointValue};

/// What the store answered: one entry for each metric that was asked for, in their order.
///
/// ```
/// use headwater::timeseries::kairosdb::Answer;
///
/// let json = r#"{"queries": [{"sample_size": 3, "results": [{
///     "name": "m", "tags": {"host": ["a", "b"]}, "group_by": [{"name": "type", "type": "number"}],
///     "values": [[1, 60.2], [2, 3], [3, null]]
/// }]}]}"#;
/// let answer: Answer = json.parse()?;
/// let series = answer.series().next().unwrap();
/// assert_eq!(series.values[0], (1, 60.2.into()));
/// assert_eq!(answer.queries[0].sample_size, Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Answer {
    /// An entry for each metric that was asked for.
    pub queries: Vec<Answered>,
    /// What time the server's clock showed, to the second.
    #[serde(skip)]
    pub server_time: Option<SystemTime>,
}

/// What the store answered for one metric.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Answered {
    /// How many points it has read for that. Queries of tags have none.
    #[serde(default)]
    pub sample_size: Option<u64>,
    /// A result for each kind of values, and for each group of these.
    ///
    /// For a metric without points KairosDB up to 1.3.0 answers one result without values, and later
    /// versions none at all: [`Answer::series`] is the same for both.
    pub results: Vec<Series>,
}

/// Points of one metric, one kind and one group.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Which group it is.
    #[serde(default)]
    pub group_by: Vec<Group>,
    /// All values that each tag has among the points; not those of single points.
    #[serde(default)]
    pub tags: BTreeMap<String, Vec<String>>,
    /// Times in milliseconds since the Unix epoch, and values.
    ///
    /// A double without a fraction comes as an integer: the store writes 3.0 as `3`. A null is a gap, where
    /// [`gaps`](super::RangeAggregator::gaps) was asked for. Values of types of the user's own come as JSON
    /// text.
    #[serde(default, deserialize_with = "values")]
    pub values: Vec<(i64, PointValue)>,
}

impl Answer {
    /// All results that have points, of all metrics.
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        let results = self.queries.iter().flat_map(|query| &query.results);
        results.filter(|series| !series.values.is_empty())
    }

    /// All points of all metrics.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.series().flat_map(Series::points)
    }
}

impl std::str::FromStr for Answer {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Answer, serde_json::Error> {
        serde_json::from_str(json)
    }
}

impl Series {
    /// The tags that are the same for all points: those of its group, and those with one value.
    ///
    /// Of a result of several series that were not told apart by [`GroupBy::tags`](super::GroupBy::tags), a
    /// tag with one value need not be a tag of each point: some may lack it.
    #[must_use]
    pub fn common_tags(&self) -> Tags {
        let single = self
            .tags
            .iter()
            .filter_map(|(name, values)| match &values[..] {
                [value] => Some((name, &**value)),
                _ => None,
            });
        single.collect::<Tags>().merged(&self.group_tags())
    }

    /// The tags of its group, without those that its points lack.
    pub(super) fn group_tags(&self) -> Tags {
        let of_group = self.group_by.iter().filter_map(|group| match group {
            Group::Tags(tags) => Some(tags),
            _ => None,
        });
        let of_group = of_group.flatten().filter(|(_, value)| !value.is_empty());
        of_group.map(|(name, value)| (name, &**value)).collect()
    }

    /// What tells it from other results of one metric with the same tags, as tags: the kind of points that are
    /// no numbers, and the numbers of its ranges of values.
    pub(super) fn own_tags(&self) -> Tags {
        let tags = self.group_by.iter().filter_map(|group| match group {
            Group::Type(kind) if kind != "number" => Some(("type", TagRef::Str(kind))),
            Group::Value { number, .. } => Some(("value_group", TagRef::Int(*number))),
            Group::Bin { number, .. } => Some(("bin", TagRef::Int(*number))),
            _ => None,
        });
        tags.collect()
    }

    /// The points, with the tags that all of them [have in common](Series::common_tags).
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.points_tagged(self.common_tags())
    }

    /// The points, with these tags.
    pub(super) fn points_tagged(&self, tags: Tags) -> impl Iterator<Item = Point> {
        let metric = Arc::<str>::from(&*self.name);
        self.values.iter().map(move |(millis, value)| {
            Point::of(metric.clone(), tags.clone(), *millis, value.clone())
        })
    }

    /// What kind of values these are: `number`, `text`, or one that was registered with the store.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.group_by.iter().find_map(|group| match group {
            Group::Type(kind) => Some(&**kind),
            _ => None,
        })
    }
}
