//! The lineage of a group: the tokens of all elements it was made of.

use crate::engine::{Cx, Lost, Push, Token};

/// Tokens of the elements in a group, neighbours that share one counted once. Free while nothing is
/// tracked. Dropped with tokens inside (teardown), it fails them.
#[derive(Default)]
pub(super) struct Tokens(Vec<Token>);

impl Tokens {
    /// Notes the token of the element under way.
    #[inline]
    pub(super) fn note(&mut self, cx: &Cx) {
        if cx.token.is_some() {
            self.add(&cx.token);
        }
    }

    /// Keeps the token of something that waits.
    pub(super) fn of(token: Token) -> Tokens {
        let mut tokens = Tokens::default();
        tokens.keep(token);
        tokens
    }

    /// Notes a token that was kept apart.
    pub(super) fn keep(&mut self, token: Token) {
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
    pub(super) fn take(&mut self) -> Token {
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

/// Pushes what was made of several elements, with their token beside it.
#[inline]
pub(super) fn push_with<T>(next: &mut impl Push<T>, item: T, token: Token, cx: &mut Cx) {
    let ambient = std::mem::replace(&mut cx.token, token);
    next.push(item, cx);
    cx.token = ambient;
}
