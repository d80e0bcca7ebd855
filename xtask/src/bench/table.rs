//! The table of ratios.

use super::record::Record;

/// Prints all rows of a profile, what became of the targets, and the tables of operators.
pub(crate) fn print(profile: &str, records: &[Record]) {
    let counted = records
        .iter()
        .any(|record| record.number("instructions").is_some());
    println!("\n# profile {profile}");
    workloads(records);
    if !counted {
        println!("\n(no instruction counts)");
    }
    targets(records);
    operators(records);
}

/// A row a variant.
fn workloads(records: &[Record]) {
    let mut rows = of_kind(records, "row")
        .filter(|row| !is_pair(row))
        .peekable();
    if rows.peek().is_none() {
        return;
    }
    println!("\n| workload | variant | ns | x loop | instructions | x loop |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    let mut base = None;
    for row in rows {
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
}

fn targets(records: &[Record]) {
    let mut targets = of_kind(records, "target").peekable();
    if targets.peek().is_none() {
        return;
    }
    println!("\n| workload | target | measured | |");
    println!("| --- | --- | ---: | --- |");
    for target in targets {
        let [workload, variant, limit, outcome] =
            ["workload", "variant", "limit", "outcome"].map(|field| target.text(field));
        let measured = target
            .number("measured")
            .map_or("-".to_owned(), |found| format!("{found:.2}"));
        println!("| {workload} | {variant} {limit} | {measured} | {outcome} |");
    }
}

/// A row an operator: the variants of a pair, the one by hand first, lie one after the other.
fn operators(records: &[Record]) {
    let mut rows = of_kind(records, "row").filter(is_pair).peekable();
    if rows.peek().is_none() {
        return;
    }
    println!(
        "\n| operator | by hand ns | headwater ns | ratio | by hand instructions | headwater | ratio |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    while let (Some(by_hand), Some(ours)) = (rows.next(), rows.next()) {
        let columns = |field, digits| match (by_hand.number(field), ours.number(field)) {
            (Some(base), Some(count)) => {
                format!("{base:.digits$} | {count:.digits$} | {:.2}", count / base)
            }
            _ => "| | ".to_owned(),
        };
        let (name, ns, instructions) = (
            ours.text("workload"),
            columns("ns", 2),
            columns("instructions", 1),
        );
        println!("| {name} | {ns} | {instructions} |");
    }
}

/// Whether the row belongs to a table of operators.
fn is_pair(row: &&Record) -> bool {
    !row.text("table").is_empty()
}

fn of_kind<'a>(records: &'a [Record], kind: &'a str) -> impl Iterator<Item = &'a Record> {
    records
        .iter()
        .filter(move |record| record.text("kind") == kind)
}
