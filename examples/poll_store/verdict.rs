//! What is said in the end: whether every point came exactly once.

use std::fmt;
use std::time::Duration;

use headwater::timeseries::PollStats;

use crate::devices::Written;
use crate::ledger::{Comparison, thousands};

/// What was polled, compared with what there is.
pub struct Verdict {
    pub stats: PollStats,
    /// How many there were, and how long each is.
    pub windows: (u64, Duration),
    /// Points in a window of another time.
    pub misplaced: u64,
    /// What the devices wrote, if they did.
    pub written: Option<Written>,
    pub by_devices: Option<Comparison>,
    /// What a plain query finds, if the store answered up to the end.
    pub by_query: Option<Comparison>,
    /// Points from before the start that came after a cursor was resumed.
    pub before: Option<usize>,
}

impl Verdict {
    pub fn is_fine(&self) -> bool {
        let fine = |comparison: &Option<Comparison>, absent| {
            comparison.as_ref().map_or(absent, Comparison::is_fine)
        };
        let rejected = self
            .written
            .as_ref()
            .is_some_and(|w| !w.rejected.is_empty());
        let all = fine(&self.by_devices, true) && fine(&self.by_query, false);
        all && self.misplaced == 0 && !rejected
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(written) = &self.written {
            writeln!(
                f,
                "written   {} points: {} of them late, {} twice, {} corrected afterwards",
                thousands(written.points.len() as u64),
                thousands(written.late),
                thousands(written.twice),
                thousands(written.corrected),
            )?;
            for rejected in &written.rejected {
                writeln!(f, "          {rejected}")?;
            }
        }
        let stats = &self.stats;
        writeln!(
            f,
            "polled    {} points, {} of them seen late and brought into their order; {} had been seen before",
            thousands(stats.emitted),
            thousands(stats.late),
            thousands(stats.repeated),
        )?;
        writeln!(
            f,
            "          besides {} other values of points that were known; {} points overdue, {} too late",
            thousands(stats.revised),
            thousands(stats.overdue),
            thousands(stats.too_late),
        )?;
        writeln!(
            f,
            "windows   {} of {:?}, with {} points that belong into another one",
            thousands(self.windows.0),
            self.windows.1,
            thousands(self.misplaced),
        )?;
        if let Some(before) = self.before {
            let before = thousands(before as u64);
            writeln!(
                f,
                "resumed   {before} points from before the start came too, as the cursor was before them"
            )?;
        }
        if let Some(comparison) = &self.by_devices {
            writeln!(f, "checked   by what the devices wrote: {comparison}")?;
        }
        match &self.by_query {
            Some(comparison) => write!(f, "checked   by a plain query: {comparison}")?,
            None => write!(
                f,
                "checked   nothing more: the store did not answer any more"
            )?,
        }
        match self.is_fine() {
            true => Ok(()),
            false => write!(f, "\n\nThis is not as it should be."),
        }
    }
}
