//! Tags as one line of text, and back.

use std::fmt::{self, Write as _};

use super::tags::{TagRef, TagValue, Tags};

impl Tags {
    /// The set as text: `name:value` for each tag, sorted by name, joined by `|`; empty if there are
    /// none.
    ///
    /// A backslash stands in front of each `|`, `:` and backslash in a name or value, and in front of
    /// a text that would otherwise read as a number or as a truth value. So
    /// [`from_key`](Tags::from_key) gets back exactly these tags.
    ///
    /// ```
    /// use headwater::metrics::Tags;
    ///
    /// let tags = Tags::new().with("port", 80).with("text", "80").with("path", "a:b|c");
    /// assert_eq!(tags.key(), r"path:a\:b\|c|port:80|text:\80");
    /// ```
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = String::new();
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                key.push('|');
            }
            escape(name, &mut key);
            key.push(':');
            match value.as_ref() {
                TagRef::Str(text) => {
                    if !matches!(plain(text), TagValue::Str(_)) {
                        key.push('\\');
                    }
                    escape(text, &mut key);
                }
                TagRef::Int(_) | TagRef::Float(_) | TagRef::Bool(_) => {
                    // Writing to a `String` does not fail.
                    let _ = write!(key, "{value}");
                }
            }
        }
        key
    }

    /// The tags that [`key`](Tags::key) makes this text of. Empty pieces are passed over.
    ///
    /// # Errors
    /// If a piece has no colon, if a name comes twice, or if a backslash is the last character.
    pub fn from_key(key: &str) -> Result<Tags, KeyError> {
        let mut pairs: Vec<(String, TagValue)> = Vec::new();
        let mut begin = 0;
        let mut piece = Piece::default();
        let mut chars = key.char_indices();
        loop {
            let next = chars.next();
            match next {
                Some((at, '\\')) => match chars.next() {
                    Some((_, escaped)) => piece.escaped(escaped),
                    None => return Err(KeyError::new(key, at, Wrong::Backslash)),
                },
                Some((_, ':')) if piece.name.is_none() => piece.end_name(),
                Some((_, other)) if other != '|' => piece.text.push(other),
                // The end of a piece, or of all.
                _ => {
                    let end = next.map_or(key.len(), |(at, _)| at);
                    if end > begin {
                        let (name, value) = std::mem::take(&mut piece)
                            .pair()
                            .ok_or_else(|| KeyError::new(key, begin, Wrong::NoColon))?;
                        if pairs.iter().any(|(known, _)| *known == name) {
                            return Err(KeyError::new(key, begin, Wrong::Twice));
                        }
                        pairs.push((name, value));
                    }
                    begin = end + 1;
                }
            }
            if next.is_none() {
                return Ok(pairs.into_iter().collect());
            }
        }
    }
}

/// A piece of a key, as far as it is read.
#[derive(Default)]
struct Piece {
    name: Option<String>,
    text: String,
    /// Something in the part under way was escaped: it is text.
    is_text: bool,
}

impl Piece {
    fn escaped(&mut self, escaped: char) {
        self.text.push(escaped);
        self.is_text = true;
    }

    fn end_name(&mut self) {
        self.name = Some(std::mem::take(&mut self.text));
        self.is_text = false;
    }

    fn pair(self) -> Option<(String, TagValue)> {
        let value = match self.is_text {
            true => TagValue::Str(self.text.into()),
            false => plain(&self.text),
        };
        Some((self.name?, value))
    }
}

/// What a value without a backslash is read as.
fn plain(text: &str) -> TagValue {
    if let Ok(int) = text.parse() {
        TagValue::Int(int)
    } else if let Ok(float) = text.parse() {
        TagValue::Float(float)
    } else if let Ok(truth) = text.parse() {
        TagValue::Bool(truth)
    } else {
        TagValue::Str(text.into())
    }
}

fn escape(text: &str, key: &mut String) {
    for character in text.chars() {
        if matches!(character, '|' | ':' | '\\') {
            key.push('\\');
        }
        key.push(character);
    }
}

/// A text that is not the key of any tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyError {
    key: String,
    at: usize,
    wrong: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    NoColon,
    Twice,
    Backslash,
}

impl KeyError {
    fn new(key: &str, at: usize, wrong: Wrong) -> KeyError {
        KeyError {
            key: key.to_owned(),
            at,
            wrong,
        }
    }

    /// Where in the text the wrong piece begins, in bytes.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyError { key, at, wrong } = self;
        let wrong = match wrong {
            Wrong::NoColon => "there is no colon between a name and a value",
            Wrong::Twice => "there is a name that was there before",
            Wrong::Backslash => "there is a backslash with nothing behind it",
        };
        write!(f, "{key:?} is not a key of tags: {wrong}, at byte {at}")
    }
}

impl std::error::Error for KeyError {}
