//! What long chains cost to compile, beyond the library itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::chain::{EMPTY, HEADWATER, ITERATOR, Template};
use crate::shell;

const LENGTHS: [usize; 3] = [8, 16, 32];
/// The longest chain builds within so many seconds …
const MOST_SECONDS: f64 = 3.0;
/// … and within so many times what a std `Iterator` chain takes.
const MOST_TIMES: f64 = 2.5;

/// Builds every chain and prints the table.
pub(crate) fn run(quick: bool) -> Result<(), String> {
    let rounds = if quick { 1 } else { 3 };
    let scratch = laid_out()?;
    // Builds the library too, so that only programs are left to build below.
    let empty = seconds(&scratch, &EMPTY, 0, rounds)?;
    let mut lines = Vec::new();
    for length in LENGTHS {
        let ours = seconds(&scratch, &HEADWATER, length, rounds)?;
        let iterator = seconds(&scratch, &ITERATOR, length, rounds)?;
        let (times, verdict) = (ours / iterator, verdict(length, ours, ours / iterator));
        lines.push(format!(
            "| {length} | {ours:.2} | {iterator:.2} | {times:.2} | {verdict} |"
        ));
    }
    println!("\n# release builds of long chains, beyond the library itself\n");
    println!("| operators | headwater s | Iterator s | ratio | |");
    println!("| ---: | ---: | ---: | ---: | --- |");
    println!("{}", lines.join("\n"));
    println!("\n(a program without a chain: {empty:.2} s, contained in all of the above)");
    println!("(target, for the longest: <= {MOST_SECONDS} s and <= {MOST_TIMES}x)");
    Ok(())
}

/// Only the longest chain is bound.
fn verdict(length: usize, seconds: f64, times: f64) -> &'static str {
    if Some(&length) != LENGTHS.last() {
        ""
    } else if seconds <= MOST_SECONDS && times <= MOST_TIMES {
        "reached"
    } else {
        "MISSED"
    }
}

/// Writes a scratch package outside the workspace, a binary a chain, with the workspace's own lock file
/// so that it builds the same dependencies.
fn laid_out() -> Result<PathBuf, String> {
    let complain = |error: std::io::Error| error.to_string();
    let scratch = shell::target_directory()?.join("compile-gate");
    let programs = scratch.join("src").join("bin");
    fs::create_dir_all(&programs).map_err(complain)?;
    let root = shell::root().display();
    let manifest = format!(
        "[package]\nname = \"compile-gate\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nheadwater = {{ path = {:?} }}\n\n[workspace]\n",
        root.to_string()
    );
    fs::write(scratch.join("Cargo.toml"), manifest).map_err(complain)?;
    fs::copy(shell::root().join("Cargo.lock"), scratch.join("Cargo.lock")).map_err(complain)?;
    let chains = LENGTHS
        .iter()
        .flat_map(|length| [(&HEADWATER, *length), (&ITERATOR, *length)]);
    for (template, length) in chains.chain([(&EMPTY, 0)]) {
        let program = programs.join(format!("{}.rs", binary(template, length)));
        fs::write(program, template.program(length)).map_err(complain)?;
    }
    Ok(scratch)
}

fn binary(template: &Template, length: usize) -> String {
    format!("{}_{length}", template.name)
}

/// The median time of building one program after it was touched.
fn seconds(
    scratch: &Path,
    template: &Template,
    length: usize,
    rounds: usize,
) -> Result<f64, String> {
    let name = binary(template, length);
    let source = scratch.join("src").join("bin").join(format!("{name}.rs"));
    build(scratch, &name)?;
    let mut samples = Vec::new();
    for _ in 0..rounds {
        // Written anew, it is newer than what was built from it.
        fs::write(&source, template.program(length)).map_err(|error| error.to_string())?;
        let start = Instant::now();
        build(scratch, &name)?;
        samples.push(start.elapsed().as_secs_f64());
    }
    samples.sort_by(f64::total_cmp);
    Ok(samples[samples.len() / 2])
}

fn build(scratch: &Path, name: &str) -> Result<(), String> {
    let mut cargo: Command = shell::command("cargo build --release --quiet --bin");
    cargo.arg(name).current_dir(scratch).stdout(Stdio::null());
    cargo.env("CARGO_TARGET_DIR", scratch.join("target"));
    shell::status(&mut cargo).map_err(|why| format!("{name}: {why}"))
}
