//! Where the workspace is, and how its tools are called.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A command line, split at blanks, to be run in the root of the workspace.
///
/// `cargo` is the cargo that runs this program, so that one toolchain does everything.
pub(crate) fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    let mut command = match std::env::var_os("CARGO") {
        Some(cargo) if program == "cargo" => Command::new(cargo),
        _ => Command::new(program),
    };
    command.args(words).current_dir(root());
    command
}

/// Whether a program is there and answers.
pub(crate) fn answers(line: &str) -> bool {
    let quiet = command(line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// What a command prints, or why it does not.
pub(crate) fn output(line: &str) -> Result<String, String> {
    let done = command(line)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{line}: {error}"))?;
    if !done.status.success() {
        return Err(format!("{line}: {}", done.status));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a command to its end, its output passed on.
pub(crate) fn status(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Where cargo puts what it builds, wherever that was configured.
pub(crate) fn target_directory() -> Result<PathBuf, String> {
    let metadata = output("cargo metadata --no-deps --offline --format-version 1")?;
    let (_, from) = metadata
        .split_once(r#""target_directory":""#)
        .ok_or("cargo metadata names no target directory")?;
    let (path, _) = from.split_once('"').ok_or("cargo metadata is cut off")?;
    Ok(PathBuf::from(path.replace(r"\\", r"\")))
}
