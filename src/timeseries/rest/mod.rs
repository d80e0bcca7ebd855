//! What clients of REST stores have in common: attempts, patience, ways and certificates, what is kept of an
//! exchange, what went wrong.

mod attempt;
mod exchange;
mod options;
mod policy;
mod reason;
mod requests;
mod secrets;
mod transport;

pub use exchange::{Excerpt, Exchange};
pub use reason::Reason;
pub use transport::BuildError;

pub(super) use attempt::{Credentials, Response};
pub(super) use options::{Route, Transport, transport_options};
pub(super) use reason::Told;
pub(super) use requests::{Ask, Rest, asked, read, read_aside};
#[cfg(feature = "proficloud")]
pub(super) use secrets::Secrets;
pub(super) use transport::server_url;
