//! A cursor in whatever format keeps the rest of a program's state.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error as _, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cursor::{Cursor, CursorError, VERSION};

/// With the feature `serde`: a version, and its [bytes](Cursor::to_bytes), which in formats that people read
/// are text in base64. So values are the same to the last bit in every format, NaN included.
///
/// ```
/// use headwater::timeseries::Cursor;
///
/// # fn load() -> String { r#"{"version": 1, "state": "SFdQQwEAAAAAq/fZSw=="}"#.to_owned() }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cursor: Cursor = serde_json::from_str(&load())?;
/// assert!(cursor.is_empty());
/// assert_eq!(serde_json::from_str::<Cursor>(&serde_json::to_string(&cursor)?)?, cursor);
///
/// let error = serde_json::from_str::<Cursor>(r#"{"version": 7, "state": ""}"#).unwrap_err();
/// assert!(error.to_string().starts_with("the cursor has version 7, and only version 1 is known here"));
/// # Ok(())
/// # }
/// ```
impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = State(self.to_bytes());
        let version = Version;
        Kept { version, state }.serialize(serializer)
    }
}

/// # Errors
/// In the format's own error: what a [`CursorError`] says, or that it is no base64.
impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cursor, D::Error> {
        let Kept { state, .. } = Kept::deserialize(deserializer)?;
        Cursor::from_bytes(&state.0).map_err(D::Error::custom)
    }
}

/// The version stands in front, so that a later one is found before what it has instead of the rest.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Cursor")]
struct Kept {
    version: Version,
    state: State,
}

/// That of the bytes; no other one can be read.
struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        match u8::deserialize(deserializer)? {
            VERSION => Ok(Version),
            other => Err(D::Error::custom(CursorError::Version(other))),
        }
    }
}

struct State(Vec<u8>);

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&STANDARD.encode(&self.0)),
            false => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_str(StateVisitor),
            false => deserializer.deserialize_byte_buf(StateVisitor),
        }
    }
}

struct StateVisitor;

impl<'de> Visitor<'de> for StateVisitor {
    type Value = State;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state of a cursor, in base64 or as bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<State, E> {
        let bytes = STANDARD.decode(text);
        bytes.map(State).map_err(|why| {
            let found = format!("text that is no base64 ({why})");
            E::invalid_value(Unexpected::Other(&found), &self)
        })
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<State, E> {
        Ok(State(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<State, E> {
        Ok(State(bytes))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<State, S::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(State(bytes))
    }
}
