//! What was measured, for people and for programs.

use crate::harness::Row;
use crate::verdict::Verdict;
use crate::workload::Workload;

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

/// Prints the same as one flat JSON object a line. Names hold no character that wants escaping.
pub(crate) fn json(workload: &Workload, rows: &[Row], verdicts: &[Verdict], profile: &str) {
    let (name, unit, countable) = (workload.name, workload.unit, workload.countable);
    let base = rows.first().map_or(f64::NAN, |row| row.nanos);
    for row in rows {
        println!(
            r#"{{"kind":"row","profile":"{profile}","workload":"{name}","unit":"{unit}","countable":{countable},"variant":"{}","role":"{}","ns":{:.4},"fastest":{:.4},"slowest":{:.4},"ratio":{:.4}}}"#,
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
