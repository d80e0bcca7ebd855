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

    #[inline]
    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        let mut values = Vec::new();
        while seq.next_element_seed(Pair(&mut values))?.is_some() {}
        Ok(values)
    }
}

/// Goes into the list where its value is read: handed up from call to call, it would be copied by each of them,
/// which took a third of the time.
struct Pair<'a>(&'a mut Vec<(i64, PointValue)>);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pair of time and value")
    }

    #[inline]
    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let missing = |at| S::Error::invalid_length(at, &"a pair of time and value");
        let millis = seq.next_element()?.ok_or_else(|| missing(0))?;
        let push = One(|value| self.0.push((millis, value)));
        seq.next_element_seed(push)?.ok_or_else(|| missing(1))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A value, and what is done with it where it is read.
struct One<F>(F);

impl<'de, R, F: FnOnce(PointValue) -> R> DeserializeSeed<'de> for One<F> {
    type Value = R;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// One value, alone.
#[cfg(feature = "proficloud")]
pub(in crate::timeseries) struct AnyValue(pub(in crate::timeseries) PointValue);

#[cfg(feature = "proficloud")]
impl<'de> serde::Deserialize<'de> for AnyValue {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AnyValue, D::Error> {
        One(AnyValue).deserialize(deserializer)
    }
}

fn number(number: impl Into<Value>) -> PointValue {
    PointValue::Number(number.into())
}

/// Values of a type that the user has registered with the store are kept as JSON text.
fn custom(json: &Json) -> PointValue {
    PointValue::Text(json.to_string().into())
}

impl<'de, R, F: FnOnce(PointValue) -> R> Visitor<'de> for One<F> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or null")
    }

    #[inline]
    fn visit_i64<E>(self, int: i64) -> Result<R, E> {
        Ok(self.0(number(int)))
    }

    #[inline]
    fn visit_u64<E>(self, int: u64) -> Result<R, E> {
        Ok(self.0(number(int)))
    }

    #[inline]
    fn visit_f64<E>(self, float: f64) -> Result<R, E> {
        Ok(self.0(number(float)))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<R, E> {
        Ok(self.0(number(truth)))
    }

    fn visit_str<E>(self, text: &str) -> Result<R, E> {
        Ok(self.0(text.into()))
    }

    fn visit_unit<E>(self) -> Result<R, E> {
        Ok(self.0(PointValue::Null))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<R, M::Error> {
        match Json::deserialize(MapAccessDeserializer::new(map))? {
            // So numbers come where another crate of the program wants `serde_json` to keep their digits.
            Json::Number(found) => {
                let int = found.as_i64().map(number);
                let int = int.or_else(|| found.as_u64().map(number));
                let any = int.or_else(|| found.as_f64().map(number));
                let any =
                    any.ok_or_else(|| M::Error::custom(format_args!("{found} is out of range")))?;
                Ok(self.0(any))
            }
            json => Ok(self.0(custom(&json))),
        }
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<R, S::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Json>()? {
            items.push(item);
        }
        Ok(self.0(custom(&Json::Array(items))))
    }
}
