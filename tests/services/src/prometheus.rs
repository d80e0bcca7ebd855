//! Prometheus: it scrapes what it is told to, takes remote writes, and answers queries.

use std::net::SocketAddr;

use serde_json::Value;

use crate::place::Place;
use crate::series::remote_write;
use crate::{Answer, Error, Http, Kind, Need, Process, Series};

pub(crate) static KIND: Kind = Kind {
    name: "prometheus",
    about: "scrapes metrics, takes remote writes, answers queries",
    needs: &[Need::Program {
        name: "prometheus",
        package: "prometheus",
    }],
    start: Some(|| Ok(Prometheus::start(Prometheus::TAKES_OLD_POINTS)?.process)),
};

/// A Prometheus server that takes remote writes.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    http: Http,
}

impl Prometheus {
    /// A configuration that scrapes nothing, and takes points written out of order, up to a day late.
    pub const TAKES_OLD_POINTS: &str = include_str!("../prometheus/takes-old-points.yml");

    /// A configuration that scrapes one target every second.
    ///
    /// The path is that of the metrics, `/metrics` for instance. Series have the label `job="test"`.
    pub fn scraping(target: SocketAddr, path: &str) -> String {
        include_str!("../prometheus/scraping.yml")
            .replace("{target}", &target.to_string())
            .replace("{path}", path)
    }

    /// Starts one with a configuration: the text of a `prometheus.yml`, which may be empty.
    ///
    /// # Errors
    ///
    /// What the machine lacks, or why it did not become ready.
    pub fn start(config: &str) -> Result<Self, Error> {
        let mut place = Place::new(&KIND)?;
        let http = place.port("HTTP")?;
        place.file("prometheus.yml", config, &[])?;
        let mut command = place.command("prometheus");
        command
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={http}"))
            .arg("--web.enable-remote-write-receiver");
        let http = Http::new(http);
        let asked = http.clone();
        // It answers while it still reads its data, by 503.
        let ready = move || match asked.get("/-/ready")? {
            answer if answer.status == 200 => Ok(()),
            answer => Err(Error::at("asking whether it is ready")(answer.status)),
        };
        let process = Process::start(place, command, ready)?;
        Ok(Self { process, http })
    }

    /// Its HTTP API, at `/api/v1/…`.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Writes by the remote-write protocol; 204 is success.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn write(&self, series: &[Series]) -> Result<Answer, Error> {
        remote_write(&self.http, series)
    }

    /// The points that a selector finds within so many seconds before a time, also in seconds:
    /// `read("up{job=\"test\"}", 60, 1_700_000_000)`. In order of names and tags.
    ///
    /// # Errors
    ///
    /// When there is no answer, or one that can't be read.
    pub fn read(&self, selector: &str, within: u64, until: i64) -> Result<Vec<Series>, Error> {
        let query = encoded(&format!("{selector}[{within}s]"));
        let path = format!("/api/v1/query?query={query}&time={until}");
        let answer = self.http.get(&path)?.json()?;
        let found = answer["data"]["result"].as_array();
        let all = found.and_then(|found| found.iter().map(series).collect::<Option<Vec<_>>>());
        let all = all.ok_or_else(|| Error::at(path)(&answer))?;
        Ok(Series::sorted(all))
    }
}

/// Reads one series of a matrix.
fn series(found: &Value) -> Option<Series> {
    let mut series = Series::of_labels(&found["metric"])?;
    // [seconds, "value"]
    let point = |point: &Value| {
        let milliseconds = (point[0].as_f64()? * 1e3).round() as i64;
        Some((milliseconds, point[1].as_str()?.parse().ok()?))
    };
    let points = found["values"].as_array()?.iter().map(point);
    series.points = points.collect::<Option<_>>()?;
    Some(series)
}

/// Text as a part of an address.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

is_a_process!(Prometheus);
