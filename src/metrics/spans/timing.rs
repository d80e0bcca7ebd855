//! What is known of a span that is under way.

use std::fmt::Debug;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;
use tracing::field::{Field, Visit};

use crate::metrics::tags::{AsTag, TagValue};

/// Values of fields, with the place of the field among those that a timer wants.
pub(super) type Values = SmallVec<[(usize, TagValue); 2]>;

/// What all layers know of one span, in its extensions.
pub(super) struct Timings(pub(super) SmallVec<[Timing; 1]>);

impl Timings {
    /// Those of one layer.
    pub(super) fn of(&mut self, layer: usize) -> impl Iterator<Item = &mut Timing> {
        self.0
            .iter_mut()
            .filter(move |timing| timing.layer == layer)
    }

    /// Takes out those of one layer.
    pub(super) fn take(&mut self, layer: usize) -> SmallVec<[Timing; 1]> {
        let all = std::mem::take(&mut self.0);
        let (own, others) = all.into_iter().partition(|timing| timing.layer == layer);
        self.0 = others;
        own
    }
}

/// What one timer knows of one span.
pub(super) struct Timing {
    layer: usize,
    pub(super) rule: usize,
    start: Instant,
    busy: Duration,
    /// Since when somebody is in the span, and how many are: a span may be entered in several threads, and
    /// several times in one.
    inside: Option<(Instant, usize)>,
    pub(super) fields: Values,
}

impl Timing {
    pub(super) fn new(layer: usize, rule: usize, start: Instant, fields: Values) -> Timing {
        Timing {
            layer,
            rule,
            start,
            busy: Duration::ZERO,
            inside: None,
            fields,
        }
    }

    pub(super) fn enter(&mut self, now: Instant) {
        match &mut self.inside {
            Some((_, entered)) => *entered += 1,
            none => *none = Some((now, 1)),
        }
    }

    pub(super) fn exit(&mut self, now: Instant) {
        match &mut self.inside {
            Some((_, entered)) if *entered > 1 => *entered -= 1,
            Some((since, _)) => {
                self.busy += now - *since;
                self.inside = None;
            }
            None => {}
        }
    }

    /// How long it was, of a span that is over now.
    pub(super) fn spent(&self, now: Instant, busy: bool) -> Duration {
        match (busy, self.inside) {
            (false, _) => now - self.start,
            (true, None) => self.busy,
            // Whoever went in has forgotten to leave.
            (true, Some((since, _))) => self.busy + (now - since),
        }
    }

    /// Fields that were recorded later.
    pub(super) fn update(&mut self, values: Values) {
        for (place, value) in values {
            self.fields.retain(|(known, _)| *known != place);
            self.fields.push((place, value));
        }
    }
}

/// Gathers the fields that a timer wants.
pub(super) struct Fields<'a> {
    wanted: &'a [(String, String)],
    pub(super) values: Values,
}

impl<'a> Fields<'a> {
    pub(super) fn new(wanted: &'a [(String, String)]) -> Fields<'a> {
        Fields {
            wanted,
            values: Values::new(),
        }
    }

    /// A field may be wanted as several tags.
    fn places(&self, field: &Field) -> impl Iterator<Item = usize> {
        let wanted = self.wanted.iter().enumerate();
        let name = field.name();
        wanted.filter_map(move |(place, (wanted, _))| (wanted == name).then_some(place))
    }

    fn note(&mut self, field: &Field, value: impl AsTag) {
        let value = |place| (place, value.as_tag().to_value());
        let values: Values = self.places(field).map(value).collect();
        self.values.extend(values);
    }
}

/// Numbers and truth values stay what they are.
impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value);
    }

    /// What is recorded by `?` or `%`: as that shows it.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.places(field).next().is_some() {
            self.note(field, format!("{value:?}"));
        }
    }
}
