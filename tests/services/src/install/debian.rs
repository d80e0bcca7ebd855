//! Debian packages, without the servers in them being started by the way.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{install, system};

/// Asked by maintainers' scripts whether they may start a server; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
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
        let _policy = Policy::set();
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
    ours: bool,
}

impl Policy {
    fn set() -> Self {
        // One of ours may have been left by a process that was killed.
        let ours = match fs::read_to_string(POLICY) {
            Ok(policy) => policy == NO,
            Err(_) => !Path::new(POLICY).exists() && written(),
        };
        Self { ours }
    }
}

/// Without a policy a package may start its server, which is a nuisance and no failure.
fn written() -> bool {
    let executable = || Command::new("chmod").args(["755", POLICY]).status();
    fs::write(POLICY, NO).is_ok() && executable().is_ok_and(|status| status.success())
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
