//! `JsonLinesSink`: a JSON object for each element, one a line.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::blocking::Blocking;
use super::json_tail::{self, JsonFileError, Tail};
use super::json_text::{JsonStyle, JsonTime, NonFinite};
use super::lines::{Lines, Text};
use crate::metrics::{Delivery, Element, MetricSink, SinkError};

/// Writes elements as lines of JSON into a file, or into any [`Write`].
///
/// ```json
/// {"name":"latency.mean","value":12.5,"tags":{"code":200,"route":"/home"},"time":1700000000000}
/// ```
///
/// Integers stay integers and floats have a point or an exponent, in values and in tags. Times are
/// milliseconds since the Unix epoch or texts ([`time`](JsonLinesSink::time)). NaN and the infinities are
/// `null` or texts ([`non_finite`](JsonLinesSink::non_finite)).
///
/// **Delivery**: at least once. A batch is delivered when it was written and flushed, with
/// [`fsync`](JsonLinesSink::fsync) when the system has written it to the disk. Where writing fails, the
/// batch goes on where it stopped, in the middle of a line if need be, so nothing is doubled. Doubled are
/// only the lines of a batch that could not be synced, since nobody knows whether they are on the disk.
///
/// A crash may leave a torn last line. When the file is opened again, that line gets its end if only that
/// was missing, and is cut off if not; [`tail`](JsonLinesSink::tail) says which. A file should have one
/// sink at a time.
///
/// **Blocking**: the file is written on a thread for blocking work. To open it blocks.
///
/// ```
/// use headwater::metrics::{Element, JsonLinesSink, JsonTime, MetricSink};
/// use std::time::{Duration, SystemTime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("metrics.jsonl");
/// let mut sink = JsonLinesSink::append(&path)?.time(JsonTime::Rfc3339);
/// let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
/// sink.deliver(&[Element::new("load.last", 0.5).tagged([("cpu", 3)]).at(time)]).await?;
/// assert_eq!(
///     std::fs::read_to_string(&path)?,
///     r#"{"name":"load.last","value":0.5,"tags":{"cpu":3},"time":"2023-11-14T22:13:20.500000000Z"}"#
///         .to_owned()
///         + "\n",
/// );
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ndjson")]
#[doc(alias = "jsonl")]
pub struct JsonLinesSink<W = File> {
    lines: Blocking<Lines<W>>,
    style: JsonStyle,
    file: Option<(PathBuf, Tail)>,
}

impl JsonLinesSink {
    /// Appends to a file, which is made if it isn't there.
    ///
    /// # Errors
    /// If it can't be opened or mended, or if its last line is neither JSON nor the beginning of it.
    pub fn append(path: impl AsRef<Path>) -> Result<JsonLinesSink, JsonFileError> {
        JsonLinesSink::open(path.as_ref(), false)
    }

    /// Empties a file and writes into it; it is made if it isn't there.
    ///
    /// # Errors
    /// If it can't be opened or emptied.
    pub fn truncate(path: impl AsRef<Path>) -> Result<JsonLinesSink, JsonFileError> {
        JsonLinesSink::open(path.as_ref(), true)
    }

    fn open(path: &Path, truncate: bool) -> Result<JsonLinesSink, JsonFileError> {
        let (file, tail) = json_tail::open(path, truncate)?;
        if let Tail::Cut(bytes) = tail {
            tracing::warn!(?path, bytes, "a torn last line was cut off");
        }
        let sink = JsonLinesSink::to(file);
        Ok(JsonLinesSink {
            file: Some((path.to_owned(), tail)),
            ..sink
        })
    }

    /// Waits after each batch until the disk has it, by `fdatasync` where there is that. It survives a
    /// crash of the system then, and costs what the disk takes, often some milliseconds.
    ///
    /// # Errors
    /// If the file can't be synced, as a pipe can't.
    pub fn fsync(self) -> Result<JsonLinesSink, JsonFileError> {
        let path = self.file.as_ref().map(|(path, _)| path.clone());
        let path = path.unwrap_or_default();
        let mut synced = Ok(());
        let lines = self.lines.map(|lines| {
            let mut lines = lines.synced(|file: &mut File| file.sync_data());
            synced = lines.sync();
            lines
        });
        synced.map_err(|error| JsonFileError::sync(&path, error))?;
        Ok(JsonLinesSink { lines, ..self })
    }

    /// How the file ended that this one goes on with.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.file.as_ref().map_or(Tail::Whole, |(_, tail)| *tail)
    }
}

impl<W: Write + Send + 'static> JsonLinesSink<W> {
    /// Into a writer: a compressor, a socket, a file that was opened in another way.
    #[must_use]
    pub fn to(writer: W) -> JsonLinesSink<W> {
        JsonLinesSink {
            lines: Blocking::new(Lines::new(writer)),
            style: JsonStyle::default(),
            file: None,
        }
    }

    /// Calls `sync` after each batch that was written and flushed; delivered is what it succeeds on. The
    /// lines of a batch that it fails on are written again.
    #[must_use]
    pub fn sync_with(self, sync: fn(&mut W) -> io::Result<()>) -> JsonLinesSink<W> {
        let lines = self.lines.map(|lines| lines.synced(sync));
        JsonLinesSink { lines, ..self }
    }

    /// How times are written.
    #[must_use]
    pub fn time(mut self, time: JsonTime) -> JsonLinesSink<W> {
        self.style.time = time;
        self
    }

    /// How NaN and the infinities are written.
    #[must_use]
    pub fn non_finite(mut self, non_finite: NonFinite) -> JsonLinesSink<W> {
        self.style.non_finite = non_finite;
        self
    }
}

impl<W: Write + Send + 'static> MetricSink for JsonLinesSink<W> {
    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let style = self.style;
        let text = Text::new(batch, |element, line| style.write(element, line));
        self.lines.run(move |lines| lines.write(&text)).await?
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.lines.run(Lines::close).await?
    }
}

impl<W> fmt::Debug for JsonLinesSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLinesSink")
            .field("lines", &self.lines)
            .field("style", &self.style)
            .field("file", &self.file)
            .finish()
    }
}
