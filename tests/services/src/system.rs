//! What differs between systems: signals, locks, and who may install. Servers run on Unix only.

#[cfg(unix)]
pub(crate) use unix::{
    Signal, in_own_group, is_free, is_root, lock, make_executable, send, until_stopped,
};

#[cfg(not(unix))]
pub(crate) use other::{
    Signal, in_own_group, is_free, is_root, lock, make_executable, send, until_stopped,
};

#[cfg(unix)]
mod unix {
    use std::fs::{self, File, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Child, Command};

    use rustix::fs::{FlockOperation, flock};
    use rustix::process::{Pid, WaitId, WaitIdOptions, geteuid, kill_process_group, waitid};

    pub(crate) use rustix::process::Signal;

    /// The command gets a process group: its children go with it, and Ctrl-C does not reach it.
    pub(crate) fn in_own_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Sends a signal to a child that was started in a group of its own, and to its children.
    ///
    /// The child has not been waited for, so that nobody else can have its id.
    pub(crate) fn send(signal: Signal, child: &Child) -> io::Result<()> {
        Ok(kill_process_group(Pid::from_child(child), signal)?)
    }

    /// Waits until a child that was sent `STOP` stands still, or has ended; it can be waited for after that.
    pub(crate) fn until_stopped(child: &Child) -> io::Result<()> {
        let events = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(child)), events)?;
        Ok(())
    }

    pub(crate) fn lock(file: &File) -> io::Result<()> {
        Ok(flock(file, FlockOperation::LockExclusive)?)
    }

    pub(crate) fn is_free(file: &File) -> bool {
        flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    pub(crate) fn make_executable(path: &Path) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(0o755))
    }

    pub(crate) fn is_root() -> bool {
        geteuid().is_root()
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use std::process::{Child, Command};

    pub(crate) struct Signal;

    impl Signal {
        pub(crate) const KILL: Self = Self;
        pub(crate) const TERM: Self = Self;
        pub(crate) const STOP: Self = Self;
        pub(crate) const CONT: Self = Self;
    }

    pub(crate) fn in_own_group(_: &mut Command) {}

    pub(crate) fn send(_: Signal, _: &Child) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn until_stopped(_: &Child) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn lock(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn is_free(_: &File) -> bool {
        false
    }

    pub(crate) fn make_executable(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn is_root() -> bool {
        false
    }
}
