//! The handle that answers scrapes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::format::ExpositionFormat;
use super::state::{ExpositionCounts, State};
use super::write;

/// What a [`PrometheusSink`](super::PrometheusSink) was last told, as text. Cloned handles tell the
/// same, and go on when the sink is gone.
///
/// ```
/// use headwater::metrics::{Element, ExpositionFormat, MetricSink, PrometheusSink};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), headwater::metrics::SinkError> {
/// let mut sink = PrometheusSink::new();
/// let exposition = sink.exposition();
/// sink.deliver(&[Element::new("load.last", 0.5).tagged([("cpu", 3)])]).await?;
/// assert_eq!(
///     exposition.render(ExpositionFormat::Text),
///     "# TYPE load_last gauge\nload_last{cpu=\"3\"} 0.5\n",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Exposition {
    state: Arc<Mutex<State>>,
}

impl Exposition {
    pub(super) fn new(state: State) -> Exposition {
        Exposition {
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything, in a format. The sink waits meanwhile: for about two milliseconds where there are ten
    /// thousand counters, which come to a megabyte.
    #[must_use]
    pub fn render(&self, format: ExpositionFormat) -> String {
        let mut state = self.state();
        state.sweep(Instant::now());
        write::text(&state.families, format)
    }

    /// The answer to a scrape with this `Accept` header: the content type and the body. Several headers
    /// of that name are joined by commas.
    ///
    /// ```
    /// use headwater::metrics::PrometheusSink;
    ///
    /// let exposition = PrometheusSink::new().exposition();
    /// let accept = "application/openmetrics-text;version=1.0.0,*/*;q=0.1";
    /// let (content_type, body) = exposition.answer(Some(accept));
    /// assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    /// assert_eq!(body, "# EOF\n");
    /// ```
    #[must_use]
    #[doc(alias = "handler")]
    pub fn answer(&self, accept: Option<&str>) -> (&'static str, String) {
        let format = ExpositionFormat::negotiate(accept);
        (format.content_type(), self.render(format))
    }

    /// Counts of what was taken, and of what was not.
    #[must_use]
    pub fn counts(&self) -> ExpositionCounts {
        self.state().counts()
    }

    /// What can't be shown and why, a sentence each, up to a hundred; each was logged once by `tracing`.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.state().problems.iter().cloned().collect()
    }
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exposition").field(&self.counts()).finish()
    }
}
