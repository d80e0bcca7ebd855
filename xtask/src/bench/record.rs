//! What the benches print: one flat JSON object a line.

use std::collections::BTreeMap;

/// One line: its fields by name, as text.
///
/// Flat objects whose strings hold no escapes are all the benches print, so this reads no more than
/// that; a JSON library would be the only dependency of `cargo xtask test`.
#[derive(Debug, PartialEq)]
pub(crate) struct Record(BTreeMap<String, String>);

impl Record {
    /// Reads a line; none if it is not an object.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut rest = line.trim().strip_prefix('{')?.strip_suffix('}')?;
        let mut fields = BTreeMap::new();
        while !rest.is_empty() {
            let (name, after) = rest.strip_prefix('"')?.split_once("\":")?;
            let (value, after) = match after.strip_prefix('"') {
                Some(text) => {
                    let (text, after) = text.split_once('"')?;
                    (text, after.strip_prefix(',').unwrap_or(after))
                }
                None => after.split_once(',').unwrap_or((after, "")),
            };
            fields.insert(name.to_owned(), value.to_owned());
            rest = after;
        }
        Some(Self(fields))
    }

    /// A field as text, empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field as a number.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }

    /// Adds a field.
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), format!("{value:.2}"));
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn reads_what_the_benches_print() {
        let line =
            r#"{"kind":"row","variant":"boxed callbacks, one by one","ns":1.50,"measured":null}"#;
        let record = Record::parse(line).expect("an object");
        assert_eq!(record.text("variant"), "boxed callbacks, one by one");
        assert_eq!(record.number("ns"), Some(1.5));
        assert_eq!(record.number("measured"), None);
        assert_eq!(record.text("absent"), "");
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert_eq!(Record::parse("warning: something"), None);
    }
}
