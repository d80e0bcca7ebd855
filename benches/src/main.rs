//! headwater's workloads beside hand-written loops and peers, in one run.
//!
//! `cargo xtask bench` builds and runs this in two profiles and adds instruction counts; on its own it
//! prints one table a workload. `README.md` beside the manifest says how a row is added.

// First, for the macro in it.
#[macro_use]
mod steps;

mod harness;
mod headwater;
mod kairosdb_server;
mod operators;
mod options;
mod outbox;
mod report;
mod target;
mod timely_run;
mod verdict;
mod workload;
mod workloads;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("{complaint}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    if options.help {
        println!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    let ran = run(&options);
    headwater::real_kairosdb::stop();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}

/// Measures every workload the options ask for, printing each as soon as it is done.
fn run(options: &options::Options) -> Result<(), String> {
    let chosen: Vec<_> = workloads::all()
        .into_iter()
        .filter(|workload| options.takes(workload))
        .collect();
    if chosen.is_empty() {
        return Err("no workload has that name".to_owned());
    }
    let mut table = None;
    for workload in &chosen {
        if let Some(needs) = workload.needs {
            needs().map_err(|why| format!("{}: {why}", workload.name))?;
        }
        if let Some((variant, count)) = options.single_run() {
            println!("{}", harness::once(workload, variant, count)?);
            continue;
        }
        let rows = harness::measure(workload, options)?;
        let verdicts = verdict::judge(workload, &rows, options.profile());
        if options.json {
            report::json(workload, &rows, &verdicts, options.profile());
        } else if let Some(name) = workload.table {
            if table.replace(name) != Some(name) {
                report::head_of_pairs(name);
            }
            report::pair(workload, &rows);
        } else {
            report::table(workload, &rows, &verdicts);
        }
    }
    Ok(())
}
