//! The recording: three sensors in a cooling circuit, and how to read it.

use headwater::prelude::*;

/// As it was written: a header, then a reading a line, two of which came late.
const RECORDING: &str = include_str!("recording.csv");

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When it was measured.
    pub at: Time,
    pub sensor: &'static str,
    /// Degrees.
    pub value: f64,
}

/// All readings, in the order in which they were written.
pub fn read() -> Result<Vec<Reading>, BoxError> {
    let lines = RECORDING.lines().enumerate().skip(1);
    lines
        .map(|(at, line)| {
            parse(line).map_err(|error| format!("line {}, {line:?}: {error}", at + 1).into())
        })
        .collect()
}

fn parse(line: &'static str) -> Result<Reading, BoxError> {
    let mut fields = line.split(',');
    let mut field = || fields.next().ok_or("three fields, separated by commas");
    Ok(Reading {
        at: Time::from_millis(field()?.parse()?),
        sensor: field()?,
        value: field()?.parse()?,
    })
}
