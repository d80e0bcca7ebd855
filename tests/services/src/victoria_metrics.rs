//! VictoriaMetrics: a receiver of OpenTSDB's protocols that nobody here wrote, and a store that can be
//! asked for everything it has.

use std::net::SocketAddr;

use serde_json::Value;

use crate::place::Place;
use crate::series::remote_write;
use crate::{Answer, Error, Http, Kind, Need, Process, Series};

pub(crate) static KIND: Kind = Kind {
    name: "victoria-metrics",
    about: "a receiver of OpenTSDB's protocols, and a Prometheus-style store",
    needs: &[Need::Program {
        name: "victoria-metrics",
        package: "victoria-metrics",
    }],
    start: Some(|| Ok(VictoriaMetrics::start()?.process)),
};

/// A VictoriaMetrics server.
///
/// It keeps points of any age, and every point it is sent: two equal ones are exported as two.
#[derive(Debug)]
pub struct VictoriaMetrics {
    process: Process,
    http: Http,
    telnet: SocketAddr,
    opentsdb: Http,
}

impl VictoriaMetrics {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// What the machine lacks, or why it did not become ready.
    pub fn start() -> Result<Self, Error> {
        let mut place = Place::new(&KIND)?;
        let http = place.port("HTTP")?;
        let telnet = place.port("OpenTSDB telnet")?;
        let opentsdb = place.port("OpenTSDB HTTP")?;
        let mut command = place.command("victoria-metrics");
        command
            .arg("-storageDataPath=data")
            .arg(format!("-httpListenAddr={http}"))
            .arg(format!("-opentsdbListenAddr={telnet}"))
            .arg(format!("-opentsdbHTTPListenAddr={opentsdb}"))
            // What was just written can be read, and what is old is kept.
            .arg("-search.latencyOffset=0s")
            .arg("-retentionPeriod=100y");
        let (http, opentsdb) = (Http::new(http), Http::new(opentsdb));
        let asked = http.clone();
        let process = Process::start(place, command, move || asked.get("/health").map(drop))?;
        Ok(Self {
            process,
            http,
            telnet,
            opentsdb,
        })
    }

    /// Its own HTTP port: queries, export, Prometheus' remote write at `/api/v1/write`.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// `http://127.0.0.1:PORT` of its own HTTP port.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Where OpenTSDB's telnet protocol is spoken: `put m 1700000000 1.5 host=a`.
    pub fn telnet_addr(&self) -> SocketAddr {
        self.telnet
    }

    /// Where OpenTSDB's HTTP protocol is spoken, at `/api/put`.
    pub fn opentsdb_http(&self) -> &Http {
        &self.opentsdb
    }

    /// `http://127.0.0.1:PORT` of OpenTSDB's HTTP protocol.
    pub fn opentsdb_http_url(&self) -> String {
        self.opentsdb.url()
    }

    /// Writes by Prometheus' remote-write protocol; 204 is success.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn write(&self, series: &[Series]) -> Result<Answer, Error> {
        remote_write(&self.http, series)
    }

    /// Lets queries find everything it has received.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn flush(&self) -> Result<(), Error> {
        self.http.get("/internal/force_flush").map(drop)
    }

    /// Brings everything it has received to its disk.
    ///
    /// Without that [`kill`](Process::kill) takes along what it received in the last five seconds or so,
    /// although it has answered 204 for that. Asked to end by [`stop`](Process::stop), it loses nothing.
    ///
    /// # Errors
    ///
    /// When there is no answer, or not a good one.
    pub fn sync(&self) -> Result<(), Error> {
        // Nothing is kept in memory only while a snapshot of the files is made.
        for path in ["/snapshot/create", "/snapshot/delete_all"] {
            let answer = self.http.get(path)?.json()?;
            if answer["status"] != "ok" {
                return Err(Error::at(format!("asking for {path}"))(answer));
            }
        }
        Ok(())
    }

    /// Everything it has, in order of names and tags; flushed before.
    ///
    /// # Errors
    ///
    /// When there is no answer, or one that can't be read.
    pub fn exported(&self) -> Result<Vec<Series>, Error> {
        self.flush()?;
        // {__name__!=""}, until the year 2100
        let form = "match[]=%7B__name__%21%3D%22%22%7D&start=0&end=4102444800";
        let asked = "application/x-www-form-urlencoded";
        let answer = self.http.post("/api/v1/export", asked, form)?;
        let lines = answer.body.lines();
        let series: Result<Vec<Series>, Error> = lines.map(series).collect();
        Ok(Series::sorted(series?))
    }
}

/// Reads one line of an export.
fn series(line: &str) -> Result<Series, Error> {
    let unreadable = || Error::at("reading an export of VictoriaMetrics")(line);
    let read = || {
        let line: Value = serde_json::from_str(line).ok()?;
        let mut series = Series::of_labels(&line["metric"])?;
        let times = line["timestamps"].as_array()?.iter().map(Value::as_i64);
        let values = line["values"].as_array()?.iter().map(value);
        let points = times.zip(values).map(|(time, value)| Some((time?, value?)));
        series.points = points.collect::<Option<_>>()?;
        Some(series)
    };
    read().ok_or_else(unreadable)
}

/// JSON has no numbers for these.
fn value(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    }
}

is_a_process!(VictoriaMetrics);
