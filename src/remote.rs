//! What sinks and clients of remote stores share.

use std::error::Error;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// `host` and the name of this machine: the tag of points that have none, where a store asks for one.
///
/// What is in the name and no UTF-8 is replaced.
pub(crate) fn host_tag() -> (&'static str, String) {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    match name.is_empty() {
        true => ("host", "localhost".to_owned()),
        false => ("host", name),
    }
}

/// Compressed by gzip; writing to memory does not fail.
pub(crate) fn zipped(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// An error and what caused it: reqwest's own words alone say little.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
