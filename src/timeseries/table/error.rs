//! What can't be made into a table.

use std::error::Error;
use std::fmt;

use arrow_schema::DataType;

use super::moment::MomentError;

/// Why there is no table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TableError {
    /// There is no column of this name.
    NoColumn {
        /// The name.
        name: String,
        /// Those that there are.
        there: Vec<String>,
    },
    /// Two columns would have this name.
    SameName(String),
    /// A column holds no times.
    NoTimes {
        /// Its name.
        column: String,
        /// What it holds.
        found: DataType,
    },
    /// A row has no time.
    RowWithoutTime(usize),
    /// A row's time has no place in 64 bits of milliseconds.
    TimeOutOfRange(usize),
    /// A column holds neither numbers nor text.
    Unsupported {
        /// Its name.
        column: String,
        /// What it holds.
        found: DataType,
    },
    /// A column would hold more text than Arrow's `Utf8` can: 2 GiB.
    TooMuchText(String),
    /// A column has two values at one time, and [`Duplicates::Fail`](super::Duplicates::Fail) was asked for.
    Duplicate {
        /// The column's name.
        column: String,
        /// The time, in milliseconds since the Unix epoch.
        millis: i64,
    },
    /// An answer has not an entry for each metric that was asked for.
    Mismatch {
        /// How many metrics were asked for.
        asked: usize,
        /// How many entries there are.
        answered: usize,
    },
    /// What should be a time is none.
    Moment(MomentError),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::NoColumn { name, there } => {
                write!(f, "there is no column {name:?}: there are {there:?}")
            }
            TableError::SameName(name) => {
                write!(
                    f,
                    "two columns would be called {name:?}: name it once, or take another name"
                )
            }
            TableError::NoTimes { column, found } => write!(
                f,
                "column {column:?} holds no times, but {found}: they are timestamps, dates, or `Int64` \
                 for milliseconds since the Unix epoch"
            ),
            TableError::RowWithoutTime(row) => write!(f, "row {row} has no time: leave it out"),
            TableError::TimeOutOfRange(row) => {
                write!(
                    f,
                    "the time of row {row} has no place in 64 bits of milliseconds"
                )
            }
            TableError::Unsupported { column, found } => write!(
                f,
                "column {column:?} holds {found}: a table has numbers and text; cast it, or leave it out"
            ),
            TableError::TooMuchText(column) => write!(
                f,
                "column {column:?} would hold more than 2 GiB of text: ask for less at a time"
            ),
            TableError::Duplicate { column, millis } => write!(
                f,
                "column {column:?} has two values at {millis}: let the first or the last one hold, or \
                 tell their series apart by tags"
            ),
            TableError::Mismatch { asked, answered } => write!(
                f,
                "{asked} metrics were asked for, and the answer has {answered} entries: give it the query \
                 that it answers"
            ),
            TableError::Moment(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for TableError {}

impl From<MomentError> for TableError {
    fn from(error: MomentError) -> TableError {
        TableError::Moment(error)
    }
}
