//! How tokens are got.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::error::{ProficloudError, Step};
use super::tokens::{Tokens, User};
use crate::timeseries::rest::{Ask, Excerpt, Reason, Rest, Secrets, Told, asked};

/// Where tokens come from, and how they are asked for.
pub(super) struct Login {
    url: Url,
    way: Way,
}

enum Way {
    /// OpenID Connect: a form, and refresh tokens.
    OpenId { id: String, secret: Option<String> },
    /// Name and password in JSON.
    Simple,
}

/// What is shown for a token.
pub(super) enum Grant<'a> {
    Password(&'a User),
    Refresh(&'a str),
}

/// The server's address with these folders below it.
pub(super) fn below(server: &Url, folders: &[&str]) -> Url {
    let mut url = server.clone();
    // URLs of HTTP can be a base.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(folders);
    }
    url
}

impl Login {
    pub(super) fn open_id(auth: &Url, realm: &str, id: String, secret: Option<String>) -> Login {
        let folders = [
            "auth",
            "realms",
            realm,
            "protocol",
            "openid-connect",
            "token",
        ];
        Login {
            url: below(auth, &folders),
            way: Way::OpenId { id, secret },
        }
    }

    pub(super) fn simple(data: &Url) -> Login {
        Login {
            url: below(data, &["epts", "token"]),
            way: Way::Simple,
        }
    }

    /// Whether it gives tokens for refresh tokens.
    pub(super) fn refreshes(&self) -> bool {
        matches!(self.way, Way::OpenId { .. })
    }

    /// What went wrong before anything was sent.
    pub(super) fn not_logged_in(&self) -> ProficloudError {
        let asked = asked(&Method::POST, &self.url);
        ProficloudError::new(Step::LogIn, Told::new(asked, 0, Reason::NotLoggedIn))
    }

    /// Asks for tokens.
    pub(super) async fn ask(
        &self,
        rest: &Rest,
        grant: Grant<'_>,
        leeway: Duration,
    ) -> Result<Tokens, ProficloudError> {
        let step = match grant {
            Grant::Password(_) => Step::LogIn,
            Grant::Refresh(_) => Step::Refresh,
        };
        let begin = Instant::now();
        let (kind, body) = self.body(&grant);
        let response = rest
            .ask(Ask {
                headers: vec![(CONTENT_TYPE, HeaderValue::from_static(kind))],
                // How long it is may be known.
                body: Some((Excerpt::of(&body, 0), body)),
                confidential: true,
                secrets: self.secrets(&grant),
                ..Ask::new(Method::POST, self.url.clone())
            })
            .await
            .map_err(|told| ProficloudError::new(step, told))?;
        Tokens::read(&response.body, begin, leeway).map_err(|why| {
            let reason = Reason::Undecodable {
                why,
                body: String::new(),
            };
            let asked = asked(&Method::POST, &self.url);
            ProficloudError::new(step, Told::new(asked, response.attempts, reason))
        })
    }

    fn body(&self, grant: &Grant<'_>) -> (&'static str, Bytes) {
        match (&self.way, grant) {
            (Way::OpenId { id, secret }, grant) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                match grant {
                    Grant::Password(user) => form
                        .append_pair("grant_type", "password")
                        .append_pair("username", &user.name)
                        .append_pair("password", &user.password),
                    Grant::Refresh(token) => form
                        .append_pair("grant_type", "refresh_token")
                        .append_pair("refresh_token", token),
                };
                form.append_pair("client_id", id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret);
                }
                ("application/x-www-form-urlencoded", form.finish().into())
            }
            (Way::Simple, grant) => {
                let json = match grant {
                    Grant::Password(User { name, password }) => {
                        serde_json::json!({"username": name, "password": password})
                    }
                    Grant::Refresh(token) => serde_json::json!({ "refresh_token": token }),
                };
                ("application/json", json.to_string().into())
            }
        }
    }

    /// As they are, and as forms write them.
    fn secrets(&self, grant: &Grant<'_>) -> Secrets {
        let shown = match grant {
            Grant::Password(user) => &user.password,
            Grant::Refresh(token) => *token,
        };
        let own = match &self.way {
            Way::OpenId { secret, .. } => secret.as_deref(),
            Way::Simple => None,
        };
        let all = std::iter::once(shown).chain(own);
        Secrets::new(all.flat_map(|secret| {
            let form = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            [secret.to_owned(), form]
        }))
    }
}
