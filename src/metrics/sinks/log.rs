//! `LogSink`: a `tracing` event for each element.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tracing::Level;

use super::format::{Format, FormatError};
use super::log_site::Site;
use crate::metrics::{Delivery, Element, MetricSink, SinkError};

/// Logs elements by `tracing`, one an event: level `INFO` and target `headwater::metrics`, unless said
/// otherwise.
///
/// **Delivery**: at most once. `tracing` does not say what became of an event, so none is tried again.
/// Elements that no subscriber is interested in are delivered too: to nobody.
///
/// **Blocking**: as much as the program's subscriber does, as with any event.
///
/// ```
/// use headwater::metrics::LogSink;
/// use tracing::Level;
///
/// let sink = LogSink::new().level(Level::DEBUG).target("web::metrics").format("metric: {}")?;
/// assert!(LogSink::new().format("{} and {}").is_err());
/// # let _ = sink;
/// # Ok::<(), headwater::metrics::FormatError>(())
/// ```
///
/// Each combination of a level and a target that is in use is kept until the program ends.
#[doc(alias = "MSinkLogger")]
#[doc(alias = "tracing")]
#[derive(Clone)]
pub struct LogSink {
    format: Format,
    level: Level,
    target: Cow<'static, str>,
    site: Option<&'static Site>,
}

impl LogSink {
    /// At level `INFO`, with target `headwater::metrics`.
    #[must_use]
    pub fn new() -> LogSink {
        LogSink {
            format: Format::default(),
            level: Level::INFO,
            target: Cow::Borrowed("headwater::metrics"),
            site: None,
        }
    }

    /// The level of the events.
    #[must_use]
    pub fn level(self, level: Level) -> LogSink {
        LogSink {
            level,
            site: None,
            ..self
        }
    }

    /// The target of the events, which filters go by.
    #[must_use]
    pub fn target(self, target: impl Into<Cow<'static, str>>) -> LogSink {
        let target = target.into();
        LogSink {
            target,
            site: None,
            ..self
        }
    }

    /// What is logged of an element: a text with exactly one `{}`, where the element goes.
    ///
    /// # Errors
    /// If there is not exactly one, or a single brace.
    pub fn format(self, format: &str) -> Result<LogSink, FormatError> {
        let format = Format::parse(format)?;
        Ok(LogSink { format, ..self })
    }

    /// What is logged of an element: what a function makes of it.
    #[must_use]
    pub fn format_with(self, f: impl Fn(&Element) -> String + Send + Sync + 'static) -> LogSink {
        let format = Format::By(Arc::new(f));
        LogSink { format, ..self }
    }
}

impl Default for LogSink {
    fn default() -> LogSink {
        LogSink::new()
    }
}

impl MetricSink for LogSink {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let site = *self
            .site
            .get_or_insert_with(|| Site::get(self.level, &self.target));
        if site.is_enabled() {
            for element in batch {
                site.log(&self.format.text(element));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSink")
            .field("level", &self.level)
            .field("target", &self.target)
            .field("format", &self.format)
            .finish()
    }
}
