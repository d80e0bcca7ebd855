//! `cargo xtask services`: the servers of the tests, for people too.

use std::process::ExitCode;
use std::sync::mpsc;

use headwater_services::{ALL, Kind, ci, install};

/// What to do with servers.
#[derive(Debug)]
pub(crate) enum Action {
    List,
    Install,
    Start(Vec<&'static Kind>),
}

impl Action {
    /// Reads what follows `services`.
    pub(crate) fn from_args(args: &[String]) -> Result<Self, String> {
        let (action, names) = match args.split_first() {
            None => return Ok(Self::List),
            Some((action, names)) => (action.as_str(), names),
        };
        match action {
            "list" if names.is_empty() => Ok(Self::List),
            "install" if names.is_empty() => Ok(Self::Install),
            "start" if names.is_empty() => Err(format!("start which of {}?", known())),
            "start" => Ok(Self::Start(
                names
                    .iter()
                    .map(|name| named(name))
                    .collect::<Result<_, _>>()?,
            )),
            _ => Err(format!("services {} is not a command", args.join(" "))),
        }
    }
}

/// Does it, and says why it could not.
pub(crate) fn run(action: &Action) -> ExitCode {
    let done = match action {
        Action::List => {
            list();
            Ok(())
        }
        Action::Install => prepare(),
        Action::Start(kinds) => start(kinds),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Installs what is missing. What can't be had is said, with the tests that will be skipped for it; that
/// is a failure in CI only.
pub(crate) fn prepare() -> Result<(), String> {
    let mut lacking = Vec::new();
    for (kind, lacks) in install(&ALL).map_err(|error| error.to_string())? {
        match lacks {
            None => println!("{}: ready", kind.name),
            Some(why) => {
                println!("{}: tests with it are SKIPPED: {why}", kind.name);
                lacking.push(kind.name);
            }
        }
    }
    if ci() && !lacking.is_empty() {
        return Err(format!("CI skips nothing; lacking: {}", lacking.join(", ")));
    }
    Ok(())
}

fn list() {
    for kind in ALL {
        println!("{:18}{}", kind.name, kind.about);
        match kind.missing() {
            None => println!("{:18}ready", ""),
            Some(why) => println!("{:18}not installed: {why}", ""),
        }
    }
}

/// Starts servers, and keeps them until Ctrl-C.
fn start(kinds: &[&'static Kind]) -> Result<(), String> {
    let (stop, stopped) = mpsc::channel();
    let handler = move || {
        // The receiver is there as long as this function runs; after it there is nothing to stop.
        let _ = stop.send(());
    };
    ctrlc::set_handler(handler).map_err(|error| error.to_string())?;
    let mut servers = Vec::new();
    for kind in kinds {
        let start = kind
            .start
            .ok_or_else(|| format!("{} is no server: there is nothing to start", kind.name))?;
        let server = start().map_err(|error| error.to_string())?;
        println!("{}", kind.name);
        for (label, address) in server.addresses() {
            println!("    {label:18}{address}");
        }
        println!("    {:18}{}", "data and log", server.directory().display());
        servers.push(server);
    }
    println!("Ctrl-C stops, and removes the data.");
    stopped.recv().map_err(|error| error.to_string())?;
    for mut server in servers {
        println!("stopping {}", server.kind().name);
        server.stop().map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn named(name: &str) -> Result<&'static Kind, String> {
    let found = ALL.into_iter().find(|kind| kind.name == name);
    found.ok_or_else(|| format!("there is no {name} among {}", known()))
}

fn known() -> String {
    ALL.map(|kind| kind.name).join(", ")
}
