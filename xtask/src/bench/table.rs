//! The table of ratios.

use super::record::Record;

/// Prints all rows of a profile, and below each workload what became of its targets.
pub(crate) fn print(profile: &str, records: &[Record]) {
    let counted = records
        .iter()
        .any(|record| record.number("instructions").is_some());
    println!("\n# profile {profile}\n");
    println!("| workload | variant | ns | x loop | instructions | x loop |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    let mut base = None;
    for row in of_kind(records, "row") {
        let workload = row.text("workload");
        let first = base.is_none_or(|base: &Record| base.text("workload") != workload);
        let baseline = if first { row } else { base.unwrap_or(row) };
        base = Some(baseline);
        let name = if first { workload } else { "" };
        let [ns, ratio] = ["ns", "ratio"].map(|field| row.number(field).unwrap_or(f64::NAN));
        let counts = match (row.number("instructions"), baseline.number("instructions")) {
            (Some(count), Some(base)) => format!("{count:.1} | {:.2}", count / base),
            _ => "| ".to_owned(),
        };
        println!(
            "| {name} | {} | {ns:.2} | {ratio:.2} | {counts} |",
            row.text("variant")
        );
    }
    if !counted {
        println!("\n(no instruction counts)");
    }
    println!("\n| workload | target | measured | |");
    println!("| --- | --- | ---: | --- |");
    for target in of_kind(records, "target") {
        let [workload, variant, limit, outcome] =
            ["workload", "variant", "limit", "outcome"].map(|field| target.text(field));
        let measured = target
            .number("measured")
            .map_or("-".to_owned(), |found| format!("{found:.2}"));
        println!("| {workload} | {variant} {limit} | {measured} | {outcome} |");
    }
}

fn of_kind<'a>(records: &'a [Record], kind: &'a str) -> impl Iterator<Item = &'a Record> {
    records
        .iter()
        .filter(move |record| record.text("kind") == kind)
}
