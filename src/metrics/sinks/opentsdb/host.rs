//! The tag of points that have none.

/// `host` and the name of this machine.
pub(super) fn host_tag() -> (String, String) {
    let name = gethostname::gethostname();
    let name = match name.to_string_lossy() {
        name if name.is_empty() => "localhost".to_owned(),
        name => name.into_owned(),
    };
    ("host".to_owned(), name)
}
