//! Instructions an element: what time is made of, without the noise of a shared machine.

use std::path::Path;
use std::process::Command;

use super::record::Record;
use crate::shell;

/// Two counts, so that set-up cancels out: what differs is the elements between. Both are whole numbers
/// of batches and of sweeps through the idle windows.
const FEW: u64 = 20_000;
const MANY: u64 = 120_000;

/// Adds `instructions` to every row for which a count means something.
pub(crate) fn add_counts(program: &Path, records: &mut [Record]) {
    if !shell::answers("valgrind --version") {
        eprintln!("valgrind is not installed: no instruction counts");
        return;
    }
    for record in records {
        if record.text("countable") != "true" {
            continue;
        }
        let count = |count| {
            instructions(
                program,
                record.text("workload"),
                record.text("variant"),
                count,
            )
        };
        if let (Some(few), Some(many)) = (count(FEW), count(MANY)) {
            record.set("instructions", (many - few) / (MANY - FEW) as f64);
        }
    }
}

fn instructions(program: &Path, workload: &str, variant: &str, count: u64) -> Option<f64> {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--workload", workload, "--variant", variant])
        .args(["--count", &count.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&done.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    match collected {
        Some((_, instructions)) if done.status.success() => instructions.trim().parse().ok(),
        _ => {
            eprintln!(
                "no instruction count for {workload}, {variant}: {}",
                done.status
            );
            None
        }
    }
}
