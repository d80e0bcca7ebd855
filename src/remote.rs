//! What sinks and clients of remote stores share.

use std::error::Error;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Url;

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

/// A URL, or what was to be one, as it is shown and logged: without its password, and what may be a token in place
/// of a user, in its query or behind it.
pub(crate) fn shown_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        let (user, rest) = match text.rsplit_once('@') {
            Some((_, rest)) => ("***@", rest),
            None => ("", text),
        };
        return match rest.split_once('?') {
            Some((rest, _)) => format!("{user}{rest}?***"),
            None => format!("{user}{rest}"),
        };
    };
    if url.password().is_none() && !url.username().is_empty() {
        let _ = url.set_username("***");
    }
    let _ = url.set_password(None);
    let hidden = url.query().map(|query| {
        let hide = |pair: &str| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=***"),
            None => pair.to_owned(),
        };
        query.split('&').map(hide).collect::<Vec<_>>().join("&")
    });
    url.set_query(hidden.as_deref());
    if url.fragment().is_some() {
        url.set_fragment(Some("***"));
    }
    url.to_string()
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
