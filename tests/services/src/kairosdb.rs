//! KairosDB with the H2 store that is in it.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::install::jars;
use crate::place::Place;
use crate::{Error, Http, Kind, Need, Process};

const POM: &str = include_str!("../kairosdb/pom.xml");

/// What takes half a second on an idle machine.
const UNTIL_WRITTEN: Duration = Duration::from_secs(60);

pub(crate) static KIND: Kind = Kind {
    name: "kairosdb",
    about: "a time-series store over REST and telnet, with its embedded H2",
    needs: &[
        Need::Program {
            name: "java",
            package: "default-jre-headless",
        },
        Need::Jars {
            name: "kairosdb",
            pom: POM,
        },
    ],
    start: Some(|| Ok(KairosDb::start()?.process)),
};

/// A KairosDB server.
///
/// An answer of 204 means that points are queued: they can be read a moment later, and are on its disk
/// within a second, by default; see [`sync`](Self::sync).
#[derive(Debug)]
pub struct KairosDb {
    process: Process,
    http: Http,
    telnet: SocketAddr,
}

impl KairosDb {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// What the machine lacks, or why it did not become ready.
    pub fn start() -> Result<Self, Error> {
        let mut place = Place::new(&KIND)?;
        let http = place.port("HTTP")?;
        let telnet = place.port("telnet")?;
        let ports = [
            ("http", &*http.port().to_string()),
            ("telnet", &*telnet.port().to_string()),
        ];
        place.folder("data")?;
        place.folder("webroot")?;
        place.folder("conf")?;
        place.file(
            "kairos.conf",
            include_str!("../kairosdb/kairos.conf"),
            &ports,
        )?;
        place.file(
            "conf/logback.xml",
            include_str!("../kairosdb/logback.xml"),
            &[],
        )?;
        let mut command = place.command("java");
        command
            .arg("-Xmx512m")
            // The quick compiler alone: half the time to start, and a run is too short for the other one.
            .arg("-XX:TieredStopAtLevel=1")
            .args(["--add-opens", "java.base/java.lang=ALL-UNNAMED"])
            .args(["--add-opens", "java.base/java.util=ALL-UNNAMED"])
            .arg("-cp")
            .arg(format!("conf:{}/*", jars(KIND.name, POM)?.display()))
            .args(["org.kairosdb.core.Main", "-c", "run", "-p", "kairos.conf"]);
        let http = Http::new(http);
        let asked = http.clone();
        let ready = move || match asked.get("/api/v1/version")? {
            answer if answer.status == 200 => Ok(()),
            answer => Err(Error::at("asking for the version")(answer.status)),
        };
        let process = Process::start(place, command, ready)?;
        Ok(Self {
            process,
            http,
            telnet,
        })
    }

    /// Its REST API, at `/api/v1/…`.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// `http://127.0.0.1:PORT` of the REST API, without a path.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Where its telnet protocol is spoken: `putm m 1700000000000 1.5 host=a`.
    pub fn telnet_addr(&self) -> SocketAddr {
        self.telnet
    }

    /// Waits until everything that can be read is on its disk.
    ///
    /// Without that [`kill`](Process::kill) takes along what became readable in the last second or so.
    ///
    /// # Errors
    ///
    /// When there is no answer, or nothing is written within a minute.
    pub fn sync(&self) -> Result<(), Error> {
        // H2 writes twice a second what was committed until then, if anything was. What is being written
        // just now may have begun before this; what is written after it has not.
        for _ in 0..2 {
            self.next_write()?;
        }
        Ok(())
    }

    fn next_write(&self) -> Result<(), Error> {
        let file = self.directory().join("data/h2db/kairosdb.mv.db");
        let written = || {
            let state = fs::metadata(&file).and_then(|file| Ok((file.len(), file.modified()?)));
            state.map_err(Error::at(format!("looking at {}", file.display())))
        };
        // It keeps how long a query took, and so has something to write.
        let query = r#"{"start_absolute": 0, "metrics": [{"name": "no such metric"}]}"#;
        let before = written()?;
        let end = Instant::now() + UNTIL_WRITTEN;
        while written()? == before {
            if Instant::now() > end {
                return Err(Error::at("waiting for KairosDB to write")("it does not"));
            }
            let path = "/api/v1/datapoints/query";
            self.http.post(path, "application/json", query)?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

is_a_process!(KairosDb);
