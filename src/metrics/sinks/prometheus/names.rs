//! Names and labels as Prometheus allows them, and escapes.

use std::fmt::Write as _;

use super::mapping::Sort;
use crate::metrics::{TagRef, Tags};

/// A legal name: each character that is no ASCII letter, digit or underscore becomes an underscore, and
/// one stands in front of a digit. The colon is among them: it is for names that rules make.
pub(super) fn legal(name: &str) -> String {
    let mut legal = String::with_capacity(name.len() + 1);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        legal.push('_');
    }
    legal.extend(name.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => c,
        _ => '_',
    }));
    legal
}

/// A legal name of a label: two underscores in front are Prometheus' own, so one is left; and in a
/// summary `quantile` is taken.
fn label(name: &str, sort: Sort) -> String {
    let legal = legal(name);
    match legal.strip_prefix("__") {
        Some(rest) => format!("_{}", rest.trim_start_matches('_')),
        None if sort == Sort::Summary && legal == "quantile" => format!("exported_{legal}"),
        None => legal,
    }
}

/// Tags as labels: `code="200",route="/home"`, sorted by name. A tag without text is left out, since to
/// Prometheus that is the same. Fails with a name that two tags would have.
pub(super) fn labels(tags: &Tags, sort: Sort) -> Result<String, String> {
    let all = tags
        .iter()
        .filter(|(_, value)| !matches!(value.as_ref(), TagRef::Str("")));
    let mut all: Vec<_> = all
        .map(|(name, value)| (label(name, sort), value.to_string()))
        .collect();
    all.sort();
    if let Some(twice) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(twice[0].0.clone());
    }
    let mut labels = String::new();
    for (name, value) in all {
        let comma = if labels.is_empty() { "" } else { "," };
        // Writing to a `String` does not fail.
        let _ = write!(labels, "{comma}{name}=\"");
        escape(&value, true, &mut labels);
        labels.push('"');
    }
    Ok(labels)
}

/// Backslashes and newlines get a backslash, and quotes where they would end the text.
pub(super) fn escape(text: &str, quotes: bool, to: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '"' if quotes => to.push_str("\\\""),
            other => to.push(other),
        }
    }
}
