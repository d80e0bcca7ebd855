//! Steps that are timed, counted and never stop the next one.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use super::tally::Tally;
use crate::shell;

/// What has been run so far.
#[derive(Default)]
pub(crate) struct Steps {
    tests: Tally,
    /// Steps that failed for another reason than a failing test; those are in the tally.
    broken: usize,
    failed: Vec<String>,
}

impl Steps {
    /// Runs one step.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<(), String>) {
        let outcome = timed(name, step);
        if let Err(why) = outcome {
            self.broken += 1;
            self.failed.push(format!("{name}: {why}"));
        }
    }

    /// Runs a command as one step.
    pub(crate) fn command(&mut self, name: &str, line: &str) {
        self.run(name, || shell::status(&mut shell::command(line)));
    }

    /// Runs a command that tests, and adds up its results.
    pub(crate) fn tests(&mut self, name: &str, line: &str) {
        let mut tally = Tally::default();
        let outcome = timed(name, || tallied(line, &mut tally));
        if let Err(why) = outcome {
            // Without a failing test it is the build that failed, or a test that took its process down.
            self.broken += usize::from(tally.failed == 0);
            self.failed.push(format!("{name}: {why}"));
        }
        self.tests.add(tally);
    }

    /// Says which steps failed, and ends with the line that counts.
    pub(crate) fn finish(self) -> ExitCode {
        println!();
        for failed in &self.failed {
            println!("failed: {failed}");
        }
        let failed = self.tests.failed + self.broken;
        println!("{} passed, {failed} failed", self.tests.passed);
        match failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

fn timed(name: &str, step: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("\n=== {name}");
    let start = Instant::now();
    let outcome = step();
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!(
        "--- {name}: {word} in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    outcome
}

/// Passes a command's output on while it counts its `test result:` lines.
fn tallied(line: &str, tally: &mut Tally) -> Result<(), String> {
    let mut child = shell::command(line)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(out) = child.stdout.take() {
        // Bytes, not text: a test may print anything.
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.read(&line);
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
