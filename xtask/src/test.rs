//! `cargo xtask test`: every step runs whatever the ones before it did, and the end says which failed.

mod examples;
mod feature_sets;
mod oldest;
mod steps;
mod suite;
mod tally;
mod tools;

use std::process::ExitCode;

use crate::services;
use steps::Steps;

/// The packages a user gets; the others are the project's own.
const PACKAGES: &str =
    "--workspace --exclude xtask --exclude headwater-benches --exclude headwater-services";

/// Runs all steps and ends with the one line that counts.
pub(crate) fn run() -> ExitCode {
    let mut steps = Steps::default();
    steps.run("tools", tools::install);
    steps.run("services", services::prepare);
    steps.command("format", "cargo fmt --all --check");
    steps.command(
        "clippy",
        "cargo clippy --all-targets --all-features -- -D warnings",
    );
    // In a step of its own: what other libraries are measured with takes a while to build.
    steps.command(
        "clippy of the benchmarks",
        "cargo clippy -p headwater-benches -- -D warnings",
    );
    steps.run("docs", suite::docs);
    steps.tests(
        "unit and integration tests",
        "cargo test --all-features --lib --bins --tests --no-fail-fast",
    );
    // A hundred million emits and more: bearable in release only.
    steps.tests(
        "memory",
        "cargo test --release -p headwater --test memory --test memory_of_endings \
         --test memory_of_keys --test memory_of_metrics --test memory_of_polling --test bytes_of_polling \
         --test memory_of_surgery --test memory_of_zips",
    );
    steps.tests(
        "doc tests",
        &format!("cargo test --doc {PACKAGES} --all-features --no-fail-fast"),
    );
    for (name, line) in feature_sets::lines() {
        steps.command(&name, &line);
    }
    steps.run("the oldest Rust", oldest::check);
    steps.run("examples", examples::run);
    steps.run("packages", || suite::packages(PACKAGES));
    steps.run("default dependencies", suite::dependencies);
    steps.finish()
}
