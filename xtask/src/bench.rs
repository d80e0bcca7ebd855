//! `cargo xtask bench`: figures beside peers, instruction counts, and what chains cost to compile.

mod callgrind;
mod chain;
mod compile_gate;
mod record;
mod table;

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use crate::shell;
use record::Record;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Options {
    quick: bool,
    lto_only: bool,
    callgrind: bool,
    compile_gate: bool,
    workload: Option<String>,
}

impl Options {
    /// Reads what follows `bench`.
    pub(crate) fn from_args(args: &[String]) -> Result<Self, String> {
        let (callgrind, compile_gate) = (true, true);
        let mut options = Self {
            quick: false,
            lto_only: false,
            callgrind,
            compile_gate,
            workload: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--lto" => options.lto_only = true,
                "--no-callgrind" => options.callgrind = false,
                "--no-compile-gate" => options.compile_gate = false,
                "--workload" => {
                    options.workload = Some(args.next().ok_or("--workload wants a name")?.clone())
                }
                unknown => return Err(format!("unknown option {unknown}")),
            }
        }
        Ok(options)
    }

    fn profiles(&self) -> &'static [&'static str] {
        match (self.lto_only, self.quick) {
            (true, _) => &["lto"],
            (false, true) => &["release"],
            (false, false) => &["release", "lto"],
        }
    }
}

/// Measures; fails when something could not be measured, not when a target was missed: figures taken on
/// a busy machine are for people to judge.
pub(crate) fn run(options: &Options) -> ExitCode {
    let mut failed = Vec::new();
    for profile in options.profiles() {
        if let Err(why) = one_profile(profile, options) {
            failed.push(format!("{profile}: {why}"));
        }
    }
    if options.compile_gate && options.workload.is_none() {
        match compile_gate::run(options.quick) {
            Ok(()) => {}
            Err(why) => failed.push(format!("compile gate: {why}")),
        }
    }
    for failed in &failed {
        eprintln!("failed: {failed}");
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one_profile(profile: &str, options: &Options) -> Result<(), String> {
    let program = built(profile)?;
    let mut bench = std::process::Command::new(&program);
    bench.args(["--json", "--profile", profile]);
    if options.quick {
        bench.arg("--quick");
    }
    if let Some(workload) = &options.workload {
        bench.args(["--workload", workload]);
    }
    let done = bench
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&done.stdout);
    let mut records: Vec<Record> = printed.lines().filter_map(Record::parse).collect();
    if options.callgrind {
        callgrind::add_counts(&program, &mut records);
    }
    table::print(profile, &records);
    // What was measured before it stopped is worth seeing, so this comes last.
    if done.status.success() {
        Ok(())
    } else {
        Err(done.status.to_string())
    }
}

/// Builds the benches, which the default members leave out, and says where the program is.
fn built(profile: &str) -> Result<PathBuf, String> {
    let line = format!("cargo build --package headwater-benches --profile {profile}");
    shell::status(&mut shell::command(&line))?;
    let name = format!("headwater-benches{}", std::env::consts::EXE_SUFFIX);
    Ok(shell::target_directory()?.join(profile).join(name))
}
