//! The steps that are a little more than one command.

use std::collections::BTreeSet;

use crate::shell;

/// Builds the documentation; whatever rustdoc warns of is an error.
pub(crate) fn docs() -> Result<(), String> {
    let line = format!("cargo doc --no-deps --all-features {}", super::PACKAGES);
    shell::status(shell::command(&line).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Prints how many packages a user of the default features builds, headwater's own two left out.
pub(crate) fn dependencies() -> Result<(), String> {
    let tree =
        shell::output("cargo tree -p headwater -e normal --prefix none --no-dedupe --format {p}")?;
    let packages: BTreeSet<&str> = tree
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("headwater"))
        .collect();
    println!("{} dependencies by default:", packages.len());
    for package in packages {
        println!("  {package}");
    }
    Ok(())
}
