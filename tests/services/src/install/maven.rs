//! What Maven fetches, kept in the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, folder, install};

/// The folder with the jars that a `pom.xml` asks for, fetched the first time: for servers, and for other
/// people's clients in tests.
///
/// The name is that of the folder; two files don't share one. Several processes may ask at once.
///
/// # Errors
///
/// When they are not there yet and Maven is missing, or fails; the message has what it says.
pub fn jars(name: &str, pom: &str) -> Result<PathBuf, Error> {
    let kept = kept(name)?;
    if is_of(&kept, pom) {
        return Ok(kept.join("lib"));
    }
    let _lock = folder::locked(&kept.with_extension("lock"))?;
    // Whoever had the lock before may have fetched them.
    if !is_of(&kept, pom) {
        fetch(&kept, pom)?;
    }
    Ok(kept.join("lib"))
}

/// Whether nothing needs to be fetched.
pub(super) fn are_there(name: &str, pom: &str) -> bool {
    kept(name).is_ok_and(|kept| is_of(&kept, pom))
}

fn kept(name: &str) -> Result<PathBuf, Error> {
    Ok(folder::made(folder::root()?.join("jars"))?.join(name))
}

/// Whether a folder is whole, and has what this very file asks for.
fn is_of(kept: &Path, pom: &str) -> bool {
    fs::read_to_string(kept.join("pom.xml")).is_ok_and(|kept| kept == pom)
}

/// Fetches into another folder, which gets its name when it is whole.
fn fetch(kept: &Path, pom: &str) -> Result<(), Error> {
    let part = kept.with_extension("part");
    let keeping = || Error::at(format!("keeping jars in {}", kept.display()));
    for old in [&part, kept] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(keeping())?;
        }
    }
    fs::create_dir_all(&part).map_err(keeping())?;
    fs::write(part.join("pom.xml"), pom).map_err(keeping())?;
    mvn(&part)?;
    fs::rename(&part, kept).map_err(keeping())
}

fn mvn(folder: &Path) -> Result<(), Error> {
    let doing = "fetching jars by mvn";
    let Some(program) = install::program("mvn") else {
        let why = "the program mvn is not there (of the Debian package maven)";
        return Err(Error::at(doing)(why));
    };
    let done = Command::new(program)
        .args(["-q", "-B", "-Dstyle.color=never"])
        .args(["dependency:copy-dependencies", "-DoutputDirectory=lib"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::at(doing))?;
    if done.status.success() {
        return Ok(());
    }
    // Maven complains on its standard output.
    let said = String::from_utf8_lossy(&done.stdout);
    let first: Vec<&str> = said.lines().take(5).collect();
    Err(Error::at(doing)(format!(
        "{}: {}",
        done.status,
        first.join(" ")
    )))
}
