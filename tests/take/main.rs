//! Flows that have had enough before they are closed.

#[path = "../cuts/mod.rs"]
mod cuts;

mod branches;
mod endings;
mod holders;
mod letting_go;
mod passing;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
