//! Debian packages, without the servers in them being started by the way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{install, system};

/// Asked by maintainers' scripts whether they may start a server; 101 is no.
const ASKED: &str = "/usr/sbin/policy-rc.d";
const NO: &str =
    "#!/bin/sh\n# Put here by headwater's tests while they install packages.\nexit 101\n";

/// One run of installing.
#[derive(Debug, Default)]
pub(crate) struct Debian {
    updated: bool,
}

impl Debian {
    /// Installs one package, or says why it can't.
    pub(crate) fn install(&mut self, package: &str) -> Result<(), String> {
        if install::program("apt-get").is_none() {
            return Err(format!("there is no apt-get that could install {package}"));
        }
        if !system::is_root() {
            return Err(format!(
                "only root can install it: sudo apt-get install --no-install-recommends {package}"
            ));
        }
        let _policy = Policy::set(ASKED);
        if !self.updated {
            // A bare machine has no lists. One that has them, and no network, may have the package too.
            let _ = apt(&["update"]);
            self.updated = true;
        }
        apt(&["install", "--yes", "--no-install-recommends", package])
            .map_err(|why| format!("apt-get could not install {package}: {why}"))
    }
}

fn apt(args: &[&str]) -> Result<(), String> {
    let done = Command::new("apt-get")
        .args(["-qq", "-o", "DPkg::Lock::Timeout=600"])
        .args(["-o", "Acquire::Retries=3"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("{}: {}", done.status, said.trim()))
}

/// While it lives, packages start nothing; the owner's own policy is left alone.
#[derive(Debug)]
struct Policy {
    /// The file, if it is ours.
    ours: Option<PathBuf>,
}

impl Policy {
    fn set(path: &str) -> Self {
        let path = PathBuf::from(path);
        let ours = match fs::read(&path) {
            // Left behind by a process that was killed.
            Ok(policy) => policy == NO.as_bytes(),
            // Without a policy a package may start its server, which is a nuisance and no failure.
            Err(_) => !path.exists() && write(&path).is_ok(),
        };
        let ours = ours.then_some(path);
        Self { ours }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = &self.ours {
            let _ = fs::remove_file(path);
        }
    }
}

fn write(path: &Path) -> io::Result<()> {
    fs::write(path, NO)?;
    system::make_executable(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::{NO, Policy, fs};
    use crate::folder::Scratch;

    #[test]
    fn a_policy_says_no_while_it_is_set_and_goes_with_it() {
        let scratch = Scratch::new("policy").unwrap();
        let path = scratch.path().join("policy-rc.d");
        let path = path.to_str().unwrap();
        for left_behind in [false, true] {
            if left_behind {
                fs::write(path, NO).unwrap();
            }
            let policy = Policy::set(path);
            let asked = Command::new("sh").arg(path).status().unwrap();
            assert_eq!(asked.code(), Some(101));
            drop(policy);
            assert!(fs::metadata(path).is_err());
        }
    }

    #[test]
    fn the_owners_policy_is_left_alone() {
        let scratch = Scratch::new("policy").unwrap();
        let path = scratch.path().join("policy-rc.d");
        fs::write(&path, "exit 0").unwrap();
        drop(Policy::set(path.to_str().unwrap()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "exit 0");
    }
}
