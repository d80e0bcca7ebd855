//! Every example runs for a second.
//!
//! An example ends by itself or takes `--seconds N`; one that does neither is broken for whoever tries it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::shell;

/// Far more than the second asked for: a shared machine may be slow, a hanging example is hanging.
const PATIENCE: Duration = Duration::from_secs(20);
/// Lines shown of what a failing example printed.
const SHOWN: usize = 20;

/// Builds all examples and runs each; all of them, even when one fails.
pub(crate) fn run() -> Result<(), String> {
    let mut failed = Vec::new();
    for (package, folder) in [
        ("headwater", "examples"),
        ("headwater-operators", "operators/examples"),
    ] {
        let names = names(&shell::root().join(folder));
        if names.is_empty() {
            println!("{package} has no examples");
            continue;
        }
        let line = format!("cargo build --package {package} --examples --all-features");
        shell::status(&mut shell::command(&line))?;
        let built = shell::target_directory()?.join("debug").join("examples");
        for name in names {
            match one(&built, &name) {
                Ok(took) => println!("{name}: ok in {:.1} s", took.as_secs_f64()),
                Err(why) => {
                    println!("{name}: FAILED: {why}");
                    failed.push(name);
                }
            }
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(failed.join(", ")),
    }
}

/// The names cargo gives to the examples of a folder: files, and folders with a `main.rs`.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_example = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "rs")
            || path.join("main.rs").is_file()
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(is_example)
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

fn one(built: &Path, name: &str) -> Result<Duration, String> {
    let complain = |error: std::io::Error| error.to_string();
    let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let printed = built.join(format!("{name}.printed"));
    let out = File::create(&printed).map_err(complain)?;
    let err = out.try_clone().map_err(complain)?;
    let start = Instant::now();
    // A file, not a pipe: nobody has to read it for the example to go on.
    let mut child = Command::new(program)
        .args(["--seconds", "1"])
        .current_dir(shell::root())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(complain)?;
    let why = match ended(&mut child, start + PATIENCE) {
        Some(status) if status.success() => return Ok(start.elapsed()),
        Some(status) => status.to_string(),
        None => format!("still running after {} s", PATIENCE.as_secs()),
    };
    show_end_of(&printed);
    Err(why)
}

/// Waits until the deadline, then kills.
fn ended(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // It may have ended just now; then there is nothing to kill, and that is no error.
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn show_end_of(printed: &Path) {
    let text = fs::read(printed).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(SHOWN)..] {
        println!("    {line}");
    }
}
