//! The same as `kairosdb_write` and `kairosdb_query`, by a real KairosDB: only if it is asked for by name.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headwater_services::KairosDb as Server;

use super::kairosdb::{ask, stored, write};
use crate::workload::{Role, Variant, Workload};
use crate::workloads::kairosdb as by_hand;

/// Both rows of the table.
pub(crate) fn workloads() -> [Workload; 2] {
    use headwater::timeseries::kairosdb::Gzip;
    let rows = [
        Workload::new(
            "written",
            "",
            Variant::prepared("loop", Role::Hand, |n| by_hand::write(&url(), n, false)),
        )
        .variant(Variant::prepared("headwater", Role::Ours, |n| {
            write(&url(), n, Gzip::Off)
        })),
        Workload::new(
            "queried",
            "",
            Variant::prepared("loop", Role::Hand, |n| {
                filled(n);
                by_hand::ask(&url(), n, false, |value: &f64| *value)
            }),
        )
        .variant(Variant::prepared("headwater", Role::Ours, |n| {
            filled(n);
            ask(&url(), n, false)
        })),
    ];
    rows.map(|mut workload| {
        (workload.table, workload.unit) = (Some("real_kairosdb"), "point");
        (workload.countable, workload.needs) = (false, Some(needs as fn() -> _));
        workload
    })
}

/// Started once.
static SERVER: Mutex<Option<Server>> = Mutex::new(None);

fn server() -> MutexGuard<'static, Option<Server>> {
    SERVER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn needs() -> Result<(), String> {
    let mut server = server();
    if server.is_none() {
        *server = Some(Server::start().map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// Stops the server, if there is one, and takes its data along.
pub(crate) fn stop() {
    drop(server().take());
}

fn url() -> String {
    server().as_ref().map(Server::url).unwrap_or_default()
}

/// How many points can be read.
static FILLED: Mutex<u64> = Mutex::new(0);
/// An answer of 204 says that points are queued.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writes so many points, unless they are there, and waits until they can be read.
fn filled(n: u64) {
    let mut filled = FILLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *filled >= n {
        return;
    }
    write(&url(), n, headwater::timeseries::kairosdb::Gzip::Off)();
    let start = Instant::now();
    while stored(&url(), n) < n {
        assert!(
            start.elapsed() < PATIENCE,
            "the points can't be read after two minutes"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    *filled = n;
}
