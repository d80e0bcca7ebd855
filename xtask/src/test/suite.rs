//! The steps that are a little more than one command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
/// From nothing: what was packed at another time has the same version, and would be taken for these.
pub(crate) fn packages(which: &str) -> Result<(), String> {
    let place = shell::target_directory()?.join("packages");
    if place.exists() {
        remove(&place)?;
    }
    forget_unpacked()?;
    let mut package = shell::command(&format!("cargo package {which} --allow-dirty"));
    shell::status(package.env("CARGO_TARGET_DIR", &place))
}

/// Removes what cargo once unpacked of this workspace's own packages.
///
/// A package that depends on another of the workspace is built from a registry that cargo makes in the
/// target directory. It unpacks that registry's crates into its home, under the hash of the registry's
/// path, and a later run at the same path finds them there by name and version, whatever is in them.
fn forget_unpacked() -> Result<(), String> {
    let Some(unpacked) = cargo_home().map(|home| home.join("registry").join("src")) else {
        return Ok(());
    };
    for registry in entries(&unpacked) {
        // A registry without a host in its name is a folder of this machine.
        let local =
            (registry.file_name()).is_some_and(|name| name.to_string_lossy().starts_with('-'));
        for package in entries(&registry).filter(|_| local) {
            let name = package.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("headwater-") {
                remove(&package)?;
            }
        }
    }
    Ok(())
}

/// Where cargo keeps what it fetched: said, or in the user's home.
fn cargo_home() -> Option<PathBuf> {
    let said = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    said.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// What a folder holds; nothing, if there is none.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    listed.map(|entry| entry.path())
}

fn remove(folder: &Path) -> Result<(), String> {
    std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
