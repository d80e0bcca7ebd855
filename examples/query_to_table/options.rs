//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use headwater::BoxError;

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
            if arg == "--fill" {
                options.fill = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
            match &*arg {
                "--url" => options.url = Some(value),
                "--metric" => options.metrics.push(value),
                "--by" => options.by = Some(value),
                "--since" => options.since = Some(value),
                "--seconds" => options.patience = Duration::from_secs(value.parse()?),
                "--svg" => options.svg = value.into(),
                _ => return Err(format!("unknown option {arg}; see the top of main.rs").into()),
            }
        }
        Ok(options)
    }
}
