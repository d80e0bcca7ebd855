//! The last line of a file of JSON lines, where a crash may have torn it.

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How the file ended that a [`JsonLinesSink`](super::JsonLinesSink) goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    /// It was empty, or ended with a whole line.
    Whole,
    /// The last line lacked only its end, which it has now.
    Completed,
    /// So many bytes of a torn line were cut off.
    Cut(u64),
}

/// Opens a file, empty or with whole lines in it, of which more are appended.
pub(super) fn open(path: &Path, truncate: bool) -> Result<(File, Tail), JsonFileError> {
    let wrong = |doing, source| JsonFileError {
        path: path.to_owned(),
        doing,
        source,
    };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let file = options.open(path);
    let mut file = file.map_err(|error| wrong("opened", error))?;
    if truncate {
        file.set_len(0).map_err(|error| wrong("emptied", error))?;
    }
    let tail = mend(&mut file).map_err(|error| wrong("gone on with", error))?;
    Ok((file, tail))
}

/// No line is longer: what has no newline for so long is another sort of file.
const LONGEST: u64 = 16 << 20;

/// Sees to it that the file ends with a whole line.
fn mend(file: &mut File) -> io::Result<Tail> {
    let end = file.seek(SeekFrom::End(0))?;
    let torn = last_line(file, end)?;
    if torn.is_empty() {
        return Ok(Tail::Whole);
    }
    let first = torn.iter().find(|byte| !byte.is_ascii_whitespace());
    // Some file systems leave zeros where a crash of the system hit.
    if !matches!(first, None | Some(b'{' | 0)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its last line is not a JSON object, nor the beginning of one: it is left as it is",
        ));
    }
    if serde_json::from_slice::<serde_json::Map<_, _>>(&torn).is_ok() {
        file.write_all(b"\n")?;
        return Ok(Tail::Completed);
    }
    let torn = torn.len() as u64;
    file.set_len(end - torn)?;
    Ok(Tail::Cut(torn))
}

/// What follows the last newline.
fn last_line(file: &mut File, end: u64) -> io::Result<Vec<u8>> {
    const STEP: u64 = 8 << 10;
    let mut line = Vec::new();
    let mut begin = end;
    while begin > 0 {
        if end - begin >= LONGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its last 16 MiB are one line: it is left as it is",
            ));
        }
        let from = begin.saturating_sub(STEP);
        let mut piece = vec![0; (begin - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut piece)?;
        let newline = piece.iter().rposition(|byte| *byte == b'\n');
        piece.drain(..newline.map_or(0, |at| at + 1));
        piece.append(&mut line);
        line = piece;
        if newline.is_some() {
            break;
        }
        begin = from;
    }
    Ok(line)
}

/// Why a file is not one that elements can be written into as lines of JSON.
#[derive(Debug)]
pub struct JsonFileError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

impl JsonFileError {
    /// A file that can't be synced.
    pub(super) fn sync(path: &Path, source: io::Error) -> JsonFileError {
        JsonFileError {
            path: path.to_owned(),
            doing: "synced",
            source,
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the system said.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for JsonFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JsonFileError {
            path,
            doing,
            source,
        } = self;
        write!(
            f,
            "the file {path:?} for JSON lines cannot be {doing}: {source}"
        )
    }
}

impl Error for JsonFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
