//! What was measured, for people and for programs.

use crate::harness::Row;
use crate::verdict::Verdict;
use crate::workload::{Role, Workload};

/// Prints a workload's rows and what became of its targets.
pub(crate) fn table(workload: &Workload, rows: &[Row], verdicts: &[Verdict]) {
    println!(
        "\n{}: {} (ns a {})",
        workload.name, workload.what, workload.unit
    );
    let base = rows.first().map_or(f64::NAN, |row| row.nanos);
    for row in rows {
        let (name, nanos, ratio) = (row.name, row.nanos, row.nanos / base);
        let (fastest, slowest) = (row.fastest, row.slowest);
        println!("  {name:<34} {nanos:>9.2} {ratio:>7.2}x   ({fastest:.2} to {slowest:.2})");
    }
    for verdict in verdicts {
        let measured = verdict
            .measured
            .map_or("-".to_owned(), |found| format!("{found:.2}"));
        let (variant, limit, outcome) = (verdict.variant, verdict.limit, verdict.outcome.name());
        println!("  target: {variant} {limit}: {measured} {outcome}");
    }
}

/// Prints what stands above a table of pairs.
pub(crate) fn head_of_pairs(table: &str) {
    let (by_hand, ours) = ("by hand", "headwater");
    println!("\n{table} (ns an element)");
    println!("  {:<34} {by_hand:>9} {ours:>9}    ratio", "");
}

/// Prints an operator's row.
pub(crate) fn pair(workload: &Workload, rows: &[Row]) {
    let name = workload.name;
    let nanos = |role| {
        let row = rows.iter().find(|row| row.role == role);
        row.map_or(f64::NAN, |row| row.nanos)
    };
    let (by_hand, ours) = (nanos(Role::Hand), nanos(Role::Ours));
    let ratio = ours / by_hand;
    println!("  {name:<34} {by_hand:>9.2} {ours:>9.2} {ratio:>7.2}x");
}

/// Prints the same as one flat JSON object a line. Names hold no character that wants escaping.
pub(crate) fn json(workload: &Workload, rows: &[Row], verdicts: &[Verdict], profile: &str) {
    let (name, unit, countable) = (workload.name, workload.unit, workload.countable);
    let table = workload.table.unwrap_or_default();
    let base = rows.first().map_or(f64::NAN, |row| row.nanos);
    for row in rows {
        println!(
            r#"{{"kind":"row","profile":"{profile}","workload":"{name}","table":"{table}","unit":"{unit}","countable":{countable},"variant":"{}","role":"{}","ns":{:.4},"fastest":{:.4},"slowest":{:.4},"ratio":{:.4}}}"#,
            row.name,
            row.role.name(),
            row.nanos,
            row.fastest,
            row.slowest,
            row.nanos / base,
        );
    }
    for verdict in verdicts {
        let measured = verdict
            .measured
            .map_or("null".to_owned(), |found| format!("{found:.4}"));
        println!(
            r#"{{"kind":"target","profile":"{profile}","workload":"{name}","variant":"{}","limit":"{}","measured":{measured},"outcome":"{}"}}"#,
            verdict.variant,
            verdict.limit,
            verdict.outcome.name(),
        );
    }
}
