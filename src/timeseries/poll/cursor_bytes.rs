//! A cursor as bytes: a horizon, and for each series its points, each time as the distance from the one before.

use std::sync::Arc;

use super::cursor::{Cursor, CursorError, Known, VERSION};
use super::entry::{Entry, Packed};
use crate::metrics::{Tags, Value};

const MAGIC: &[u8; 4] = b"HWPC";
const CHECKSUM: usize = 4;

impl Cursor {
    /// As bytes, with a version and a checksum.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 12 * self.len());
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.push(u8::from(self.horizon.is_some()));
        signed(&mut out, self.horizon.unwrap_or(0));
        signed(&mut out, self.known_from);
        unsigned(&mut out, self.series.len() as u64);
        for known in &self.series {
            text(&mut out, &known.metric);
            text(&mut out, &known.tags.key());
            unsigned(&mut out, known.entries.len() as u64);
            let mut last = 0;
            for entry in &known.entries {
                signed(&mut out, entry.millis.wrapping_sub(last));
                last = entry.millis;
                match &entry.value {
                    Packed::Null => out.push(0),
                    Packed::Number(Value::Int(int)) => {
                        out.push(1);
                        signed(&mut out, *int);
                    }
                    Packed::Number(Value::Float(float)) => {
                        out.push(2);
                        out.extend_from_slice(&float.to_le_bytes());
                    }
                    Packed::Text(value) => {
                        out.push(3);
                        text(&mut out, value);
                    }
                }
            }
        }
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The cursor of these [bytes](Cursor::to_bytes).
    ///
    /// # Errors
    /// If they are not all of a cursor, as it was written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Cursor, CursorError> {
        if !bytes.starts_with(MAGIC) {
            return Err(CursorError::NoCursor);
        }
        let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM>() else {
            return Err(CursorError::Checksum);
        };
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return Err(CursorError::Checksum);
        }
        let mut reader = Reader {
            bytes: body,
            at: MAGIC.len(),
        };
        match reader.byte() {
            Some(VERSION) => {}
            Some(version) => return Err(CursorError::Version(version)),
            None => return Err(CursorError::Checksum),
        }
        let cursor = reader.cursor().filter(|_| reader.at == body.len());
        cursor.ok_or(CursorError::Senseless(reader.at))
    }
}

fn unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small ones are short, whatever their sign.
fn signed(out: &mut Vec<u8>, number: i64) {
    unsigned(out, ((number << 1) ^ (number >> 63)) as u64);
}

fn text(out: &mut Vec<u8>, text: &str) {
    unsigned(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.bytes[self.at..].get(..len)?;
        self.at += len;
        Some(taken)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.unsigned()?).ok()?;
        std::str::from_utf8(self.take(len)?).ok()
    }

    /// A number of things that take a byte or more each.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        (count <= self.bytes.len() - self.at).then_some(count)
    }

    fn cursor(&mut self) -> Option<Cursor> {
        let begun = self.byte()? == 1;
        let horizon = self.signed()?;
        let known_from = self.signed()?;
        let count = self.count()?;
        let mut series = Vec::with_capacity(count);
        for _ in 0..count {
            series.push(self.known()?);
        }
        Some(Cursor {
            horizon: begun.then_some(horizon),
            known_from,
            series,
        })
    }

    fn known(&mut self) -> Option<Known> {
        let metric = self.text()?.into();
        let tags = Tags::from_key(self.text()?).ok()?;
        let count = self.count()?;
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        let mut millis = 0i64;
        for _ in 0..count {
            let before = millis;
            millis = millis.wrapping_add(self.signed()?);
            if !entries.is_empty() && millis < before {
                return None;
            }
            let value = self.value()?;
            entries.push(Entry { millis, value });
        }
        Some(Known {
            metric,
            tags,
            entries,
        })
    }

    fn value(&mut self) -> Option<Packed> {
        Some(match self.byte()? {
            0 => Packed::Null,
            1 => Packed::Number(Value::Int(self.signed()?)),
            2 => {
                let bytes = self.take(8)?.first_chunk()?;
                Packed::Number(Value::Float(f64::from_le_bytes(*bytes)))
            }
            3 => Packed::Text(Arc::new(self.text()?.into())),
            _ => return None,
        })
    }
}
