//! What the command line says.

use std::str::FromStr;
use std::time::Duration;

use headwater::prelude::*;

pub const USAGE: &str = "[FILE] [--top K] [--words N] [--every T] [--seconds S]";

#[derive(Debug)]
pub struct Options {
    /// Standard input where there is none.
    pub file: Option<String>,
    pub top: usize,
    pub words: usize,
    pub every: Duration,
    pub seconds: Duration,
}

impl Options {
    /// `None` where help is asked for.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Option<Options>, BoxError> {
        let mut options = Options {
            file: None,
            top: 5,
            words: 65_536,
            every: Duration::from_secs(1),
            seconds: Duration::from_secs(365 * 86_400),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} takes a value"));
            match arg.as_str() {
                "--top" => options.top = above_zero(&arg, &value()?)?,
                "--words" => options.words = above_zero(&arg, &value()?)?,
                "--every" => options.every = time(&arg, &value()?)?,
                "--seconds" => {
                    let seconds = number(&arg, &value()?)?;
                    options.seconds = Duration::try_from_secs_f64(seconds)
                        .map_err(|e| format!("{arg} {seconds}: {e}"))?;
                }
                "--help" | "-h" => return Ok(None),
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option:?}; there are {USAGE}").into());
                }
                file => options.file = Some(file.to_owned()),
            }
        }
        Ok(Some(options))
    }
}

fn number<N: FromStr<Err: std::fmt::Display>>(option: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|e| format!("{option} {text:?}: {e}"))
}

fn above_zero(option: &str, text: &str) -> Result<usize, String> {
    match number(option, text)? {
        0 => Err(format!("{option} 0: give a number above 0")),
        n => Ok(n),
    }
}

/// A time with its unit, such as 500ms.
fn time(option: &str, text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(format!("{option} {text:?}: give a time above 0")),
        Ok(time) => Ok(time),
        Err(e) => Err(format!("{option} {text:?}: {e}")),
    }
}
