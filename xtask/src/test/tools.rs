//! What the steps need that a bare machine may lack.

use crate::shell;

/// Installs the components of the toolchain that are missing.
pub(crate) fn install() -> Result<(), String> {
    for (component, probe) in [
        ("rustfmt", "cargo fmt --version"),
        ("clippy", "cargo clippy --version"),
    ] {
        if shell::answers(probe) {
            continue;
        }
        println!("installing {component}");
        shell::status(&mut shell::command(&format!(
            "rustup component add {component}"
        )))
        .map_err(|why| format!("{component} is missing and rustup could not add it ({why})"))?;
    }
    Ok(())
}
