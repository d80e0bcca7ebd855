//! Lines of text, written so that a batch whose writing failed half-way goes on where it stopped.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use crate::metrics::{Element, SinkError};

/// A batch as text: a line for each element.
pub(super) struct Text {
    elements: Vec<Element>,
    bytes: Vec<u8>,
    /// Where the line of each element ends.
    ends: Vec<usize>,
}

impl Text {
    /// `write` appends the line of an element, without the newline.
    pub(super) fn new(batch: &[Element], mut write: impl FnMut(&Element, &mut Vec<u8>)) -> Text {
        let mut bytes = Vec::new();
        let mut line = |element| {
            write(element, &mut bytes);
            bytes.push(b'\n');
            bytes.len()
        };
        Text {
            ends: batch.iter().map(&mut line).collect(),
            elements: batch.to_vec(),
            bytes,
        }
    }

    /// Where the line begins that `lines` others stand before.
    fn begin(&self, lines: usize) -> usize {
        lines.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// A writer, and what it has taken of a batch that is to be tried again.
pub(super) struct Lines<W> {
    to: W,
    /// Elements whose lines were taken, but could not be flushed.
    unflushed: Vec<Element>,
    /// The element whose line was cut by an error, and the rest of that line.
    torn: Option<(Element, Vec<u8>)>,
    /// Puts what was written where a crash of the system does not reach it.
    sync: Option<fn(&mut W) -> io::Result<()>>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(to: W) -> Lines<W> {
        Lines {
            to,
            unflushed: Vec::new(),
            torn: None,
            sync: None,
        }
    }

    /// Delivered is what `sync` succeeds on.
    #[cfg(feature = "json")]
    pub(super) fn synced(self, sync: fn(&mut W) -> io::Result<()>) -> Lines<W> {
        Lines {
            sync: Some(sync),
            ..self
        }
    }

    /// Writes and flushes a batch. What was taken when it was tried before is not written again, unless
    /// to sync it has failed: then nobody knows what became of it.
    pub(super) fn write(&mut self, text: &Text) -> Result<(), SinkError> {
        let known = self.unflushed.iter().zip(&text.elements);
        let mut done = known.take_while(|(taken, given)| taken == given).count();
        let written = self.finish_line().and_then(|torn| {
            // Else it was given up meanwhile.
            if torn.is_some() && torn.as_ref() == text.elements.get(done) {
                done += 1;
            }
            let begin = text.begin(done);
            let (taken, written) = self.take(&text.bytes[begin..]);
            let taken = begin + taken;
            done = text.ends.partition_point(|end| *end <= taken);
            if taken > text.begin(done) {
                let rest = text.bytes[taken..text.ends[done]].to_vec();
                self.torn = Some((text.elements[done].clone(), rest));
            }
            written
        });
        self.unflushed.clear();
        if let Err(error) = self.to.flush() {
            self.unflushed.extend_from_slice(&text.elements[..done]);
            return Err(failed(written.err().unwrap_or(error)));
        }
        if let Err(error) = self.sync() {
            return Err(failed(written.err().unwrap_or(error)));
        }
        written.map_err(|error| failed(error).done(done))
    }

    /// Writes the rest of a line that was cut, and flushes.
    pub(super) fn close(&mut self) -> Result<(), SinkError> {
        let closed = self.finish_line().and_then(|_| self.to.flush());
        closed.and_then(|()| self.sync()).map_err(failed)
    }

    /// Syncs, if that is wanted.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.sync.map_or(Ok(()), |sync| sync(&mut self.to))
    }

    /// The element whose line is whole now.
    fn finish_line(&mut self) -> io::Result<Option<Element>> {
        let Some((element, mut rest)) = self.torn.take() else {
            return Ok(None);
        };
        let (taken, written) = self.take(&rest);
        if let Err(error) = written {
            self.torn = Some((element, rest.split_off(taken)));
            return Err(error);
        }
        Ok(Some(element))
    }

    /// Writes, and says how much of it was taken where that fails.
    fn take(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.to.write(&bytes[taken..]) {
                Ok(0) => return (taken, Err(ErrorKind::WriteZero.into())),
                Ok(more) => taken += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (taken, Err(error)),
            }
        }
        (taken, Ok(()))
    }
}

/// Nobody will ever read from a pipe that was closed; a disk may have room again.
fn failed(error: io::Error) -> SinkError {
    match error.kind() {
        ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::NotConnected
        | ErrorKind::Unsupported => SinkError::fatal(error),
        _ => SinkError::retry(error),
    }
}

impl<W> fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("unflushed", &self.unflushed.len())
            .field("torn", &self.torn.is_some())
            .finish_non_exhaustive()
    }
}
