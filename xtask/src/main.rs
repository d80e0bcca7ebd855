//! The project's own commands: `cargo xtask test`, `cargo xtask bench` and `cargo xtask services`.

mod bench;
mod services;
mod shell;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask test
       cargo xtask bench [--quick] [--lto] [--no-callgrind] [--no-compile-gate] [--workload NAME]
       cargo xtask services [list | install | start NAME…]

  test      everything that must hold before a change goes in; .ci/run is the same
  bench     headwater beside hand-written loops and peers: ratios in the default release profile and
            with LTO, instructions an element (where valgrind is installed), and what chains of
            operators cost to compile
            --quick            few short rounds, default profile only
            --lto              the LTO profile only
            --no-callgrind     no instruction counts
            --no-compile-gate  no compile times
            --workload NAME    one workload only
  services  the servers that tests run against, on loopback
            list               which there are, and what each lacks on this machine (the default)
            install            fetches what is missing: Debian packages (as root), jars by Maven
            start NAME…        starts some, prints their addresses, and stops them at Ctrl-C";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("--help", [].as_slice()),
    };
    match command {
        "test" if rest.is_empty() => test::run(),
        "bench" => match bench::Options::from_args(rest) {
            Ok(options) => bench::run(&options),
            Err(complaint) => mistaken(&complaint),
        },
        "services" => match services::Action::from_args(rest) {
            Ok(action) => services::run(&action),
            Err(complaint) => mistaken(&complaint),
        },
        "--help" | "-h" | "help" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => mistaken(&format!("{} is not a command", args.join(" "))),
    }
}

fn mistaken(complaint: &str) -> ExitCode {
    eprintln!("{complaint}\n\n{USAGE}");
    ExitCode::from(2)
}
