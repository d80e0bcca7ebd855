//! A file that keeps a cursor.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::cursor::{Cursor, CursorError};

/// A file that keeps a [`Cursor`]. Whatever happens while it is written, it has the cursor before or
/// the new one, whole.
///
/// Both calls block for as long as the disk takes; from a task, call them by `spawn_blocking`.
#[derive(Debug, Clone)]
pub struct CursorFile {
    path: PathBuf,
}

impl CursorFile {
    /// The file of this path, which need not be there. The new cursor is first written beside it, to
    /// the same name with `.new` at the end. Two streams must not use the same one.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> CursorFile {
        CursorFile { path: path.into() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The cursor, or `None` where there is no file yet.
    ///
    /// # Errors
    /// If the file cannot be read, or has no cursor in it.
    pub fn load(&self) -> Result<Option<Cursor>, CursorError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let cursor = Cursor::from_bytes(&bytes).map_err(|error| CursorError::File {
            path: self.path.clone(),
            error: error.into(),
        });
        cursor.map(Some)
    }

    /// Writes a cursor, down to the disk.
    ///
    /// # Errors
    /// If that fails. The file then has what it had; or the new cursor, where the disk does not confirm that it
    /// has that.
    pub fn save(&self, cursor: &Cursor) -> Result<(), CursorError> {
        let bytes = cursor.to_bytes();
        self.replace(&bytes).map_err(|error| self.failed(error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let mut name =
            self.path.file_name().map(OsString::from).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "the path names no file")
            })?;
        name.push(".new");
        let new = self.path.with_file_name(name);
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, &self.path)?;
        // The new name is on the disk once the directory is.
        #[cfg(unix)]
        if let Some(parent) = self.path.parent() {
            let here = parent.as_os_str().is_empty();
            File::open(if here { Path::new(".") } else { parent })?.sync_all()?;
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> CursorError {
        CursorError::Io {
            path: self.path.clone(),
            error,
        }
    }
}
