//! Names, tags and errors as people are shown them: on one line, whatever is in them.

use std::fmt::{self, Write as _};

/// Text in which control characters are written as Rust writes them, a newline as `\n`: a tag's value that a
/// client chose must not begin a line of its own in what is printed or logged, nor speak to a terminal.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(text) = self;
        if !text.contains(char::is_control) {
            return f.write_str(text);
        }
        text.chars().try_for_each(|character| match character {
            control if control.is_control() => write!(f, "{}", control.escape_debug()),
            other => f.write_char(other),
        })
    }
}
