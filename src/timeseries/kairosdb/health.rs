//! How the store fares.

use std::fmt;

/// How a part of the store fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Which part: `Datastore-Query`.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
}

impl Health {
    /// Reads `Datastore-Query: OK`.
    pub(super) fn read(line: &str) -> Health {
        let (name, state) = line.rsplit_once(':').unwrap_or((line, ""));
        Health {
            name: name.to_owned(),
            ok: state.trim() == "OK",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.ok { "OK" } else { "FAIL" };
        write!(f, "{}: {state}", self.name)
    }
}
