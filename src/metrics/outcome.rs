//! What an aggregator makes of values: a value, nothing, or a failure.

use std::error::Error;

use super::value::Value;

/// What an aggregator came to: a value to emit, none, or why it failed.
pub type Outcome = Result<Option<Value>, Box<dyn Error + Send + Sync>>;

/// What aggregators may return: whatever is a [`Value`], an `Option` of that (nothing is emitted for
/// `None`), and a `Result` of either.
#[diagnostic::on_unimplemented(
    message = "a metric's aggregator cannot come to `{Self}`",
    label = "`{Self}` is no number",
    note = "an aggregator comes to a number (an integer, a float, a `bool`, a `Duration`, a `Value`), an `Option` of one, or a `Result` of either",
    note = "of an aggregate that comes to something else, such as `Frequencies` or `TopK`, make a number in an aggregate of your own; a closure returns its number without a semicolon behind it"
)]
pub trait IntoOutcome {
    /// As an outcome.
    fn into_outcome(self) -> Outcome;
}

impl<V: Into<Value>> IntoOutcome for V {
    fn into_outcome(self) -> Outcome {
        Ok(Some(self.into()))
    }
}

macro_rules! options {
    ($($number:ty)+) => {$(
        impl IntoOutcome for Option<$number> {
            fn into_outcome(self) -> Outcome {
                Ok(self.map(Value::from))
            }
        }
    )+};
}

options!(Value bool i8 i16 i32 i64 isize u8 u16 u32 u64 u128 i128 usize f32 f64 std::time::Duration);

impl<O: IntoOutcome, E: Into<Box<dyn Error + Send + Sync>>> IntoOutcome for Result<O, E> {
    fn into_outcome(self) -> Outcome {
        self.map_err(Into::into)?.into_outcome()
    }
}
