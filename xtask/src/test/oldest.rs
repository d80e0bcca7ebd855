//! What is said of the oldest Rust must be true.

use crate::shell;

/// Needs a newer Rust than the rest, as the crate does that it brings.
const NEWER: &str = "polars";

/// Checks what users get with the Rust of `rust-version`, which is fetched if it is missing.
pub(crate) fn check() -> Result<(), String> {
    let manifest = shell::root().join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).map_err(|error| error.to_string())?;
    let version = version(&manifest).ok_or("Cargo.toml states no rust-version")?;
    let features: Vec<&str> = features(&manifest).filter(|name| *name != NEWER).collect();
    if !shell::answers(&format!("rustup run {version} cargo --version")) {
        let fetch = format!("rustup toolchain install {version} --profile minimal");
        if shell::status(&mut shell::command(&fetch)).is_err() {
            println!("not checked: Rust {version} is not here, and rustup could not fetch it");
            return Ok(());
        }
    }
    let features = features.join(",");
    let line = format!("rustup run {version} cargo check -p headwater --features {features}");
    shell::status(&mut shell::command(&line))
}

fn version(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines();
    let stated = lines.find_map(|line| line.strip_prefix("rust-version = "))?;
    Some(stated.trim_matches('"'))
}

/// The names in the table of features.
fn features(manifest: &str) -> impl Iterator<Item = &str> {
    let table = manifest.lines().skip_while(|line| *line != "[features]");
    let table = table.skip(1).take_while(|line| !line.starts_with('['));
    table.filter_map(|line| {
        let (name, _) = line.split_once(" = ")?;
        name.chars().all(|c| c.is_ascii_lowercase()).then_some(name)
    })
}
