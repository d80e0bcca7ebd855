//! How a client is made.

use std::fmt;
use std::time::Duration;

use super::client::ProficloudIo;
use super::login::Login;
use super::session::Session;
use super::tokens::User;
use crate::remote::shown_url;
use crate::timeseries::rest::{BuildError, Credentials, Transport, server_url, transport_options};

/// How a client of proficloud.io is made: where it asks, who it is, how patient it is.
///
/// ```
/// use headwater::timeseries::proficloud::ProficloudIo;
/// use std::time::Duration;
///
/// let client = ProficloudIo::builder()
///     .user("somebody@example.com", "secret") // logs in when it is first needed
///     .timeout(Duration::from_secs(10))
///     .proxy_from_environment()
///     .build()?;
/// # drop(client);
/// # Ok::<(), headwater::timeseries::kairosdb::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ProficloudIoBuilder {
    data_url: String,
    auth_url: String,
    realm: String,
    client_id: String,
    client_secret: Option<String>,
    influx: bool,
    user: Option<User>,
    leeway: Duration,
    transport: Transport,
}

impl ProficloudIoBuilder {
    pub(super) fn new(domain: &str) -> ProficloudIoBuilder {
        ProficloudIoBuilder {
            data_url: format!("https://tsd.{domain}"),
            auth_url: format!("https://auth.{domain}"),
            realm: "kaa".to_owned(),
            client_id: "grafana-frontend".to_owned(),
            client_secret: None,
            influx: false,
            user: None,
            leeway: Duration::from_secs(30),
            transport: Transport::default(),
        }
    }

    /// Who it is. Nothing is sent before the first query; to know at once whether the password is right, call
    /// [`authenticate`](ProficloudIo::authenticate) instead.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some(User::new(name, password));
        self
    }

    /// Where points are asked for, below `/epts/`; `https://tsd.proficloud.io` by default.
    pub fn data_url(mut self, url: impl Into<String>) -> Self {
        self.data_url = url.into();
        self
    }

    /// Where tokens come from, below `/auth/realms/`; `https://auth.proficloud.io` by default.
    pub fn auth_url(mut self, url: impl Into<String>) -> Self {
        self.auth_url = url.into();
        self
    }

    /// The realm of users; `kaa` by default.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// What this program is called to the service that gives tokens; `grafana-frontend` by default.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = id.into();
        self
    }

    /// This program's own secret, where the service wants one; none by default.
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// Asks as later releases of the Python package do, all where points are: for tokens at `/epts/token`, by name
    /// and password in JSON, and for points at `/query`, in InfluxQL. Such tokens are not refreshed: a new one is
    /// got by the password. Points can be [aggregated](super::IoQuery::aggregate) by the service.
    pub fn influx(mut self) -> Self {
        self.influx = true;
        self
    }

    /// How long before a token expires another one is got; 30 seconds by default, and a tenth of its life at most.
    pub fn refresh_early(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    transport_options!();

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// What can't be understood of what was given: URLs, headers, certificates.
    pub fn build(self) -> Result<ProficloudIo, BuildError> {
        let data = server_url(&self.data_url, "https://tsd.proficloud.io")?;
        let auth = server_url(&self.auth_url, "https://auth.proficloud.io")?;
        let span = |asked: &str| tracing::debug_span!("proficloud", asked);
        let servers = [&data, if self.influx { &data } else { &auth }];
        let rest = self.transport.build(&servers, Credentials::None, span)?;
        let login = match self.influx {
            true => Login::simple(&data),
            false => Login::open_id(&auth, &self.realm, self.client_id, self.client_secret),
        };
        Ok(ProficloudIo::with(
            rest,
            data,
            self.influx,
            Session::new(login, self.leeway, self.user),
        ))
    }
}

impl fmt::Debug for ProficloudIoBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProficloudIoBuilder")
            .field("data_url", &shown_url(&self.data_url))
            .field("auth_url", &shown_url(&self.auth_url))
            .finish_non_exhaustive()
    }
}
