//! The sets of features users pick must all compile.

/// A name and a command for each set.
pub(crate) fn lines() -> Vec<(String, String)> {
    let sets = [
        ("no default features", "--no-default-features"),
        ("default features", ""),
        ("the facade alone", "--features headwater/facade"),
        ("spans alone", "--features headwater/spans"),
        (
            "the client of KairosDB alone",
            "--features headwater/kairosdb",
        ),
        (
            "the clients of Proficloud alone",
            "--features headwater/proficloud",
        ),
        ("serde alone", "--features headwater/serde"),
        ("tables alone", "--features headwater/tables"),
        (
            "tables and the client of KairosDB",
            "--features headwater/kairosdb,headwater/tables",
        ),
        ("all features", "--all-features"),
    ];
    let packages = super::PACKAGES;
    let line = |(name, flags)| (name_of(name), format!("cargo check {packages} {flags}"));
    sets.into_iter().map(line).collect()
}

fn name_of(set: &str) -> String {
    format!("check with {set}")
}
