//! What stands in front of a store, and passes on a part of its API.

/// What is known of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::timeseries) struct Gateway {
    /// What it is called.
    pub(in crate::timeseries) service: &'static str,
    /// Where it takes queries, below `api/v1/`.
    #[cfg(feature = "proficloud")]
    pub(in crate::timeseries) query_path: &'static str,
    /// Where it takes points.
    #[cfg(feature = "proficloud")]
    pub(in crate::timeseries) write_path: &'static str,
    /// Whether points may be written, besides queried.
    pub(in crate::timeseries) writes: bool,
    /// The status by which it says that a query asks for too much.
    pub(in crate::timeseries) over_quota: Option<u16>,
}

impl Gateway {
    pub(super) fn has(&self) -> &'static str {
        match self.writes {
            true => "points can be queried and written",
            false => "points can be queried",
        }
    }
}
