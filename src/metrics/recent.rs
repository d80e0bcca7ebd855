//! What this thread sent by name a moment ago: names and tags are not looked up for each value.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;

use super::sample::Series;
use super::tags::{Refs, TagRef, TagValue, one_nan};
use crate::Time;

/// How many series a thread remembers. It takes what their names and tags do, and nothing before the first.
const PLACES: usize = 128;

/// How long the table of the metric need not be told that a series is in use: little beside the time after
/// which it makes room for others.
const WHILE: Duration = Duration::from_secs(1);

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
}

#[derive(Default)]
struct Recent {
    hasher: DefaultHashBuilder,
    /// By the hash of all that tells a series: of two in one place, the later one stays.
    places: Vec<Option<Sent>>,
}

/// A series as it was told, tags in the order in which they came.
struct Sent {
    pipeline: u64,
    metric: Box<str>,
    tags: Box<[(Box<str>, TagValue)]>,
    found: (u16, Series),
    until: Time,
}

impl Recent {
    /// Nothing says where one text ends and the next begins: who comes to one place is compared.
    #[inline]
    fn place(&self, pipeline: u64, metric: &str, tags: Refs<'_, '_>) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(pipeline);
        hasher.write(metric.as_bytes());
        for (name, value) in tags {
            hasher.write(name.as_bytes());
            match value {
                TagRef::Str(text) => hasher.write(text.as_bytes()),
                TagRef::Int(int) => hasher.write_u64(*int as u64),
                TagRef::Float(float) => hasher.write_u64(one_nan(*float).to_bits()),
                TagRef::Bool(truth) => hasher.write_u64((*truth).into()),
            }
        }
        hasher.finish() as usize % PLACES
    }
}

impl Sent {
    #[inline]
    fn is(&self, pipeline: u64, metric: &str, tags: Refs<'_, '_>) -> bool {
        let known = self.tags.iter();
        let known = known.map(|(name, value)| (&**name, value.as_ref()));
        self.pipeline == pipeline && *self.metric == *metric && known.eq(tags.iter().copied())
    }
}

/// The numbers of a metric and a series, as this thread knows them, or as `look_up` says.
///
/// `look_up` may come here, too: by what it logs, which somebody may count.
pub(super) fn series<E>(
    (pipeline, metric, tags): (u64, &str, Refs<'_, '_>),
    now: Time,
    look_up: impl FnOnce() -> Result<(u16, Series), E>,
) -> Result<(u16, Series), E> {
    let known = with(|recent| {
        let place = recent.place(pipeline, metric, tags);
        let sent = recent.places.get(place)?.as_ref()?;
        let is_this = now < sent.until && sent.is(pipeline, metric, tags);
        is_this.then_some(sent.found)
    });
    if let Some(found) = known {
        return Ok(found);
    }
    let found = look_up()?;
    with(|recent| {
        let place = recent.place(pipeline, metric, tags);
        recent.places.resize_with(PLACES, || None);
        let owned = tags.iter().map(|(n, v)| ((*n).into(), v.to_value()));
        recent.places[place] = Some(Sent {
            pipeline,
            metric: metric.into(),
            tags: owned.collect(),
            found,
            until: now + WHILE,
        });
        None::<()>
    });
    Ok(found)
}

/// Nothing is known to a thread that ends.
fn with<R>(work: impl FnOnce(&mut Recent) -> Option<R>) -> Option<R> {
    let done = RECENT.try_with(|recent| work(&mut *recent.try_borrow_mut().ok()?));
    done.ok().flatten()
}
