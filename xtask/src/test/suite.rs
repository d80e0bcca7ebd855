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

/// Packs what users get, and builds it from the packages.
///
/// From nothing: the operators that were packed at another time have the same version, and what was
/// compiled of them would be taken for these.
pub(crate) fn packages(which: &str) -> Result<(), String> {
    let place = shell::target_directory()?.join("packages");
    if place.exists() {
        std::fs::remove_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    }
    let mut package = shell::command(&format!("cargo package {which} --allow-dirty"));
    shell::status(package.env("CARGO_TARGET_DIR", &place))
}
