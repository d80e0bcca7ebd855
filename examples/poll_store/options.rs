//! What the command line says, and what pace follows from it.

use std::path::PathBuf;
use std::time::Duration;

use headwater::BoxError;

pub const USAGE: &str = "\
poll_store [--seconds N] [--cursor FILE] [--url URL [--metric NAME]... [--feed]]

  --seconds N    how long to poll; 10 by default
  --url URL      a KairosDB, such as http://127.0.0.1:8080, instead of the store in this process
  --metric NAME  what to poll there; may be given several times
  --feed         let the simulated devices write to that KairosDB, too
  --cursor FILE  go on from there, if the file exists, and keep it up to date";

pub struct Options {
    pub url: Option<String>,
    pub metrics: Vec<String>,
    pub feed: bool,
    pub seconds: Duration,
    pub cursor: Option<PathBuf>,
}

impl Options {
    pub fn parse() -> Result<Options, BoxError> {
        let mut options = Options {
            url: None,
            metrics: Vec::new(),
            feed: false,
            seconds: Duration::from_secs(10),
            cursor: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--url" => options.url = Some(args.next().ok_or("--url takes a URL")?),
                "--metric" => {
                    let name = args.next().ok_or("--metric takes the name of a metric")?;
                    options.metrics.push(name);
                }
                "--feed" => options.feed = true,
                "--cursor" => {
                    options.cursor = Some(args.next().ok_or("--cursor takes a file")?.into());
                }
                "--seconds" => {
                    let number = args.next().ok_or("--seconds takes a number")?;
                    let complain = |e: String| format!("--seconds {number:?}: {e}");
                    let seconds: f64 = number.parse().map_err(|e| complain(format!("{e}")))?;
                    options.seconds = Duration::try_from_secs_f64(seconds)
                        .map_err(|e| complain(e.to_string()))?;
                }
                "--help" | "-h" => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                other => return Err(format!("unknown option {other:?}\n\n{USAGE}").into()),
            }
        }
        if options.url.is_none() && (options.feed || !options.metrics.is_empty()) {
            return Err(
                "--feed and --metric go with --url: the store in this process has devices \
                        and metrics of its own"
                    .into(),
            );
        }
        Ok(options)
    }
}

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From poll to poll.
    pub every: Duration,
    /// How late a point may come.
    pub buffer: Duration,
    /// How long it waits to be brought in order.
    pub hold: Duration,
    /// A window of the aggregates.
    pub window: Duration,
    /// From point to point of a device.
    pub sample: Duration,
    /// Every so often the store in this process is out of order: from then on, for so long.
    pub outages: [Duration; 3],
}

impl Pace {
    /// For points that are simulated: all in ten seconds, or in proportion where there is less time.
    pub fn simulated(seconds: Duration) -> Pace {
        let share = (seconds.as_secs_f64() / 10.0).clamp(0.1, 1.0);
        let millis = |millis: f64| Duration::from_secs_f64(millis * share / 1000.0);
        Pace {
            every: millis(250.0),
            buffer: millis(6_000.0),
            hold: millis(2_000.0),
            window: millis(500.0),
            sample: millis(100.0),
            outages: [10_000.0, 4_000.0, 1_200.0].map(millis),
        }
    }

    /// For a store whose points are somebody else's.
    pub fn remote() -> Pace {
        Pace {
            every: Duration::from_secs(1),
            buffer: Duration::from_secs(60),
            hold: Duration::from_secs(3),
            window: Duration::from_secs(2),
            ..Pace::simulated(Duration::from_secs(10))
        }
    }
}
