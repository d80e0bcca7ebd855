//! KairosDB's own client, which is in Java.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::install::jars;
use crate::place::Place;
use crate::{Error, Kind, Need};

const POM: &str = include_str!("../kairosdb-client/pom.xml");
const PROGRAM: &str = include_str!("../kairosdb-client/Client.java");

pub(crate) static KIND: Kind = Kind {
    name: "kairosdb-client",
    about: "the client of KairosDB that is not ours, in Java",
    needs: &[
        Need::Program {
            name: "javac",
            package: "default-jdk-headless",
        },
        Need::Jars {
            name: "kairosdb-client",
            pom: POM,
        },
    ],
    start: None,
};

/// KairosDB's own client, version 3.0.0, in a process of its own: it is told what to do.
///
/// Dropped, it ends.
#[derive(Debug)]
pub struct KairosDbClient {
    program: Child,
    tell: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
    place: Place,
}

impl KairosDbClient {
    /// Compiles it and starts it, for the server of this URL.
    ///
    /// # Errors
    ///
    /// What the machine lacks, or what the compiler says.
    pub fn of(url: &str) -> Result<Self, Error> {
        let place = Place::new(&KIND)?;
        place.file("Client.java", PROGRAM, &[])?;
        let jars = jars(KIND.name, POM)?;
        let classes = format!(".:{}/*", jars.display());
        let doing = "compiling the client in Java";
        let mut javac = place.command("javac");
        javac.args(["-encoding", "UTF-8", "-cp", &classes, "Client.java"]);
        let done = javac.output().map_err(Error::at(doing))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(Error::at(doing)(said));
        }
        let doing = "starting the client in Java";
        let log = File::create(place.scratch.path().join("log")).map_err(Error::at(doing))?;
        let mut program = place
            .command("java")
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", &classes])
            .args(["Client", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(Error::at(doing))?;
        let tell = program.stdin.take();
        let told = program.stdout.take();
        let told = told.ok_or_else(|| Error::at(doing)("it has no output"))?;
        Ok(Self {
            program,
            tell,
            told: BufReader::new(told),
            place,
        })
    }

    /// Lets it do something, and returns what it says of it. `Client.java` knows what there is to do.
    ///
    /// # Errors
    ///
    /// When it has failed; the message has the trace.
    pub fn tell(&mut self, what: &Value) -> Result<Value, Error> {
        let doing = || format!("telling the client in Java {what}");
        let mut answer = String::new();
        let asked = match &mut self.tell {
            Some(tell) => writeln!(tell, "{what}").and_then(|()| tell.flush()),
            None => Ok(()),
        };
        let read = asked.and_then(|()| self.told.read_line(&mut answer));
        if read.as_ref().is_ok_and(|read| *read > 0) {
            return serde_json::from_str(&answer).map_err(Error::at(doing()));
        }
        // Its trace is whole once it has ended.
        let _ = self.program.wait();
        let log = fs::read(self.place.scratch.path().join("log")).unwrap_or_default();
        Err(Error::Down {
            service: KIND.name,
            why: doing(),
            log: String::from_utf8_lossy(&log).into_owned(),
        })
    }
}

impl Drop for KairosDbClient {
    fn drop(&mut self) {
        // It ends with its input, and has no state to lose.
        self.tell = None;
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
