//! Where `tracing` events come from whose level and target are known only when the program runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::callsite::{Callsite, Identifier, register};
use tracing::field::{FieldSet, Value};
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata};

/// `tracing` wants places that stay for ever: there is one for each level and target that is in use.
static SITES: Mutex<BTreeMap<(u8, String), &'static Site>> = Mutex::new(BTreeMap::new());

/// The macros of `tracing` make a static of this for each of their uses.
pub(super) struct Site {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl Site {
    /// The one of this level and target.
    pub(super) fn get(level: Level, target: &str) -> &'static Site {
        let key = (rank(level), target.to_owned());
        let mut sites = SITES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sites.get(&key).copied();
        let site = *sites
            .entry(key)
            .or_insert_with(|| Site::leak(level, target));
        drop(sites);
        if known.is_none() {
            // Asks subscribers, which may log: not while the lock is held.
            register(site);
        }
        site
    }

    fn leak(level: Level, target: &str) -> &'static Site {
        let target: &'static str = Box::leak(target.into());
        let site: &'static Site = Box::leak(Box::new(Site {
            metadata: OnceLock::new(),
            interest: AtomicU8::new(SOMETIMES),
        }));
        site.metadata.get_or_init(|| {
            let fields = FieldSet::new(&["message"], Identifier(site));
            Metadata::new(
                "metric",
                target,
                level,
                None,
                None,
                None,
                fields,
                Kind::EVENT,
            )
        });
        site
    }

    fn known(&self) -> &Metadata<'static> {
        let metadata = self.metadata.get();
        metadata.expect("it is set before anybody gets the site")
    }

    /// Whether anybody on this thread wants events from here.
    pub(super) fn is_enabled(&self) -> bool {
        let metadata = self.known();
        *metadata.level() <= LevelFilter::current()
            && match self.interest.load(Relaxed) {
                NEVER => false,
                ALWAYS => true,
                _ => tracing::dispatcher::get_default(|dispatch| dispatch.enabled(metadata)),
            }
    }

    /// An event with this message.
    pub(super) fn log(&'static self, message: &str) {
        let fields = self.known().fields();
        let message = tracing::field::display(message);
        let message: &dyn Value = &message;
        let Some(field) = fields.field("message") else {
            return;
        };
        let values = [(&field, Some(message))];
        let values = fields.value_set(&values);
        let event = Event::new(self.known(), &values);
        tracing::dispatcher::get_default(|dispatch: &Dispatch| dispatch.event(&event));
    }
}

fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}

impl Callsite for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_never() {
            NEVER
        } else if interest.is_always() {
            ALWAYS
        } else {
            SOMETIMES
        };
        self.interest.store(interest, Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.known()
    }
}
