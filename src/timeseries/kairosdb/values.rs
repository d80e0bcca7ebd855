//! Points as answers have them: pairs of time and value.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::metrics::Value;
use crate::timeseries::PointValue;

/// Reads `[[1700000000000, 21.5], …]`, without a step between JSON and points.
pub(super) fn values<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(i64, PointValue)>, D::Error> {
    deserializer.deserialize_seq(Values)
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Vec<(i64, PointValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pairs of time and value")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        let mut values = Vec::new();
        while let Some(pair) = seq.next_element_seed(Pair)? {
            values.push(pair);
        }
        Ok(values)
    }
}

struct Pair;

impl<'de> DeserializeSeed<'de> for Pair {
    type Value = (i64, PointValue);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pair {
    type Value = (i64, PointValue);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pair of time and value")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        let missing = |at| S::Error::invalid_length(at, &"a pair of time and value");
        let millis = seq.next_element()?.ok_or_else(|| missing(0))?;
        let value = seq.next_element_seed(One)?.ok_or_else(|| missing(1))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok((millis, value))
    }
}

struct One;

impl<'de> DeserializeSeed<'de> for One {
    type Value = PointValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PointValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// One value, alone.
#[cfg(feature = "proficloud")]
pub(in crate::timeseries) struct AnyValue(pub(in crate::timeseries) PointValue);

#[cfg(feature = "proficloud")]
impl<'de> serde::Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AnyValue, D::Error> {
        One.deserialize(deserializer).map(AnyValue)
    }
}

fn number(number: impl Into<Value>) -> PointValue {
    PointValue::Number(number.into())
}

/// Values of a type that the user has registered with the store are kept as JSON text.
fn custom(json: &Json) -> PointValue {
    PointValue::Text(json.to_string().into())
}

impl<'de> Visitor<'de> for One {
    type Value = PointValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or null")
    }

    fn visit_i64<E>(self, int: i64) -> Result<PointValue, E> {
        Ok(number(int))
    }

    fn visit_u64<E>(self, int: u64) -> Result<PointValue, E> {
        Ok(number(int))
    }

    fn visit_f64<E>(self, float: f64) -> Result<PointValue, E> {
        Ok(number(float))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<PointValue, E> {
        Ok(number(truth))
    }

    fn visit_str<E>(self, text: &str) -> Result<PointValue, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<PointValue, E> {
        Ok(PointValue::Null)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<PointValue, M::Error> {
        match Json::deserialize(MapAccessDeserializer::new(map))? {
            // So numbers come where another crate of the program wants `serde_json` to keep their digits.
            Json::Number(found) => {
                let int = found.as_i64().map(number);
                let int = int.or_else(|| found.as_u64().map(number));
                let any = int.or_else(|| found.as_f64().map(number));
                any.ok_or_else(|| M::Error::custom(format_args!("{found} is out of range")))
            }
            json => Ok(custom(&json)),
        }
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<PointValue, S::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Json>()? {
            items.push(item);
        }
        Ok(custom(&Json::Array(items)))
    }
}
