//! What must not be shown, also where a server repeats it.

use std::borrow::Cow;
use std::sync::Arc;

/// What is shorter turns up by chance, and what is left out would tell it.
const SHORTEST: usize = 4;
const HIDDEN: &str = "…";

/// Texts that are left out of everything that is shown.
#[derive(Clone, Default)]
pub(in crate::timeseries) struct Secrets(Arc<[String]>);

impl Secrets {
    /// They are hidden as JSON writes them, too.
    pub(in crate::timeseries) fn new(secrets: impl IntoIterator<Item = String>) -> Secrets {
        let secrets = secrets.into_iter();
        let mut secrets: Vec<_> = secrets.filter(|text| text.len() >= SHORTEST).collect();
        let in_json = |secret: &String| {
            let json = serde_json::Value::from(&**secret).to_string();
            let within = json.strip_prefix('"')?.strip_suffix('"')?;
            (within != secret).then(|| within.to_owned())
        };
        let in_json: Vec<_> = secrets.iter().filter_map(in_json).collect();
        secrets.extend(in_json);
        // Of two that contain each other, the longer one is to be found.
        secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Secrets(secrets.into())
    }

    /// These, and those.
    pub(super) fn with(&self, more: Secrets) -> Secrets {
        match (self.0.is_empty(), more.0.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => more,
            _ => Secrets::new(self.0.iter().chain(&*more.0).cloned()),
        }
    }

    pub(super) fn longest(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// A text without them.
    pub(in crate::timeseries) fn hide<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        self.0
            .iter()
            .fold(text, |text, secret| match text.contains(&**secret) {
                true => text.replace(&**secret, HIDDEN).into(),
                false => text,
            })
    }

    /// Bytes without them.
    pub(super) fn hide_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.0.is_empty() {
            return bytes.into();
        }
        match self.hide(String::from_utf8_lossy(bytes)) {
            Cow::Owned(text) if self.0.iter().any(|secret| has(bytes, secret)) => {
                text.into_bytes().into()
            }
            _ => bytes.into(),
        }
    }
}

fn has(bytes: &[u8], secret: &str) -> bool {
    let mut windows = bytes.windows(secret.len());
    windows.any(|window| window == secret.as_bytes())
}
