//! Hears what is told to `tracing`.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fmt::{self, Debug, Display};
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber, span};

/// What was told at once: an event, a span as it began, or what a span was told later.
#[derive(Debug)]
pub struct Told {
    /// None for what a span is told later.
    pub metadata: Option<&'static Metadata<'static>>,
    /// Names and values, in order.
    pub fields: Vec<(&'static str, String)>,
}

impl Told {
    fn of(metadata: impl Into<Option<&'static Metadata<'static>>>) -> Told {
        Told {
            metadata: metadata.into(),
            fields: Vec::new(),
        }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }
}

/// ` name=value` for each field, after `name:` of a span that begins.
impl Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = self.metadata.filter(|metadata| metadata.is_span()) {
            write!(f, "{}:", span.name())?;
        }
        let mut fields = self.fields.iter();
        fields.try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// A subscriber that keeps what it wants to hear of. Clones keep it together.
#[derive(Clone)]
pub struct Listener {
    wants: fn(&Metadata<'_>) -> bool,
    /// None: it keeps nothing.
    heard: Option<Arc<Mutex<Vec<Told>>>>,
}

impl Listener {
    /// Hears of what `wants` says yes to.
    pub fn to(wants: fn(&Metadata<'_>) -> bool) -> Listener {
        let heard = Some(Arc::default());
        Listener { wants, heard }
    }

    pub fn to_everything() -> Listener {
        Listener::to(|_| true)
    }

    /// Hears of what this thread tells, until the guard is dropped.
    pub fn listen(&self) -> DefaultGuard {
        somebody_listens();
        tracing::subscriber::set_default(self.clone())
    }

    /// What was heard since this was asked last.
    pub fn take(&self) -> Vec<Told> {
        let heard = self.heard.as_ref().unwrap();
        std::mem::take(&mut heard.lock().unwrap())
    }

    /// The same, as text.
    pub fn take_texts(&self) -> Vec<String> {
        self.take().iter().map(Told::to_string).collect()
    }

    fn hear(&self, told: Told) {
        if let Some(heard) = &self.heard {
            heard.lock().unwrap().push(told);
        }
    }
}

/// From the first call on there is somebody who is interested in everything, on all threads: where one thread is
/// the first to log at a place, at the moment at which another begins to listen, `tracing` may take that place for
/// one of no interest to anybody. So each test of a program in which some listen calls this, or [`Listener::listen`],
/// before anything can be logged.
pub fn somebody_listens() {
    static SOMEBODY: Once = Once::new();
    SOMEBODY.call_once(|| {
        let forgetful = Listener {
            wants: |_| true,
            heard: None,
        };
        let somebody = tracing::subscriber::set_global_default(forgetful);
        somebody.expect("nobody else does in this program");
    });
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (self.wants)(metadata)
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut told = Told::of(attributes.metadata());
        attributes.record(&mut told);
        self.hear(told);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut told = Told::of(None);
        values.record(&mut told);
        self.hear(told);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut told = Told::of(event.metadata());
        event.record(&mut told);
        self.hear(told);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
