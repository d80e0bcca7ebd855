//! What a server is, and what one needs before it starts: a directory, ports, files.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folder::{self, Scratch};
use crate::ports::Port;
use crate::{Error, Need, Process, install};

/// A server that tests can have, or a client of other people's.
#[derive(Debug)]
pub struct Kind {
    /// Its name on the command line, and in messages.
    pub name: &'static str,
    /// What it is here for, in half a sentence.
    pub about: &'static str,
    /// What must be on the machine.
    pub needs: &'static [Need],
    /// Starts one with its defaults; a client is nothing to be started.
    pub start: Option<fn() -> Result<Process, Error>>,
}

impl Kind {
    /// What is missing on this machine, if anything is.
    pub fn missing(&self) -> Option<String> {
        let missing = self.needs.iter().filter_map(Need::missing);
        let missing: Vec<String> = missing.collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }
}

/// Where a server is going to run.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) kind: &'static Kind,
    pub(crate) scratch: Scratch,
    pub(crate) ports: Vec<Port>,
    pub(crate) addresses: Vec<(&'static str, String)>,
}

impl Place {
    /// A place on this machine, or what is missing; what Maven fetches is fetched here at the latest.
    pub(crate) fn new(kind: &'static Kind) -> Result<Self, Error> {
        for need in kind.needs {
            need.ensure(kind.name)?;
        }
        Ok(Self {
            kind,
            scratch: Scratch::new(kind.name)?,
            ports: Vec::new(),
            addresses: Vec::new(),
        })
    }

    /// One more port; people are shown its address by that label.
    pub(crate) fn port(&mut self, label: &'static str) -> Result<SocketAddr, Error> {
        let port = Port::claim()?;
        let address = port.address();
        self.addresses.push((label, address.to_string()));
        self.ports.push(port);
        Ok(address)
    }

    /// A folder in the server's directory.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        folder::made(self.scratch.path().join(name))
    }

    /// Writes a file in the server's directory, with each `{name}` of the template filled in.
    pub(crate) fn file(
        &self,
        name: &str,
        template: &str,
        values: &[(&str, &str)],
    ) -> Result<PathBuf, Error> {
        let mut text = template.to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        let path = self.scratch.path().join(name);
        fs::write(&path, text).map_err(Error::at(format!("writing {}", path.display())))?;
        Ok(path)
    }

    /// A program, to be run in the server's directory.
    pub(crate) fn command(&self, program: &str) -> Command {
        let found = install::program(program);
        let mut command = Command::new(found.as_deref().unwrap_or(Path::new(program)));
        command.current_dir(self.scratch.path());
        command
    }
}
