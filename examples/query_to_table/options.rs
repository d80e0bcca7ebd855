//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use headwater::BoxError;

pub(crate) const USAGE: &str = "\
query_to_table [--svg FILE] [--fill] [--seconds N] [--url URL --metric NAME... [--by TAG] [--since TIME]]

  --svg FILE     where to draw; query_to_table.svg in the folder for temporary files by default
  --fill         fill gaps with the value before
  --seconds N    how long to wait for the answer; 60 by default
  --url URL      a KairosDB, such as http://127.0.0.1:8080, instead of the store in this process
  --metric NAME  what to ask it for; may be given several times
  --by TAG       a column for each value of this tag
  --since TIME   such as \"2024-03-01 12:00\", in UTC; a day ago by default";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) url: Option<String>,
    pub(crate) metrics: Vec<String>,
    pub(crate) by: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) fill: bool,
    pub(crate) patience: Duration,
    pub(crate) svg: PathBuf,
}

impl Options {
    pub(crate) fn parse() -> Result<Options, BoxError> {
        let mut options = Options {
            url: None,
            metrics: Vec::new(),
            by: None,
            since: None,
            fill: false,
            patience: Duration::from_secs(60),
            svg: std::env::temp_dir().join("query_to_table.svg"),
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || {
                let value = args.next();
                value.ok_or_else(|| format!("{arg} takes a value\n\n{USAGE}"))
            };
            match &*arg {
                "--svg" => options.svg = value()?.into(),
                "--fill" => options.fill = true,
                "--seconds" => {
                    let number = value()?;
                    let seconds = number.parse();
                    let seconds = seconds.map_err(|why| format!("--seconds {number:?}: {why}"))?;
                    options.patience = Duration::from_secs(seconds);
                }
                "--url" => options.url = Some(value()?),
                "--metric" => options.metrics.push(value()?),
                "--by" => options.by = Some(value()?),
                "--since" => options.since = Some(value()?),
                "--help" | "-h" => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                other => return Err(format!("unknown option {other:?}\n\n{USAGE}").into()),
            }
        }
        let of_a_server = !options.metrics.is_empty() || options.by.is_some();
        if options.url.is_none() && (of_a_server || options.since.is_some()) {
            return Err(
                "--metric, --by and --since go with --url: the store in this process is \
                        asked for the day that is in it"
                    .into(),
            );
        }
        Ok(options)
    }
}
