//! The lineage of what is made of several elements: the tokens of all of them.

use super::context::Cx;
use super::lineage::{Lost, Token};

/// Tokens of the elements that something is made of, neighbours that share one counted once. Free while nothing is
/// tracked. Dropped with tokens inside (teardown), it fails them.
#[derive(Default)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    /// Notes the token of the element under way.
    #[inline]
    pub(crate) fn note(&mut self, cx: &Cx) {
        if cx.token.is_some() {
            self.add(&cx.token);
        }
    }

    /// Keeps the token of something that waits.
    pub(crate) fn of(token: Token) -> Tokens {
        let mut tokens = Tokens::default();
        tokens.keep(token);
        tokens
    }

    /// Notes a token that was kept apart.
    pub(crate) fn keep(&mut self, token: Token) {
        if token.is_some() {
            self.add(&token);
        }
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, token: &Token) {
        if !self.0.last().is_some_and(|last| last.same(token)) {
            self.0.push(token.clone());
        }
    }

    /// The token of what was made of all of them.
    #[inline]
    pub(crate) fn take(&mut self) -> Token {
        if self.0.is_empty() {
            Token::NONE
        } else {
            Token::merge(self.0.drain(..))
        }
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.0.iter().for_each(|token| token.fail(Lost::TornDown));
    }
}
