//! The ways of one element into its graph: at once, queued, or after waiting.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::context::Cx;
use super::error::{EmitError, GraphError};
use super::graph::{Core, Entered};
use super::inbox::{self, Inside};
use super::inlet::{SourceCell, bits};
use super::line::{InLine, Place};
use super::lineage::Token;
use super::push::Push;
use crate::InGraph;

/// The way into the graph: what a source and its weak handles share.
pub(super) struct Way<T> {
    pub(super) core: Arc<Core>,
    pub(super) cell: Arc<SourceCell<T>>,
}

/// What became of an element that was accepted without waiting for the lock.
pub(super) enum Offered {
    /// It ran, or whoever is to run it is known.
    Ran,
    /// It lies in the inbox: [`hand_over`](Way::hand_over) sees to it that somebody looks.
    Left,
}

impl<T> Clone for Way<T> {
    fn clone(&self) -> Self {
        Way {
            core: self.core.clone(),
            cell: self.cell.clone(),
        }
    }
}

impl<T: InGraph> Way<T> {
    /// Inlined, as are the ways of the source that lead here: a call from outside costs a fifth of it.
    #[inline(always)]
    pub(super) fn emit(&self, item: T) -> Result<(), EmitError<T>> {
        if inbox::is_inside() {
            return self.emit_inside(item, Token::NONE);
        }
        let core = &*self.core;
        let inside = Inside::enter_first(core);
        let Ok(mut guard) = core.state.lock() else {
            return Err(self.poisoned(item));
        };
        let cx = &mut *guard;
        if self.cell.state.load(Ordering::Relaxed) != 0 || core.inbox.is_flagged() {
            return self.push_and_exit(
                item,
                Token::NONE,
                Entered {
                    guard,
                    inside,
                    core,
                },
            );
        }
        cx.begin(self.cell.id);
        let mut head = self.cell.head.take(cx);
        head.push(item, cx);
        self.cell.head.put(cx, head);
        if cx.todo || core.inbox.is_flagged() {
            return exit_with_fault(Entered {
                guard,
                inside,
                core,
            });
        }
        drop(guard);
        inside.exit();
        Ok(())
    }

    /// As `emit`, for those who seldom do it, or may wait: one copy for all of them.
    #[inline(never)]
    pub(super) fn emit_outlined(&self, item: T) -> Result<(), EmitError<T>> {
        self.emit(item)
    }

    /// As `emit`, for an element that may be tracked.
    pub(super) fn emit_with(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        if inbox::is_inside() {
            return self.emit_inside(item, token);
        }
        match self.core.enter() {
            Ok(entered) => self.push_and_exit(item, token, entered),
            Err(_) => Err(EmitError::Poisoned(item)),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_and_exit(
        &self,
        item: T,
        token: Token,
        mut entered: Entered<'_>,
    ) -> Result<(), EmitError<T>> {
        let outcome = self.push_guarded(item, token, &mut entered.guard);
        entered.settle_and_exit();
        outcome
    }

    /// Pushes one element after looking at everything that could speak against it.
    #[cold]
    #[inline(never)]
    pub(super) fn push_guarded(
        &self,
        item: T,
        token: Token,
        cx: &mut Cx,
    ) -> Result<(), EmitError<T>> {
        if self.core.inbox.is_flagged() {
            // What was left before must run before, or one thread's elements could pass each other.
            self.core.settle(cx);
        }
        self.cell.admit(item, &self.core.inbox).map(|item| {
            if token.is_some() {
                cx.track(&token);
            }
            self.cell.deliver(item, token, cx);
        })?;
        match take_fault(cx) {
            Some((failure, _)) => Err(EmitError::Failed(failure)),
            None => Ok(()),
        }
    }

    /// From inside a closure of this graph, or of another one.
    #[cold]
    #[inline(never)]
    pub(super) fn emit_inside(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        if !inbox::is_innermost(&self.core) {
            match self.core.try_enter() {
                Ok(entered) => return self.push_and_exit(item, token, entered),
                Err(GraphError::Inside) => {}
                Err(_) => return Err(EmitError::Poisoned(item)),
            }
        }
        self.cell.queue(item, token, &self.core.inbox)?;
        inbox::owe_visit(&self.core);
        Ok(())
    }

    pub(super) async fn send(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        let mut next = Some(item);
        let mut line = InLine::new(&self.cell.senders);
        poll_fn(|task| {
            if let Some(item) = next.take() {
                match self.offer(item, token.clone()) {
                    Ok(Offered::Ran) => return Poll::Ready(Ok(())),
                    Ok(Offered::Left) => {}
                    Err(EmitError::Full(item)) => {
                        next = Some(item);
                        self.listen(&mut line.place, task);
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            self.hand_over(task).map(Ok)
        })
        .await
    }

    /// As `emit`, without waiting for the lock.
    pub(super) fn offer(&self, item: T, token: Token) -> Result<Offered, EmitError<T>> {
        if inbox::is_inside() {
            return self.emit_inside(item, token).map(|()| Offered::Ran);
        }
        match self.core.try_enter() {
            Ok(entered) => self
                .push_and_exit(item, token, entered)
                .map(|()| Offered::Ran),
            Err(GraphError::Poisoned) => Err(EmitError::Poisoned(item)),
            Err(_) => self
                .cell
                .queue(item, token, &self.core.inbox)
                .map(|()| Offered::Left),
        }
    }

    /// The element lies in the inbox: somebody must see it, the holder or, if it had looked
    /// already, this task.
    pub(super) fn hand_over(&self, task: &mut Context<'_>) -> Poll<()> {
        if !self.core.inbox.is_flagged() || self.core.try_visit() {
            return Poll::Ready(());
        }
        if self.core.wakeups.is_attended() {
            // The driver sees to it; and if it goes away meanwhile, that is a visit too.
            self.core.wakeups.driver.wake();
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Has the task woken when the source has room again.
    pub(super) fn listen(&self, place: &mut Place, task: &Context<'_>) {
        if let Ok(mut line) = self.cell.senders.lock() {
            line.wait(place, task.waker());
        }
        // What happened before the waker was there woke nobody.
        let state = self.cell.state.load(Ordering::Acquire);
        let room = state & bits::FULL == 0 && self.cell.has_queue_room();
        if room || state & bits::REFUSED != 0 {
            task.waker().wake_by_ref();
        }
    }

    /// Whether an element would have to wait, and may hope to get in.
    pub(super) fn waits_for_room(&self) -> bool {
        let state = self.cell.state.load(Ordering::Acquire);
        let refused = bits::REFUSED;
        state & bits::FULL != 0 && state & refused == 0 && !self.core.state.is_poisoned()
    }

    #[cold]
    pub(super) fn poisoned(&self, item: T) -> EmitError<T> {
        self.core.bury();
        EmitError::Poisoned(item)
    }
}

/// Settles and exits after a push: its failure, if there was one, is the emitter's.
#[cold]
#[inline(never)]
fn exit_with_fault<T>(mut entered: Entered<'_>) -> Result<(), EmitError<T>> {
    let fault = take_fault(&mut entered.guard);
    entered.settle_and_exit();
    fault.map_or(Ok(()), |(failure, _)| Err(EmitError::Failed(failure)))
}

#[cold]
#[inline(never)]
pub(super) fn take_fault(cx: &mut Cx) -> Option<(super::error::Failure, usize)> {
    let others = std::mem::take(&mut cx.faults.others);
    cx.faults.first.take().map(|failure| (failure, others))
}
