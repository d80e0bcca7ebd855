//! What the facade asks of a pipeline and says to it: kinds, room, and descriptions.

use std::sync::{Arc, PoisonError};

use ::metrics::Unit;

use crate::metrics::described::{Described, Kind};
use crate::metrics::pipeline::MetricsPipeline;

/// What is said of a metric, beside its name and kind.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) unit: Option<&'a str>,
    /// Not empty.
    pub(super) help: Option<&'a str>,
}

impl<'a> About<'a> {
    pub(super) fn new(unit: Option<Unit>, help: &'a str) -> About<'a> {
        About {
            unit: unit.filter(|u| *u != Unit::Count).map(|u| u.as_str()),
            help: Some(help).filter(|help| !help.is_empty()),
        }
    }
}

impl MetricsPipeline {
    /// The kind of a metric, if there is one of this name.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let all = self.0.descriptions.read();
        let all = all.unwrap_or_else(PoisonError::into_inner);
        latest(&all, name).map(|described| described.kind)
    }

    /// Whether a metric has as many sets of tags as it may have.
    pub(super) fn has_no_room(&self, name: &str) -> bool {
        let metrics = self.0.metrics.read();
        let metrics = metrics.unwrap_or_else(PoisonError::into_inner);
        let number = metrics.by_name.get(name);
        number.is_some_and(|number| metrics.all[*number as usize].series.is_full())
    }

    /// Says what a metric's unit is and what it means, where nobody has said that. Sinks are told of the
    /// metric once more.
    pub(super) fn describe(&self, name: &str, about: About<'_>) {
        let all = self.0.descriptions.write();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        let Some(found) = latest(&all, name) else {
            return;
        };
        let mut described = Described::clone(found);
        described.unit = described.unit.or(about.unit.map(str::to_owned));
        described.help = described.help.or(about.help.map(str::to_owned));
        if described != **found {
            all.push(Arc::new(described));
        }
    }
}

/// What was said of a metric last.
fn latest<'a>(all: &'a [Arc<Described>], name: &str) -> Option<&'a Arc<Described>> {
    all.iter().rev().find(|described| described.name() == name)
}
