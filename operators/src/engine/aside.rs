//! What is done in the course of a push, but is not a matter of it: with another token beside it, for
//! another origin, or behind the emitter's back.

use super::context::Cx;
use super::lineage::Token;
use super::topology::NodeId;

impl Cx {
    /// Does `work` with this token riding beside, then goes on with the one that rode before.
    #[inline]
    pub(crate) fn with_token<R>(&mut self, token: Token, work: impl FnOnce(&mut Cx) -> R) -> R {
        let ambient = std::mem::replace(&mut self.token, token);
        let answer = work(self);
        self.token = ambient;
        answer
    }

    /// Does `work` as if `id` had started it: whoever is full has that node wait, and not the origin
    /// of the push under way.
    #[inline]
    pub(crate) fn with_origin<R>(&mut self, id: NodeId, work: impl FnOnce(&mut Cx) -> R) -> R {
        let origin = std::mem::replace(&mut self.origin, id);
        let answer = work(self);
        self.origin = origin;
        answer
    }

    /// Does `work` whose failures are not the emitter's: they are reported, and not its error.
    #[inline]
    pub(crate) fn without_emitter<R>(&mut self, work: impl FnOnce(&mut Cx) -> R) -> R {
        let emitting = std::mem::replace(&mut self.faults.emitting, false);
        let answer = work(self);
        self.faults.emitting = emitting;
        answer
    }

    /// Lets `push` push what the node held. The push under way has no part in that: not its token,
    /// nor its failures, nor is it its origin that waits where somebody is full.
    pub(crate) fn aside(&mut self, id: NodeId, push: impl FnOnce(&mut Cx)) {
        self.with_origin(id, |cx| {
            cx.with_token(Token::NONE, |cx| cx.without_emitter(push));
        });
    }
}
