//! Users and tokens. Nothing here has `Debug`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::timeseries::rest::Secrets;

/// Name and password.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl User {
    pub(super) fn new(name: impl Into<String>, password: impl Into<String>) -> User {
        User {
            name: name.into(),
            password: password.into(),
        }
    }
}

/// A token that queries are signed with.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) token: String,
    /// Each token has its own.
    pub(super) number: u64,
}

impl Access {
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::new([self.token.clone()])
    }
}

/// What the service gave.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) access: String,
    /// When it expires, if it says so.
    pub(super) ends: Option<Instant>,
    /// When another one is got, if there is one.
    pub(super) early: Option<Instant>,
    pub(super) refresh: Option<Refresh>,
}

/// A token for another token.
#[derive(Clone)]
pub(super) struct Refresh {
    pub(super) token: String,
    pub(super) ends: Option<Instant>,
}

impl Tokens {
    /// A token that came from elsewhere: good until it is refused.
    pub(super) fn given(access: String) -> Tokens {
        Tokens {
            access,
            ends: None,
            early: None,
            refresh: None,
        }
    }

    /// Of what the service answered to a request that was `asked` then. Says what is missing, and never what is
    /// there.
    pub(super) fn read(body: &[u8], asked: Instant, leeway: Duration) -> Result<Tokens, String> {
        let json: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the answer is no JSON: {:?}", error.classify()))?;
        let text = |name: &str| json[name].as_str().filter(|text| !text.is_empty());
        let access = text("access_token").ok_or("there is no text `access_token` in the answer")?;
        if !access.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err("the `access_token` has characters that no token may have".to_owned());
        }
        let after = |name: &str| {
            let secs = json[name].as_f64().filter(|secs| *secs >= 0.0)?;
            Duration::try_from_secs_f64(secs).ok()
        };
        let life = after("expires_in");
        let ends = |life: Duration| asked.checked_add(life);
        let refresh = text("refresh_token").map(|token| Refresh {
            token: token.to_owned(),
            // Zero is one that does not expire.
            ends: after("refresh_expires_in")
                .filter(|life| !life.is_zero())
                .and_then(ends),
        });
        Ok(Tokens {
            access: access.to_owned(),
            ends: life.and_then(ends),
            early: life.and_then(|life| ends(life - leeway.min(life / 10))),
            refresh,
        })
    }
}
