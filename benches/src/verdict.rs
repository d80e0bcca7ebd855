//! Whether a workload's targets were reached.

use crate::harness::Row;
use crate::target::{Limit, Target};
use crate::workload::{Role, Workload};

/// How a target fared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Reached,
    Missed,
    /// The variant, or what it is compared with, was not run.
    NotRun,
    /// The target does not bind a binary built like this one.
    NotAsked,
}

impl Outcome {
    /// As the reports print it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Missed => "MISSED",
            Self::NotRun => "not run",
            Self::NotAsked => "not asked",
        }
    }
}

/// A target with what became of it.
pub(crate) struct Verdict {
    pub(crate) variant: &'static str,
    pub(crate) limit: Limit,
    pub(crate) outcome: Outcome,
    /// In the unit of the limit: times, or nanoseconds.
    pub(crate) measured: Option<f64>,
}

/// Compares what was measured with every target of the workload.
pub(crate) fn judge(workload: &Workload, rows: &[Row], profile: &str) -> Vec<Verdict> {
    let verdict = |target: &Target| {
        let measured = measured(target, rows);
        let bound = match target.limit {
            Limit::Times(bound, _) | Limit::Nanos(bound) => bound,
            Limit::AheadOfPeers => 1.0,
        };
        let outcome = match measured {
            _ if profile == "lto" && matches!(target.limit, Limit::AheadOfPeers) => {
                Outcome::NotAsked
            }
            None => Outcome::NotRun,
            Some(measured) if measured <= bound => Outcome::Reached,
            Some(_) => Outcome::Missed,
        };
        Verdict {
            variant: target.variant,
            limit: target.limit,
            outcome,
            measured,
        }
    };
    workload.targets.iter().map(verdict).collect()
}

fn measured(target: &Target, rows: &[Row]) -> Option<f64> {
    let nanos = |name: &str| {
        rows.iter()
            .find(|row| row.name == name)
            .map(|row| row.nanos)
    };
    let ours = nanos(target.variant)?;
    match target.limit {
        Limit::Times(_, of) => Some(ours / nanos(of)?),
        Limit::Nanos(_) => Some(ours),
        Limit::AheadOfPeers => rows
            .iter()
            .filter(|row| row.role == Role::Peer)
            .map(|row| ours / row.nanos)
            .reduce(f64::max),
    }
}
