//! A server's process: started, killed, started again, and never left behind.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::system::{self, Signal};
use crate::{Error, Kind};

/// A JVM on a busy machine takes its time; one that takes longer hangs.
const UNTIL_READY: Duration = Duration::from_secs(120);
/// For a server to end when it was asked to.
const UNTIL_ENDED: Duration = Duration::from_secs(20);
const NAP: Duration = Duration::from_millis(20);
/// Lines of a log that go into an error.
const SHOWN: usize = 30;

/// What kills the server once our end of its input is closed, that is when this process has ended
/// without dropping its handles: aborted, killed, or with the server in a static.
const GUARD: &str = r#"trap "" INT TERM HUP; read -r _; kill -s KILL -- "-$1""#;

/// Asks a server whether it is ready; the error says why not.
type Ready = Box<dyn Fn() -> Result<(), Error> + Send + Sync>;

/// One server, running or not. Dropped, it is killed, and its directory removed.
pub struct Process {
    place: Place,
    command: Command,
    ready: Ready,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    server: Child,
    guard: Child,
}

impl Process {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(
        place: Place,
        command: Command,
        ready: impl Fn() -> Result<(), Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let ready = Box::new(ready);
        let running = None;
        let mut process = Self {
            place,
            command,
            ready,
            running,
        };
        process.restart()?;
        Ok(process)
    }

    /// What kind of server it is.
    pub fn kind(&self) -> &'static Kind {
        self.place.kind
    }

    /// Its ports: what they are for, and `127.0.0.1:PORT`. They never change.
    pub fn addresses(&self) -> &[(&'static str, String)] {
        &self.place.addresses
    }

    /// Where its data and its log are.
    pub fn directory(&self) -> &Path {
        self.place.scratch.path()
    }

    /// The id of its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.server.id())
    }

    /// Everything it has printed since it was first started.
    pub fn log(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Kills it: SIGKILL, for it and its children. It has ended when this returns.
    ///
    /// # Errors
    ///
    /// When it does not run, because it was killed before or has crashed.
    pub fn kill(&mut self) -> Result<(), Error> {
        let mut running = self.take_running()?;
        running.kill().map_err(Error::at("killing a server"))
    }

    /// Asks it to end, as an operator would: SIGTERM. It has ended when this returns.
    ///
    /// # Errors
    ///
    /// When it does not run, or had to be killed since it did not end.
    pub fn stop(&mut self) -> Result<(), Error> {
        let mut running = self.take_running()?;
        let ended = running.stop().map_err(Error::at("stopping a server"))?;
        if ended {
            return Ok(());
        }
        Err(self.down(format!(
            "did not end within {UNTIL_ENDED:?}, and was killed"
        )))
    }

    /// Starts it again, on the same ports and with its data, and waits until it is ready. One that
    /// still runs is stopped first.
    ///
    /// # Errors
    ///
    /// When it does not become ready; the error has the end of its log.
    pub fn restart(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            self.stop()?;
        }
        self.running = Some(self.spawned()?);
        let end = Instant::now() + UNTIL_READY;
        loop {
            let asked = (self.ready)();
            // First whether it lives: what answered may be somebody else on its port.
            if let Some(ended) = self.ended() {
                return Err(self.down(ended));
            }
            let Err(why) = asked else {
                return Ok(());
            };
            if Instant::now() > end {
                self.running = None;
                return Err(self.down(format!("not ready after {UNTIL_READY:?} ({why})")));
            }
            thread::sleep(NAP);
        }
    }

    /// Lets it hang: connections stay open and are accepted, and nothing is answered (SIGSTOP).
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn pause(&mut self) -> Result<(), Error> {
        self.signal(Signal::STOP, system::until_stopped)
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.signal(Signal::CONT, |_| Ok(()))
    }

    fn signal(
        &mut self,
        signal: Signal,
        until: impl FnOnce(&Child) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let running = self.take_running()?;
        let sent = system::send(signal, &running.server).and_then(|()| until(&running.server));
        self.running = Some(running);
        sent.map_err(Error::at("sending a signal to a server"))
    }

    /// The process that runs, or why there is none.
    fn take_running(&mut self) -> Result<Running, Error> {
        match self.ended() {
            Some(why) => Err(self.down(why)),
            None => self.running.take().ok_or_else(|| self.down("does not run")),
        }
    }

    /// How it ended by itself, if it did.
    fn ended(&mut self) -> Option<String> {
        let status = self.running.as_mut()?.server.try_wait();
        let why = match status {
            Ok(None) => return None,
            Ok(Some(status)) => format!("has ended by itself: {status}"),
            Err(error) => error.to_string(),
        };
        self.running = None;
        Some(why)
    }

    fn spawned(&mut self) -> Result<Running, Error> {
        let starting = || Error::at(format!("starting {}", self.place.kind.name));
        let log = self.log_file();
        let log = File::options().create(true).append(true).open(log);
        let log = log.map_err(starting())?;
        let too = log.try_clone().map_err(starting())?;
        self.command.stdin(Stdio::null()).stdout(log).stderr(too);
        system::in_own_group(&mut self.command);
        let server = self.command.spawn();
        let mut server = server.map_err(Error::at(format!("running {:?}", self.command)))?;
        match guard(&server) {
            Ok(guard) => Ok(Running { server, guard }),
            Err(error) => {
                // It has just been started, and without a guard it must not stay.
                let _ = server.kill();
                let _ = server.wait();
                Err(Error::at("starting the guard of a server")(error))
            }
        }
    }

    fn log_file(&self) -> PathBuf {
        self.directory().join("log")
    }

    fn down(&self, why: impl Into<String>) -> Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        Error::Down {
            service: self.place.kind.name,
            why: why.into(),
            log: lines[lines.len().saturating_sub(SHOWN)..].join("\n"),
        }
    }
}

impl Running {
    fn kill(&mut self) -> std::io::Result<()> {
        if self.server.try_wait()?.is_none() {
            system::send(Signal::KILL, &self.server)?;
        }
        // Before the server is waited for: from then on its id may be anybody's.
        self.guard.kill()?;
        self.guard.wait()?;
        self.server.wait()?;
        Ok(())
    }

    /// Whether it ended when it was asked to.
    fn stop(&mut self) -> std::io::Result<bool> {
        system::send(Signal::TERM, &self.server)?;
        // It may be paused.
        system::send(Signal::CONT, &self.server)?;
        let end = Instant::now() + UNTIL_ENDED;
        while Instant::now() < end {
            if self.server.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(NAP);
        }
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killed already, mostly; then this does nothing.
        let _ = self.kill();
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("kind", &self.place.kind.name)
            .field("addresses", &self.place.addresses)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

fn guard(server: &Child) -> std::io::Result<Child> {
    let mut guard = Command::new("sh");
    guard
        .args(["-c", GUARD, "guard", &server.id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    system::in_own_group(&mut guard);
    guard.spawn()
}

/// A server's type, with a field `process`, has the methods of [`Process`].
macro_rules! is_a_process {
    ($server:ty) => {
        impl std::ops::Deref for $server {
            type Target = crate::Process;

            fn deref(&self) -> &crate::Process {
                &self.process
            }
        }

        impl std::ops::DerefMut for $server {
            fn deref_mut(&mut self) -> &mut crate::Process {
                &mut self.process
            }
        }
    };
}
