//! What the command line may ask for.

use crate::workload::Workload;

/// Printed by `--help` and after a mistake.
pub(crate) const USAGE: &str = "\
usage: headwater-benches [--quick] [--json] [--profile NAME]
                         [--workload NAME [--variant NAME] [--count N]] [--rounds N]

  --quick           3 rounds of shorter runs, for a first look
  --json            one JSON object a line instead of tables
  --profile NAME    how this binary was built (release, lto): it is printed, and decides which targets apply
  --workload NAME   only this workload, or the workloads of this table of operators
  --variant NAME    with --workload: only this variant; with --count too, run it once and print its checksum
                    (what an instruction counter wants to see)
  --count N         elements a run, instead of as many as fill the time slice
  --rounds N        rounds a variant is measured in; the median counts";

/// The parsed command line.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) help: bool,
    pub(crate) json: bool,
    pub(crate) quick: bool,
    pub(crate) count: Option<u64>,
    variant: Option<String>,
    workload: Option<String>,
    profile: Option<String>,
    rounds: Option<usize>,
}

impl Options {
    /// Reads the arguments, program name left out.
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} wants a value"));
            match arg.as_str() {
                "--help" | "-h" => options.help = true,
                "--json" => options.json = true,
                "--quick" => options.quick = true,
                "--workload" => options.workload = Some(value()?),
                "--variant" => options.variant = Some(value()?),
                "--profile" => options.profile = Some(value()?),
                "--count" => options.count = Some(number(&value()?)?),
                "--rounds" => options.rounds = Some(number(&value()?)?.max(1) as usize),
                // `cargo bench` hands this to every harness.
                "--bench" => {}
                unknown => return Err(format!("unknown option {unknown}")),
            }
        }
        if options.variant.is_some() && options.workload.is_none() {
            return Err("--variant wants a --workload".to_owned());
        }
        Ok(options)
    }

    /// Whether that workload, or the table it is in, was asked for. Those that need something are only by
    /// their name.
    pub(crate) fn takes(&self, workload: &Workload) -> bool {
        match self.workload.as_deref() {
            None => workload.needs.is_none(),
            Some(name) => name == workload.name || Some(name) == workload.table,
        }
    }

    /// Whether a variant of that name was asked for.
    pub(crate) fn takes_variant(&self, variant: &str) -> bool {
        self.variant.as_deref().is_none_or(|name| name == variant)
    }

    /// One variant and its count, when exactly one run is wanted.
    pub(crate) fn single_run(&self) -> Option<(&str, u64)> {
        Some((self.variant.as_deref()?, self.count?))
    }

    /// How the binary was built, as its caller says: a binary cannot tell by itself.
    pub(crate) fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or("release")
    }

    /// Rounds a variant is measured in.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 9 })
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "")
        .parse()
        .map_err(|_| format!("{text} is not a number"))
}
