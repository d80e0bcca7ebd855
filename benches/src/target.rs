//! What headwater's rows must reach, as the design states it.

/// A figure one variant must reach.
pub(crate) struct Target {
    /// The variant it binds.
    pub(crate) variant: &'static str,
    pub(crate) limit: Limit,
}

/// How the figure is stated.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// At most so many times another variant's time.
    Times(f64, &'static str),
    /// At most so many nanoseconds a step.
    Nanos(f64),
    /// Less time than every peer of the workload, in a build without LTO: most users build like that.
    AheadOfPeers,
}

/// `variant` takes at most `times` as long as `of`.
pub(crate) fn at_most(variant: &'static str, times: f64, of: &'static str) -> Target {
    Target {
        variant,
        limit: Limit::Times(times, of),
    }
}

/// `variant` takes at most `nanos` a step.
pub(crate) fn within(variant: &'static str, nanos: f64) -> Target {
    Target {
        variant,
        limit: Limit::Nanos(nanos),
    }
}

/// `variant` takes less than every peer does.
pub(crate) fn ahead_of_peers(variant: &'static str) -> Target {
    Target {
        variant,
        limit: Limit::AheadOfPeers,
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(times, of) => write!(f, "<= {times}x {of}"),
            Self::Nanos(nanos) => write!(f, "<= {nanos} ns"),
            Self::AheadOfPeers => write!(f, "ahead of peers"),
        }
    }
}
