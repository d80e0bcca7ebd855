//! One row of a zip: what becomes of it when some of its places hold no element.

use super::gate::Gate;
use crate::engine::{Cx, Failure, Loss, Lost, Push, Signal, Slot, Token};

/// Collects the places of one row: a failure or a hole in any of them makes the row a hole, and
/// the mates are counted and lost.
#[derive(Default)]
pub(crate) struct RowCheck {
    tokens: smallvec::SmallVec<[Token; 2]>,
    failure: Option<(Failure, Token)>,
    broken: bool,
    items: usize,
}

impl RowCheck {
    /// The element that stood in the place, if it was one.
    pub(crate) fn take<T>(&mut self, place: Option<(Slot<T>, Token)>, cx: &mut Cx) -> Option<T> {
        let (slot, token) = place?;
        match slot {
            Slot::Item(item) => {
                self.items += 1;
                if token.is_some() {
                    self.tokens.push(token);
                }
                return Some(item);
            }
            Slot::Hole => {}
            Slot::Failure(failure) if self.failure.is_none() => {
                self.failure = Some((failure, token));
            }
            // One place, one failure: the others of the row go no further.
            Slot::Failure(failure) => cx.with_token(token, |cx| cx.report(failure)),
        }
        self.broken = true;
        None
    }

    /// Pushes the row, or what became of it.
    pub(crate) fn finish<O: 'static>(
        self,
        row: Option<O>,
        gate: &Gate,
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) {
        match row {
            Some(row) if !self.broken => {
                cx.with_token(Token::merge(self.tokens), |cx| next.push(row, cx));
            }
            _ => {
                self.tokens.iter().for_each(|t| t.fail(Lost::Discarded));
                cx.lose(gate.label.id(), Loss::Unpaired, self.items);
                match self.failure {
                    Some((failure, token)) => {
                        cx.with_token(token, |cx| next.signal(Signal::Fail(failure), cx));
                    }
                    None => cx.with_token(Token::NONE, |cx| next.signal(Signal::Hole, cx)),
                }
            }
        }
    }
}
