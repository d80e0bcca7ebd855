//! What text sinks make of an element.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::metrics::Element;

/// How an element becomes text.
#[derive(Clone)]
pub(super) enum Format {
    /// What stands before the element, and after it.
    Around(String, String),
    By(Arc<dyn Fn(&Element) -> String + Send + Sync>),
}

impl Format {
    /// A format with exactly one `{}` in it.
    pub(super) fn parse(format: &str) -> Result<Format, FormatError> {
        let wrong = |wrong| FormatError {
            format: format.to_owned(),
            wrong,
        };
        let mut pieces = vec![String::new()];
        let mut chars = format.char_indices().peekable();
        while let Some((at, character)) = chars.next() {
            let mut next = |wanted| chars.next_if(|(_, next)| *next == wanted).is_some();
            match character {
                '{' if next('}') => pieces.push(String::new()),
                '{' if !next('{') => return Err(wrong(Wrong::Brace(at, '{'))),
                '}' if !next('}') => return Err(wrong(Wrong::Brace(at, '}'))),
                _ => {
                    let last = pieces.len() - 1;
                    pieces[last].push(character);
                }
            }
        }
        match <[String; 2]>::try_from(pieces) {
            Ok([before, after]) => Ok(Format::Around(before, after)),
            Err(pieces) => Err(wrong(Wrong::Placeholders(pieces.len() - 1))),
        }
    }

    pub(super) fn text(&self, element: &Element) -> String {
        match self {
            Format::Around(before, after) => format!("{before}{element}{after}"),
            Format::By(f) => f(element),
        }
    }
}

/// The element itself.
impl Default for Format {
    fn default() -> Format {
        Format::Around(String::new(), String::new())
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Around(before, after) => write!(f, "{:?}", format!("{before}{{}}{after}")),
            Format::By(_) => f.write_str("a closure"),
        }
    }
}

/// A text that is not a format for elements.
///
/// A format has exactly one `{}`, where the element goes; braces that are meant as such are doubled.
///
/// ```
/// use headwater::metrics::LogSink;
///
/// let error = LogSink::new().format("metric: %s").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "\"metric: %s\" is not a format for elements: it has no placeholder; write `{}` once, where \
///      the element goes (metrix' `%s` is `{}` here)",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    format: String,
    wrong: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Placeholders(usize),
    /// A single brace, and where it is, in bytes.
    Brace(usize, char),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a format for elements: ", self.format)?;
        match self.wrong {
            Wrong::Placeholders(0) => {
                f.write_str("it has no placeholder; write `{}` once, where the element goes")?;
                match self.format.contains("%s") {
                    true => f.write_str(" (metrix' `%s` is `{}` here)"),
                    false => Ok(()),
                }
            }
            Wrong::Placeholders(n) => write!(
                f,
                "it has {n} placeholders; write `{{}}` once, where the element goes"
            ),
            Wrong::Brace(at, brace) => write!(
                f,
                "the `{brace}` at byte {at} stands alone; write `{{}}` where the element goes, and a \
                 brace that is meant as such twice"
            ),
        }
    }
}

impl Error for FormatError {}
