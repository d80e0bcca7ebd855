//! What was said of a client becomes one.

use super::builder::KairosDbBuilder;
use super::client::{KairosDb, Settings};
use super::unfit::Unfit;
use crate::timeseries::rest::{BuildError, server_url};

impl KairosDbBuilder {
    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// What can't be understood of what was given (URLs, headers, certificates), and what is zero and must not
    /// be.
    pub fn build(self) -> Result<KairosDb, BuildError> {
        BuildError::unless_zero(&[
            (
                self.format.ttl.is_some_and(|ttl| ttl.is_zero()),
                "ttl",
                "it means for ever to the store: leave it out",
            ),
            (
                self.format.max_points == 0,
                "max_points",
                "let it be 1 at least",
            ),
        ])?;
        let mut base = server_url(&self.url, "http://127.0.0.1:8080")?;
        let path = base.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix("/api/v1").unwrap_or(&path);
        base.set_path(&format!("{path}/api/v1/"));
        if !self.format.tags.is_empty() {
            let wrong = |why: Unfit| BuildError::new("tags of every point", why);
            Unfit::tags(&self.format.tags).map_err(wrong)?;
        }
        let span = |asked: &str| tracing::debug_span!("kairosdb", asked);
        let rest = self.transport.build(&[&base], self.credentials, span)?;
        let settings = Settings {
            query_path: self.query_path,
            write_path: self.write_path,
            repeat_writes: self.repeat_writes,
            gzip: self.gzip,
            format: self.format,
            gateway: self.gateway,
        };
        Ok(KairosDb::with(base, rest, settings))
    }
}
