//! What the points of a metric are grouped by.

use serde_json::{Value, json};

use super::relative::Relative;

/// What the points of a metric are grouped by: each group is a result of its own.
///
/// Without, points of all tags are in one result, in the order of time.
///
/// ```
/// use headwater::timeseries::kairosdb::GroupBy;
/// use serde_json::json;
///
/// let by_host = GroupBy::tags(["dc", "host"]);
/// assert_eq!(by_host.to_json(), json!({"name": "tag", "tags": ["dc", "host"]}));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum GroupBy {
    /// By the values of these tags.
    Tags(Vec<String>),
    /// By time: ranges of this length, counted from the query's beginning, are dealt to so many groups in
    /// turn. 1 hour and 24 groups: by the hour of the day.
    Time {
        /// How long a range is.
        range_size: Relative,
        /// How many groups there are.
        group_count: u32,
    },
    /// By value: ranges of this size, the first one from 0 on.
    Value {
        /// How large a range is.
        range_size: u32,
    },
    /// By value: below the first bound, between two, at the last or above.
    Bins(Vec<f64>),
    /// As the store understands it, with its `name`.
    Raw(Value),
}

impl GroupBy {
    /// By the values of these tags. A point that lacks one has the empty text there.
    pub fn tags<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> GroupBy {
        GroupBy::Tags(tags.into_iter().map(Into::into).collect())
    }

    /// By ranges of time, dealt to so many groups in turn.
    pub fn time(range_size: impl Into<Relative>, group_count: u32) -> GroupBy {
        let range_size = range_size.into();
        GroupBy::Time {
            range_size,
            group_count,
        }
    }

    /// By ranges of values.
    #[must_use]
    pub fn value(range_size: u32) -> GroupBy {
        GroupBy::Value { range_size }
    }

    /// By bounds, in ascending order.
    pub fn bins(bounds: impl IntoIterator<Item = f64>) -> GroupBy {
        GroupBy::Bins(bounds.into_iter().collect())
    }

    /// As it is written in a query.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            GroupBy::Tags(tags) => json!({"name": "tag", "tags": tags}),
            GroupBy::Time {
                range_size,
                group_count,
            } => json!({"name": "time", "range_size": range_size, "group_count": group_count}),
            GroupBy::Value { range_size } => json!({"name": "value", "range_size": range_size}),
            GroupBy::Bins(bounds) => json!({"name": "bin", "bins": bounds}),
            GroupBy::Raw(raw) => raw.clone(),
        }
    }
}
