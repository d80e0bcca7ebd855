//! `PrintSink`: a line of text for each element.

use std::fmt;
use std::io::{self, Stdout, Write};

use super::blocking::Blocking;
use super::format::{Format, FormatError};
use super::lines::{Lines, Text};
use crate::metrics::{Delivery, Element, MetricSink, SinkError};

/// Prints elements, one a line: on standard output, or into any [`io::Write`].
///
/// **Delivery**: at most once. What the writer took is not written again; where it fails in the middle
/// of a line, that line goes on when it works again. The writer is flushed after each batch. If it is
/// closed for good, as a pipe that nobody reads, the sink fails for good.
///
/// **Blocking**: the writer is used on a thread for blocking work, never on those of the runtime.
///
/// ```
/// use headwater::metrics::{Element, MetricSink, PrintSink};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = tempfile::NamedTempFile::new()?;
/// let mut sink = PrintSink::to(file.reopen()?).format("metric: {}")?;
/// sink.deliver(&[Element::new("latency.mean", 12.5).tagged([("route", "/home")])]).await?;
/// assert_eq!(std::fs::read_to_string(file.path())?, "metric: latency.mean{route=/home} 12.5\n");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MSinkPrinter")]
#[doc(alias = "stdout")]
pub struct PrintSink<W = Stdout> {
    lines: Blocking<Lines<W>>,
    format: Format,
}

impl PrintSink {
    /// On standard output.
    #[must_use]
    pub fn new() -> PrintSink {
        PrintSink::to(io::stdout())
    }
}

impl Default for PrintSink {
    fn default() -> PrintSink {
        PrintSink::new()
    }
}

impl<W: Write + Send + 'static> PrintSink<W> {
    /// Into a writer.
    #[must_use]
    pub fn to(writer: W) -> PrintSink<W> {
        PrintSink {
            lines: Blocking::new(Lines::new(writer)),
            format: Format::default(),
        }
    }

    /// What is printed of an element: a text with exactly one `{}`, where the element goes.
    ///
    /// # Errors
    /// If there is not exactly one, or a single brace.
    pub fn format(self, format: &str) -> Result<PrintSink<W>, FormatError> {
        let format = Format::parse(format)?;
        Ok(PrintSink { format, ..self })
    }

    /// What is printed of an element: what a function makes of it.
    #[must_use]
    pub fn format_with(
        self,
        f: impl Fn(&Element) -> String + Send + Sync + 'static,
    ) -> PrintSink<W> {
        let format = Format::By(std::sync::Arc::new(f));
        PrintSink { format, ..self }
    }
}

impl<W: Write + Send + 'static> MetricSink for PrintSink<W> {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let format = &self.format;
        let text = Text::new(batch, |element, line| {
            line.extend_from_slice(format.text(element).as_bytes());
        });
        self.lines.run(move |lines| lines.write(&text)).await?
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.lines.run(Lines::close).await?
    }
}

impl<W> fmt::Debug for PrintSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrintSink")
            .field("lines", &self.lines)
            .field("format", &self.format)
            .finish()
    }
}
