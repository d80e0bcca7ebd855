//! What a test does on a machine that lacks its server.

use std::io::Write;

use crate::Error;

/// Whether the variable `CI` is `true`: then nothing is skipped.
pub fn ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1")
}

/// What was started; or `None`, said aloud, where the machine lacks what it needs.
///
/// # Panics
///
/// On every other error, and with `CI=true` on this one too.
#[track_caller]
pub fn or_skip<S>(started: Result<S, Error>) -> Option<S> {
    match started {
        Ok(service) => Some(service),
        Err(missing @ Error::Missing { .. }) if !ci() => {
            let test = std::thread::current();
            let test = test.name().unwrap_or("test");
            // Not `eprintln`, which the harness keeps to itself when the test passes; and in one piece, as
            // others write too.
            let line = format!("\nSKIPPED {test}: {missing}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            None
        }
        Err(error) => panic!("{error}"),
    }
}
