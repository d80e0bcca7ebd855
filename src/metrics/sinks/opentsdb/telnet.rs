//! The sink that speaks telnet put.

use std::io;
use std::time::{Duration, SystemTime};

use super::Resolution;
use super::lines::Lines;
use super::names::Sanitize;
use super::point::Format;
use super::receiver::{Confirm, QUESTION, Receiver};
use super::rejects::Rejects;
use super::trouble::Trouble;
use super::wire::{Until, Wire};
use crate::metrics::warned::Warned;
use crate::metrics::{Delivery, Element, MetricSink, SinkError};

/// Delivers elements by OpenTSDB's telnet protocol: `put NAME TIME VALUE TAG=VALUE …`, one line each.
///
/// OpenTSDB, KairosDB, VictoriaMetrics, InfluxDB and others read it. It has no answer to a point that was
/// taken, and none that could be relied on to one that was not. [`OpenTsdbHttpSink`](super::OpenTsdbHttpSink)
/// has both.
///
/// ```no_run
/// use headwater::metrics::{Metric, MetricsPipeline, OpenTsdbSink};
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = MetricsPipeline::builder()
///     .metric(Metric::new("requests").agg("sum", Sum).window(Duration::from_secs(3)))
///     .sink(OpenTsdbSink::connect("127.0.0.1:4242"))
///     .spawn()?;
/// metrics.send("requests", 1)?;
/// # Ok(())
/// # }
/// ```
///
/// # Delivery: at most once
///
/// The sink asks the receiver whether it has read a batch ([`Confirm`]), and only then calls it
/// delivered. If the connection breaks before, everything of which the system took at least one byte is
/// counted as of unknown fate, and is never sent again: it may have arrived, or not. The rest of the batch was
/// not written; it is sent over a new connection, as is a batch while there is no connection. No element
/// arrives twice.
///
/// "Has read" is what the protocol can tell. What a receiver loses that it has read, as VictoriaMetrics
/// does with the last seconds when it is killed, is beyond it.
///
/// # What is sent
///
/// - Names, tag names and tag values as [`Sanitize`] says; by default everything beyond ASCII is escaped,
///   as OpenTSDB and KairosDB read no UTF-8 on telnet.
/// - Integers as integers, floats with a point always.
/// - The time in seconds by default, which is what all receivers read ([`Resolution`]).
/// - At least one tag, as OpenTSDB asks for it: an element without gets `host` and the name of this
///   machine, or the [`default_tag`](OpenTsdbSink::default_tag).
///
/// # What is rejected
///
/// NaN and infinities, empty names, tag names and tag values, times that would not be read in this
/// resolution, and lines longer than [`max_line`](OpenTsdbSink::max_line). Each is counted, and logged at level
/// `debug`; the batch's first one is named in the sink's last error, which the pipeline warns of once. Lines
/// the receiver sends back that begin with `put` are OpenTSDB's errors, one a point: they are counted just so.
/// Whatever it sends back is logged, as a warning once a minute, and else at level `debug`.
///
/// # Errors
///
/// A [`SinkError`] can be tried again after any trouble with the network, and cannot if the address is
/// none. Every attempt looks the host's name up anew.
#[doc(alias = "MSinkTSDB")]
#[doc(alias = "TSDB")]
#[derive(Debug)]
#[must_use = "a sink does nothing until it is given to a pipeline"]
pub struct OpenTsdbSink {
    address: String,
    format: Format,
    confirm: Confirm,
    max_batch: usize,
    max_line: usize,
    connect_timeout: Duration,
    timeout: Duration,
    receiver: Option<Receiver>,
    wire: Option<Wire>,
    /// Complaints that came too late for their batch.
    late: usize,
    warned: Warned,
}

impl OpenTsdbSink {
    /// A sink for the receiver at this address, `host:port`. It connects when there is something to
    /// deliver.
    pub fn connect(address: impl Into<String>) -> OpenTsdbSink {
        OpenTsdbSink {
            address: address.into(),
            format: Format::new(Sanitize::escape().ascii(), Resolution::Seconds),
            confirm: Confirm::default(),
            max_batch: 512,
            max_line: 1024,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            receiver: None,
            wire: None,
            late: 0,
            warned: Warned::new(),
        }
    }

    /// How exactly times are written; seconds by default.
    pub fn resolution(mut self, resolution: Resolution) -> OpenTsdbSink {
        self.format.resolution = resolution;
        self
    }

    /// What is done with characters that OpenTSDB does not take; escaped by default, and so is all that
    /// is not ASCII. VictoriaMetrics reads [`Sanitize::escape()`] as well, with letters as they are.
    pub fn sanitize(mut self, sanitize: Sanitize) -> OpenTsdbSink {
        self.format.sanitize = sanitize;
        self
    }

    /// The tag of elements that have none; `host` and the name of this machine by default.
    pub fn default_tag(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> OpenTsdbSink {
        self.format.default_tag = (name.into(), value.into());
        self
    }

    /// How it is found out that a batch was read.
    pub fn confirm(mut self, confirm: Confirm) -> OpenTsdbSink {
        self.confirm = confirm;
        self
    }

    /// How many elements go into a batch, at most: 512 by default. As many are lost at the most when the
    /// connection breaks.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn max_batch(mut self, elements: usize) -> OpenTsdbSink {
        assert!(
            elements > 0,
            "a batch of 0 elements delivers nothing: let it be 1 at least"
        );
        self.max_batch = elements;
        self
    }

