//! All families, and whose names are whose.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::family::{Family, Owner, Series};
use super::mapping::Target;
use super::names;
use crate::metrics::Tags;

/// Families by their names.
#[derive(Debug, Default)]
pub(super) struct Families {
    all: BTreeMap<Arc<str>, Family>,
    /// The family that each name of a sample belongs to.
    names: HashMap<String, Arc<str>>,
    series: usize,
}

impl Families {
    /// Sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Family)> {
        self.all.iter().map(|(name, family)| (&**name, family))
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.series
    }

    pub(super) fn series(&mut self, target: &Target, tags: &Tags) -> Option<&mut Series> {
        self.all.get_mut(&target.family)?.series.get_mut(tags)
    }

    /// Whether a target's family is of this owner.
    pub(super) fn is_of(&self, target: &Target, owner: &Owner) -> bool {
        let family = self.all.get(&target.family);
        family.is_some_and(|family| family.owner == *owner)
    }

    /// Makes the family of a target, or adds a part to it. Fails if a name is taken.
    pub(super) fn claim(
        &mut self,
        owner: &Owner,
        target: &Target,
        since: SystemTime,
    ) -> Result<(), String> {
        if let Some(family) = self.all.get_mut(&target.family)
            && family.owner == *owner
            && family.sort == target.sort
            && !family.parts.contains(&target.part)
        {
            family.parts.push(target.part);
            return Ok(());
        }
        if let Some((name, holder)) = self.holder(target) {
            let holder = &self.all[holder].owner;
            return Err(format!(
                "{owner} would have samples called {name:?}, as {holder} has: they are rejected; give \
                 one of them another name"
            ));
        }
        for name in target.names() {
            self.names.insert(name, target.family.clone());
        }
        let family = Family::new(owner.clone(), target, since);
        self.all.insert(target.family.clone(), family);
        Ok(())
    }

    /// Says what a family of this owner means, and in which unit it is. It goes on as it is.
    pub(super) fn explain(&mut self, owner: &Owner, target: &Target) {
        let family = self.all.get_mut(&target.family);
        if let Some(family) = family.filter(|family| family.owner == *owner) {
            family.help.clone_from(&target.help);
            family.unit.clone_from(&target.unit);
        }
    }

    /// A name that a target would need and that is taken, and by which family.
    fn holder(&self, target: &Target) -> Option<(&str, &Arc<str>)> {
        let mut names = target.names();
        let (name, holder) = names.find_map(|name| self.names.get_key_value(&name))?;
        Some((name, holder))
    }

    /// Lets families go that have a name which a target needs, and which nobody has described.
    pub(super) fn displace(&mut self, target: &Target) {
        while let Some((_, holder)) = self.holder(target) {
            let holder = holder.clone();
            if !matches!(self.all[&holder].owner, Owner::Elements(_)) {
                return;
            }
            self.retain(|name, _| *name != holder);
        }
    }

    /// Lets the families of an owner go.
    pub(super) fn remove(&mut self, owner: &Owner) {
        self.retain(|_, family| family.owner != *owner);
    }

    fn retain(&mut self, mut keep: impl FnMut(&Arc<str>, &mut Family) -> bool) {
        let series = &mut self.series;
        self.all.retain(|name, family| {
            let keep = keep(name, family);
            *series -= if keep { 0 } else { family.series.len() };
            keep
        });
        let all = &self.all;
        self.names.retain(|_, family| all.contains_key(family));
    }

    /// Begins a series of a family that there is. Fails if its labels are those of another one.
    pub(super) fn begin(
        &mut self,
        target: &Target,
        tags: &Tags,
        now: Instant,
    ) -> Result<(), String> {
        let family = self.all.get_mut(&target.family);
        let Some(family) = family else { return Ok(()) };
        let name = &target.family;
        let labels = names::labels(tags, target.sort).map_err(|label| {
            format!("the tags {{{tags}}} of {name:?} would give two labels {label:?}: rename one")
        })?;
        if let Some(holder) = family.labels.get(&*labels) {
            return Err(format!(
                "the tags {tags:?} of {name:?} would give the same labels as {holder:?}: one of the \
                 two has to change"
            ));
        }
        family.begin(tags, labels.into(), now);
        self.series += 1;
        Ok(())
    }

    /// Ends a series that was begun for something that it could not take.
    pub(super) fn end_if_empty(&mut self, target: &Target, tags: &Tags) {
        if let Some(family) = self.all.get_mut(&target.family)
            && let Some(series) = family.series.get(tags)
            && series.is_empty()
        {
            family.labels.remove(&series.labels);
            family.series.remove(tags);
            self.series -= 1;
        }
    }

    /// Lets go what is stale. Says how many totals were forgotten.
    pub(super) fn sweep(
        &mut self,
        now: Instant,
        stale_after: Duration,
        forget_after: Option<Duration>,
    ) -> u64 {
        let forgotten = self.end(|series| {
            let idle = now.duration_since(series.touched);
            series.is_stale(now, stale_after) || forget_after.is_some_and(|after| idle >= after)
        });
        self.retain(|_, family| {
            !family.series.is_empty() || matches!(family.owner, Owner::Metric(_))
        });
        forgotten
    }

    /// Forgets up to `n` totals, those first that were idle the longest, and none for less than `idle`.
    pub(super) fn forget(&mut self, n: usize, now: Instant, idle: Duration) -> u64 {
        let series = self.all.values().flat_map(|family| family.series.values());
        let touched = series.map(|series| series.touched);
        let mut idle: Vec<Instant> = touched
            .filter(|touched| now.duration_since(*touched) >= idle)
            .collect();
        if idle.is_empty() || n == 0 {
            return 0;
        }
        let last = n.min(idle.len()) - 1;
        let (_, last, _) = idle.select_nth_unstable(last);
        let (last, mut left) = (*last, n);
        self.end(|series| {
            let ends = series.touched <= last && left > 0;
            left -= usize::from(ends);
            ends
        })
    }

    /// Ends series.
    fn end(&mut self, mut ends: impl FnMut(&mut Series) -> bool) -> u64 {
        let mut forgotten = 0;
        for family in self.all.values_mut() {
            let before = family.series.len();
            forgotten += family.end(&mut ends);
            self.series -= before - family.series.len();
        }
        forgotten
    }
}
