//! Who is logged in: the token, and one request for another one at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::{ProficloudError, Step};
use super::login::{Grant, Login};
use super::tokens::{Access, Refresh, Tokens, User};
use crate::timeseries::rest::Rest;

/// An early refresh that failed is tried again after this, while the token is still good.
const EARLY_AGAIN: Duration = Duration::from_secs(5);

pub(super) struct Session {
    login: Login,
    leeway: Duration,
    state: Mutex<State>,
    /// Held while tokens are asked for.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    user: Option<User>,
    tokens: Option<Tokens>,
    /// That of the token.
    number: u64,
    /// How often tokens were asked for.
    ended: u64,
    /// Why that failed the last time, if it did.
    failed: Option<ProficloudError>,
}

impl Session {
    pub(super) fn new(login: Login, leeway: Duration, user: Option<User>) -> Session {
        Session {
            login,
            leeway,
            state: Mutex::new(State {
                user,
                ..State::default()
            }),
            asking: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs in as this user, from now on.
    pub(super) async fn authenticate(
        &self,
        rest: &Rest,
        user: User,
    ) -> Result<(), ProficloudError> {
        let _asking = self.asking.lock().await;
        let tokens = self
            .login
            .ask(rest, Grant::Password(&user), self.leeway)
            .await?;
        let mut state = self.state();
        state.user = Some(user);
        state.have(tokens);
        Ok(())
    }

    /// A token that came from elsewhere.
    pub(super) fn give(&self, access: String) {
        let mut state = self.state();
        state.user = None;
        state.have(Tokens::given(access));
    }

    /// Whether there is a way to another token.
    pub(super) fn can_renew(&self) -> bool {
        let state = self.state();
        state.user.is_some() || state.refresh(self.login.refreshes()).is_some()
    }

    /// A token that is good, other than the one that was refused; and whether it is time for another one.
    pub(super) async fn access(
        &self,
        rest: &Rest,
        refused: Option<u64>,
    ) -> Result<(Access, bool), ProficloudError> {
        let ended = self.state().ended;
        if let Some(found) = self.look(refused) {
            return Ok(found);
        }
        let _asking = self.asking.lock().await;
        if let Some(found) = self.look(refused) {
            return Ok(found);
        }
        let failed = {
            let state = self.state();
            let after = state.ended > ended;
            state.failed.clone().filter(|_| after)
        };
        match failed {
            // Somebody else has just tried.
            Some(error) => Err(error),
            None => self.renew(rest).await.map(|access| (access, false)),
        }
    }

    /// Another token, while the one that there is will do; nobody waits for it.
    pub(super) async fn refresh_early(&self, rest: &Rest) {
        let Ok(_asking) = self.asking.try_lock() else {
            return;
        };
        if !self.look(None).is_some_and(|(_, early)| early) {
            return;
        }
        if let Err(error) = self.renew(rest).await {
            tracing::warn!(%error, "a token that expires soon is still used");
            if let Some(tokens) = &mut self.state().tokens {
                tokens.early = Instant::now().checked_add(EARLY_AGAIN);
            }
        }
    }

    /// The token, if it is good and not the one that was refused; and whether it is time for another one.
    fn look(&self, refused: Option<u64>) -> Option<(Access, bool)> {
        let state = self.state();
        let tokens = state.tokens.as_ref()?;
        let now = Instant::now();
        let past = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if refused == Some(state.number) || past(tokens.ends) {
            return None;
        }
        Some((state.access(tokens), past(tokens.early)))
    }

    /// Another token: for the refresh token, or else for the password. Whoever calls it holds `asking`.
    async fn renew(&self, rest: &Rest) -> Result<Access, ProficloudError> {
        let number = self.state().number;
        let outcome = self.ask(rest).await;
        let mut state = self.state();
        state.ended += 1;
        match (outcome, &state.tokens) {
            // Somebody gave one meanwhile, and that is the one to be used.
            (_, Some(tokens)) if state.number != number => Ok(state.access(tokens)),
            (Ok(tokens), _) => Ok(state.have(tokens)),
            (Err(error), _) => {
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn ask(&self, rest: &Rest) -> Result<Tokens, ProficloudError> {
        let (user, refresh) = {
            let state = self.state();
            (state.user.clone(), state.refresh(self.login.refreshes()))
        };
        if let Some(Refresh { token, .. }) = refresh {
            let refreshed = self.login.ask(rest, Grant::Refresh(&token), self.leeway);
            match refreshed.await {
                // It is not worth anything any more.
                Err(error) if is_refused(&error) => {
                    let mut state = self.state();
                    if let Some(tokens) = &mut state.tokens {
                        tokens.refresh = None;
                    }
                    if user.is_none() {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
        }
        match user {
            Some(user) => {
                self.login
                    .ask(rest, Grant::Password(&user), self.leeway)
                    .await
            }
            None => Err(self.login.not_logged_in()),
        }
    }
}

impl State {
    fn have(&mut self, tokens: Tokens) -> Access {
        self.number += 1;
        self.failed = None;
        let access = self.access(&tokens);
        self.tokens = Some(tokens);
        access
    }

    fn access(&self, tokens: &Tokens) -> Access {
        Access {
            token: tokens.access.clone(),
            number: self.number,
        }
    }

    fn refresh(&self, refreshes: bool) -> Option<Refresh> {
        let refresh = self.tokens.as_ref()?.refresh.as_ref();
        let good = |refresh: &&Refresh| refresh.ends.is_none_or(|ends| ends > Instant::now());
        refresh.filter(good).filter(|_| refreshes).cloned()
    }
}

fn is_refused(error: &ProficloudError) -> bool {
    error.step() == Step::Refresh && matches!(error.status(), Some(400 | 401 | 403))
}
