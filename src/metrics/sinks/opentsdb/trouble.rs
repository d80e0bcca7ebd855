//! What goes wrong with a telnet connection.

use std::fmt;

/// A connection was not made, or broke.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) address: String,
    pub(super) why: String,
    pub(super) unknown: usize,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trouble {
            address,
            why,
            unknown,
        } = self;
        match unknown {
            0 => write!(f, "no points could be sent to {address}: {why}"),
            _ => write!(
                f,
                "the connection to {address} broke: {why}; {unknown} points may have arrived or not, \
                 and are not sent again"
            ),
        }
    }
}

impl std::error::Error for Trouble {}