    /// How many bytes a line may have, without its line break: 1024 by default, which is as much as
    /// OpenTSDB and KairosDB read. They throw longer ones away, and only their log tells.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn max_line(mut self, bytes: usize) -> OpenTsdbSink {
        assert!(
            bytes > 0,
            "no point fits into a line of 0 bytes: most receivers read 1024"
        );
        self.max_line = bytes;
        self
    }

    /// How long connecting may take; 5 seconds by default.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn connect_timeout(mut self, timeout: Duration) -> OpenTsdbSink {
        assert!(
            !timeout.is_zero(),
            "no connection is made in no time: give it a longer one"
        );
        self.connect_timeout = timeout;
        self
    }

    /// How long a batch may stand still, neither side reading or writing, before the connection is given
    /// up; 30 seconds by default.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> OpenTsdbSink {
        assert!(
            !timeout.is_zero(),
            "no batch is read in no time: give it a longer one"
        );
        self.timeout = timeout;
        self
    }

    /// A connection, and how the receiver confirms.
    async fn ready(&mut self) -> io::Result<(Wire, Receiver)> {
        let kept = match self.wire.take() {
            Some(mut wire) => {
                let open = wire.is_open();
                self.late += self.heard(&mut wire);
                if !open {
                    // What comes back in its place may say something else.
                    self.receiver = None;
                }
                open.then_some(wire)
            }
            None => None,
        };
        let receiver = match self.receiver.take() {
            Some(receiver) => receiver,
            None => {
                Receiver::find_out(
                    self.confirm,
                    &self.address,
                    self.connect_timeout,
                    self.timeout,
                )
                .await?
            }
        };
        self.receiver = Some(receiver.clone());
        if let Some(wire) = kept {
            return Ok((wire, receiver));
        }
        let wire = Wire::connect(&self.address, self.connect_timeout).await?;
        Ok((wire, receiver))
    }

    /// Logs what the receiver said; how many points it did not take.
    fn heard(&self, wire: &mut Wire) -> usize {
        let complaints = wire.complaints();
        for complaint in &complaints {
            // There may be one for each point.
            match self.warned.is_due(SystemTime::now().into()) {
                true => tracing::warn!(address = self.address, complaint, "the receiver sent back"),
                false => {
                    tracing::debug!(address = self.address, complaint, "the receiver sent back")
                }
            }
        }
        complaints.iter().filter(|line| is_error(line)).count()
    }

    fn no_connection(&self, error: &io::Error) -> SinkError {
        let trouble = Trouble {
            address: self.address.clone(),
            why: error.to_string(),
            unknown: 0,
        };
        match error.kind() {
            io::ErrorKind::InvalidInput => SinkError::fatal(trouble),
            _ => SinkError::retry(trouble),
        }
    }
}

/// OpenTSDB's errors are lines such as `put: invalid value: …`.
fn is_error(line: &str) -> bool {
    line.starts_with("put")
}

impl MetricSink for OpenTsdbSink {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let mut rejects = Rejects::default();
        let mut lines = Lines::new(batch, &self.format, self.max_line, &mut rejects);
        if lines.count() == 0 {
            return rejects.outcome(batch.len());
        }

        let ready = self.ready().await;
        let (mut wire, receiver) = ready.map_err(|error| {
            self.receiver = None;
            self.no_connection(&error)
        })?;
        let mut out = lines.take();
        let until = match &receiver {
            Receiver::Answers(answer) => {
                out.extend_from_slice(QUESTION);
                Until::Answer(answer)
            }
            Receiver::Closes => Until::Closed,
            Receiver::Silent => Until::Written,
        };
        // Until it has ended well the connection is not kept: who drops this future half-way drops it.
        let outcome = wire.exchange(&out, until, self.timeout).await;
        let errors = self.heard(&mut wire);
        match outcome {
            Ok(()) => {
                let errors = errors + std::mem::take(&mut self.late);
                let counted = errors.min(lines.count());
                self.late = errors - counted;
                rejects.some(
                    counted,
                    "the receiver sent back an error, which the log tells",
                );
                if !matches!(receiver, Receiver::Closes) {
                    self.wire = Some(wire);
                }
                rejects.outcome(batch.len())
            }
            Err(error) => {
                self.receiver = None;
                let (unknown, done) = lines.begun(wire.written());
                let trouble = Trouble {
                    address: self.address.clone(),
                    why: error.to_string(),
                    unknown,
                };
                // Errors that came back are of points that are among these already.
                rejects.lost_sight_of(unknown);
                Err(rejects.broken(trouble, done, batch.len()))
            }
        }
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        let Some(mut wire) = self.wire.take() else {
            return Ok(());
        };
        // Complaints may still be under way. A receiver that does not close has nothing more to say.
        let outcome = wire.exchange(&[], Until::Closed, self.timeout).await;
        let errors = self.heard(&mut wire) + std::mem::take(&mut self.late);
        match (errors, outcome) {
            (0, outcome) => {
                if let Err(error) = outcome {
                    tracing::debug!(address = self.address, %error, "closing");
                }
                Ok(())
            }
            (errors, _) => Err(SinkError::fatal(format!(
                "{} sent back {errors} errors after the last batch, which count as delivered",
                self.address
            ))),
        }
    }
}
