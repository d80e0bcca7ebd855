//! Which characters OpenTSDB takes in names and tags, and what is done with the others.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_general_category::{GeneralCategory, get_general_category};

/// What is done with characters that OpenTSDB does not take in names, tag names and tag values.
///
/// It takes the letters `a` to `z` and `A` to `Z`, digits, `-`, `_`, `.` and `/`, and the letters of all
/// other scripts that have a code of at most 16 bits (OpenTSDB 2.4, "Writing data", "Metrics and tags").
/// There is no quoting: a space or a line break would end the field or the line.
///
/// - [`escape`](Sanitize::escape) writes every other character as `_x`, its code in hexadecimal digits
///   and `_`. What else would read as such an escape has its underscore escaped, so that different texts
///   stay different, and [`restore`](Sanitize::restore) gets the text back.
/// - [`replace`](Sanitize::replace) puts one character in the place of each. That reads better and is
///   shorter, but different texts may come to the same. An element whose tag names do is rejected.
/// - [`ascii`](Sanitize::ascii) does the same to letters of other scripts, for receivers that don't read
///   UTF-8.
///
/// A tag's value is text on the wire: the number 1 and the text `1` are the same there.
///
/// ```
/// use headwater::metrics::opentsdb::Sanitize;
///
/// let escape = Sanitize::escape();
/// assert_eq!(escape.apply("http_requests"), "http_requests");
/// assert_eq!(escape.apply("Straße 1"), "Straße_x20_1");
/// assert_eq!(escape.ascii().apply("Straße 1"), "Stra_xdf_e_x20_1");
/// assert_eq!(escape.apply("_x20_"), "_x5f_x20_");
/// assert_eq!(Sanitize::restore("Stra_xdf_e_x20_1"), "Straße 1");
/// assert_eq!(Sanitize::replace('-').apply("a b\n"), "a-b-");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Sanitize {
    /// What others are replaced by, unless they are escaped.
    instead: Option<char>,
    ascii: bool,
}

impl Sanitize {
    /// Other characters are escaped.
    pub const fn escape() -> Sanitize {
        Sanitize {
            instead: None,
            ascii: false,
        }
    }

    /// Other characters are replaced by this one.
    ///
    /// # Panics
    /// If it is none of `a` to `z`, `A` to `Z`, `0` to `9`, `-`, `_`, `.` and `/`.
    #[track_caller]
    pub const fn replace(with: char) -> Sanitize {
        assert!(
            plain(with),
            "OpenTSDB does not take this character either: replace by one of a-z, A-Z, 0-9, -, _, . and /"
        );
        Sanitize {
            instead: Some(with),
            ascii: false,
        }
    }

    /// The same is done to letters beyond ASCII.
    pub const fn ascii(self) -> Sanitize {
        Sanitize {
            ascii: true,
            ..self
        }
    }

    fn keeps(self, character: char) -> bool {
        plain(character) || (!self.ascii && is_letter(character))
    }

    /// The text as it is sent.
    #[must_use]
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self.instead {
            Some(instead) => {
                if text.chars().all(|character| self.keeps(character)) {
                    return Cow::Borrowed(text);
                }
                let replaced = |character| match self.keeps(character) {
                    true => character,
                    false => instead,
                };
                Cow::Owned(text.chars().map(replaced).collect())
            }
            None => self.escaped(text),
        }
    }

    fn escaped(self, text: &str) -> Cow<'_, str> {
        let must = |at: usize, character: char| match character {
            '_' => self.reads_as_escape(&text[at + 1..]),
            other => !self.keeps(other),
        };
        let Some((first, _)) = text
            .char_indices()
            .find(|&(at, character)| must(at, character))
        else {
            return Cow::Borrowed(text);
        };
        let mut escaped = text[..first].to_owned();
        for (at, character) in text[first..].char_indices() {
            if must(first + at, character) {
                // Writing to a `String` does not fail.
                let _ = write!(escaped, "_x{:x}_", u32::from(character));
            } else {
                escaped.push(character);
            }
        }
        Cow::Owned(escaped)
    }

    /// Whether an underscore in front of this would begin what reads as an escape, once what is not kept
    /// in it is escaped, and so begins with an underscore too.
    fn reads_as_escape(self, rest: &str) -> bool {
        let Some((_, rest)) = code(rest) else {
            return false;
        };
        let next = rest.chars().next();
        next.is_some_and(|character| character == '_' || !self.keeps(character))
    }

    /// The text that [`escape`](Sanitize::escape) made this of.
    #[must_use]
    pub fn restore(text: &str) -> Cow<'_, str> {
        let mut restored = String::new();
        // What is not yet copied, and where to look on in it.
        let (mut rest, mut from) = (text, 0);
        while let Some(at) = rest[from..].find('_').map(|at| from + at) {
            let read = code(&rest[at + 1..]).and_then(|(code, behind)| {
                Some((char::from_u32(code)?, behind.strip_prefix('_')?))
            });
            match read {
                Some((character, behind)) => {
                    restored.push_str(&rest[..at]);
                    restored.push(character);
                    (rest, from) = (behind, 0);
                }
                None => from = at + 1,
            }
        }
        if rest.len() == text.len() {
            return Cow::Borrowed(text);
        }
        restored.push_str(rest);
        Cow::Owned(restored)
    }
}

/// The code in front of the text, behind an `x`, and what follows it.
fn code(text: &str) -> Option<(u32, &str)> {
    let digits = text.strip_prefix('x')?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let length = digits.bytes().take_while(|byte| is_digit(byte)).count();
    // Six digits are enough for every character.
    let code = digits
        .get(..length)
        .filter(|code| (1..=6).contains(&code.len()))?;
    Some((u32::from_str_radix(code, 16).ok()?, &digits[length..]))
}

const fn plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}

/// As OpenTSDB finds out: by the general category, one 16-bit unit of UTF-16 at a time.
fn is_letter(character: char) -> bool {
    use GeneralCategory::{
        LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter,
    };
    character.len_utf16() == 1
        && matches!(
            get_general_category(character),
            UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
        )
}
