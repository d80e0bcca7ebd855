//! Getting what servers need onto this machine.

mod debian;
mod maven;

use std::env;
use std::path::{Path, PathBuf};

use crate::{Error, Kind, folder};

pub use maven::jars;

/// Something a server needs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Need {
    /// A program, and the Debian package that has it.
    Program {
        /// As one calls it.
        name: &'static str,
        /// As `apt-get install` takes it.
        package: &'static str,
    },
    /// What Maven fetches for a `pom.xml`.
    Jars {
        /// The folder they are kept in.
        name: &'static str,
        /// The text of the file.
        pom: &'static str,
    },
}

/// What fetches jars.
const MAVEN: Need = Need::Program {
    name: "mvn",
    package: "maven",
};

impl Need {
    /// What is missing, in words, if it is.
    pub(crate) fn missing(&self) -> Option<String> {
        match self {
            Self::Program { name, package } => program(name).is_none().then(|| {
                format!("the program {name} is not there (of the Debian package {package})")
            }),
            Self::Jars { name, pom } if maven::are_there(name, pom) => None,
            Self::Jars { name, .. } => Some(format!("the jars of {name} are not fetched yet")),
        }
    }

    /// Sees to it as far as anybody can; what root must do is not done.
    pub(crate) fn ensure(&self, service: &'static str) -> Result<(), Error> {
        let missing = |why| Error::Missing { service, why };
        match self {
            Self::Program { .. } => match self.missing() {
                None => Ok(()),
                Some(why) => Err(missing(format!(
                    "{why}; try `cargo xtask services install`"
                ))),
            },
            // That a repository can't be reached is for whoever wants the jars the same as no Maven.
            Self::Jars { name, pom } => match maven::jars(name, pom) {
                Ok(_) => Ok(()),
                Err(error) => Err(missing(error.to_string())),
            },
        }
    }

    /// The program it comes down to, and its package, while it is missing.
    fn package(&self) -> Option<(&'static str, &'static str)> {
        let needed = match self {
            Self::Program { .. } => self,
            Self::Jars { name, pom } if maven::are_there(name, pom) => return None,
            Self::Jars { .. } => &MAVEN,
        };
        match needed {
            Self::Program { name, package } if program(name).is_none() => Some((name, package)),
            _ => None,
        }
    }
}

/// Installs and fetches what servers need, and returns what each still lacks.
///
/// Nothing is asked of the network when all is there. Packages want root and `apt-get`.
///
/// # Errors
///
/// When there is no place to keep anything.
pub fn install<'a>(kinds: &[&'a Kind]) -> Result<Vec<(&'a Kind, Option<String>)>, Error> {
    // Two at once would fetch everything twice, and one of them fail at apt's own lock.
    let _lock = folder::locked(&folder::root()?.join("install.lock"))?;
    let mut debian = debian::Debian::default();
    let outcomes = kinds.iter().map(|kind| (*kind, one(kind, &mut debian)));
    Ok(outcomes.collect())
}

/// What keeps one server from starting, after all was tried.
fn one(kind: &Kind, debian: &mut debian::Debian) -> Option<String> {
    for need in kind.needs {
        if let Some((name, package)) = need.package() {
            println!("{}: installing {package}", kind.name);
            if let Err(why) = debian.install(package) {
                return Some(format!("{name} is not there, and {why}"));
            }
        }
        if let Need::Jars { name, pom } = need
            && !maven::are_there(name, pom)
        {
            println!("{}: fetching its jars", kind.name);
        }
        if let Err(error) = need.ensure(kind.name) {
            return Some(match error {
                Error::Missing { why, .. } => why,
                error => error.to_string(),
            });
        }
    }
    None
}

/// Where a program is. Servers are often where only root looks.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let is_file = |path: &PathBuf| Path::is_file(path);
    folders.map(|folder| folder.join(name)).find(is_file)
}
