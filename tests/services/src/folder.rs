//! Where things are kept: `services/` in the target directory, and scratch directories in it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, system};

/// A scratch directory that nobody uses is kept this long for whoever wants to look at a log.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The file in a scratch directory that is locked as long as somebody uses it.
const IN_USE: &str = "in-use";

/// `services/` in the target directory that this program was built into.
pub(crate) fn root() -> Result<PathBuf, Error> {
    let program = env::current_exe().map_err(Error::at("where is this program"))?;
    // Cargo leaves one of the two in the directory it builds into, whatever that is called.
    let built_into = |folder: &&Path| {
        let marks = ["CACHEDIR.TAG", ".rustc_info.json"];
        marks.iter().any(|mark| folder.join(mark).is_file())
    };
    let target = match program.ancestors().find(built_into) {
        Some(target) => target.to_path_buf(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    };
    made(target.join("services"))
}

/// A directory, made where it was not.
pub(crate) fn made(path: PathBuf) -> Result<PathBuf, Error> {
    fs::create_dir_all(&path).map_err(Error::at(format!("making {}", path.display())))?;
    Ok(path)
}

/// A lock on a file, held as long as it is kept; waits for whoever has it.
pub(crate) fn locked(path: &Path) -> Result<File, Error> {
    let file = opened(path)?;
    system::lock(&file).map_err(Error::at(format!("locking {}", path.display())))?;
    Ok(file)
}

fn opened(path: &Path) -> Result<File, Error> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::at(format!("opening {}", path.display())))
}

/// A directory of one server, removed with it unless the test has failed.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _in_use: File,
}

impl Scratch {
    /// A fresh directory. What nobody has used for a day is removed on this occasion.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let run = made(root()?.join("run"))?;
        sweep(&run);
        for n in 0.. {
            let path = run.join(format!("{name}-{}-{n}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {
                    let _in_use = locked(&path.join(IN_USE))?;
                    return Ok(Self { path, _in_use });
                }
                // Of another server of this process, or of one that had this process' id.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::at(format!("making {}", path.display()))(error)),
            }
        }
        unreachable!("names are endless")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept, with the log: {}", self.path.display());
        } else {
            // What is left is swept another day.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes what was left behind: by failed tests, by statics, by processes that were killed.
fn sweep(run: &Path) {
    for folder in fs::read_dir(run).into_iter().flatten().flatten() {
        let path = folder.path();
        let changed = folder.metadata().and_then(|metadata| metadata.modified());
        let age = changed.ok().and_then(|time| time.elapsed().ok());
        let unused = || opened(&path.join(IN_USE)).is_ok_and(|file| system::is_free(&file));
        if age.is_some_and(|age| age > KEPT) && unused() {
            // Somebody else may be sweeping, too.
            let _ = fs::remove_dir_all(&path);
        }
    }
}
