//! Which group a result is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::relative::Relative;

/// Which group a result is, of those that a query asked for by [`GroupBy`](super::GroupBy).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Value")]
#[non_exhaustive]
pub enum Group {
    /// Points of one kind: `number`, `text`, or one that was registered with the store. Every result that
    /// has points has it.
    Type(String),
    /// Points whose tags have these values; the empty text where a point lacks the tag.
    Tags(BTreeMap<String, String>),
    /// Points of every so many ranges of time.
    Time {
        /// How long a range is.
        range_size: Relative,
        /// How many groups there are.
        group_count: u32,
        /// Which one it is, from 0 on.
        number: i64,
    },
    /// Points of a range of values.
    Value {
        /// How large a range is.
        range_size: u32,
        /// Which one it is; 0 begins at the value 0.
        number: i64,
    },
    /// Points between two bounds.
    Bin {
        /// The bounds.
        bins: Vec<f64>,
        /// Which one it is: 0 for values below the first bound.
        number: i64,
    },
    /// One that is not known here, as it was answered.
    Other(Value),
}

#[derive(Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
enum Known {
    Type {
        r#type: String,
    },
    Tag {
        group: BTreeMap<String, String>,
    },
    Time {
        range_size: Relative,
        group_count: u32,
        group: Number,
    },
    Value {
        range_size: u32,
        group: Number,
    },
    Bin {
        bins: Vec<f64>,
        group: Number,
    },
}

#[derive(Deserialize)]
struct Number {
    #[serde(alias = "bin_number")]
    group_number: i64,
}

impl From<Value> for Group {
    fn from(json: Value) -> Group {
        match Known::deserialize(&json) {
            Ok(Known::Type { r#type }) => Group::Type(r#type),
            Ok(Known::Tag { group }) => Group::Tags(group),
            Ok(Known::Time {
                range_size,
                group_count,
                group,
            }) => Group::Time {
                range_size,
                group_count,
                number: group.group_number,
            },
            Ok(Known::Value { range_size, group }) => Group::Value {
                range_size,
                number: group.group_number,
            },
            Ok(Known::Bin { bins, group }) => Group::Bin {
                bins,
                number: group.group_number,
            },
            Err(_) => Group::Other(json),
        }
    }
}
