//! Many elements in one hold of the lock: what `Source::lock` returns.

use std::sync::atomic::{AtomicBool, Ordering};

use super::context::Cx;
use super::error::EmitError;
use super::fork::{Fork, Lent};
use super::graph::Entered;
use super::inbox;
use super::lineage::Token;
use super::push::Push;
use super::way::{Way, take_fault};
use crate::InGraph;

/// Holds a graph's lock, so that each element costs little more than a call: see
/// [`Source::lock`](crate::Source::lock).
///
/// What closures emit meanwhile runs before the next element, or when the guard goes.
pub struct Emitter<'a, T: InGraph> {
    way: &'a Way<T>,
    /// Raised when something lies in the inbox.
    flag: &'a AtomicBool,
    /// Set while elements may simply be pushed: the source is open, and has room.
    live: Option<Live<'a, T>>,
    /// Set while they may not. Both are `None` inside of a closure, where elements are queued.
    idle: Option<Entered<'a>>,
    /// A closure panicked, whether or not the caller caught it.
    poisoned: bool,
}

/// Where elements go while nothing speaks against it.
struct Live<'a, T> {
    /// Out of its cell.
    head: Box<Fork<T>>,
    /// What hangs from it, and how many elements went there and not by the head.
    lent: Lent<T>,
    passed: u64,
    hold: Entered<'a>,
}

impl<'a, T: InGraph> Live<'a, T> {
    fn new(way: &Way<T>, mut hold: Entered<'a>) -> Live<'a, T> {
        let cx = &mut *hold.guard;
        cx.begin(way.cell.id);
        let mut head = way.cell.head.take(cx);
        Live {
            lent: head.lend(cx),
            head,
            passed: 0,
            hold,
        }
    }

    /// Outlined, so that a flow that does not fork has one comparison for all this.
    #[inline(never)]
    fn push_into_more(&mut self, item: T) {
        let cx = &mut *self.hold.guard;
        if let Lent::Two(first, last, copy) = &mut self.lent {
            self.passed += 1;
            let (copied, item) = copy(item);
            first.push(copied, cx);
            last.push(item, cx);
        } else {
            self.head.push(item, cx);
        }
    }

    /// The head, whole again, and the lock.
    fn into_parts(mut self) -> (Box<Fork<T>>, Entered<'a>) {
        self.head.give_back(self.lent, self.passed);
        (self.head, self.hold)
    }
}

/// Set off by unwinding, and disarmed by `forget`: costs nothing on the way that does not panic.
struct Bomb<'a> {
    poisoned: &'a mut bool,
    flag: &'a AtomicBool,
}

impl Drop for Bomb<'_> {
    // Or else its fields would be written to the stack for each element.
    #[inline(always)]
    fn drop(&mut self) {
        *self.poisoned = true;
        // Sends the next element, if there is one after this, on the long way round.
        self.flag.store(true, Ordering::Release);
    }
}

impl<'a, T: InGraph> Emitter<'a, T> {
    pub(super) fn new(way: &'a Way<T>) -> Emitter<'a, T> {
        let mut emitter = Emitter {
            way,
            flag: &way.core.inbox.flag,
            live: None,
            idle: None,
            poisoned: false,
        };
        if inbox::is_inside() {
            return emitter;
        }
        match way.core.enter() {
            Ok(hold) => {
                emitter.idle = Some(hold);
                emitter.apart(|way, cx| {
                    let Some(cx) = cx else { return };
                    if way.core.inbox.is_flagged() {
                        way.core.settle(cx);
                    }
                });
            }
            Err(_) => emitter.poisoned = true,
        }
        emitter
    }

    /// As [`Source::emit`](crate::Source::emit).
    ///
    /// # Errors
    /// As [`Source::emit`](crate::Source::emit).
    #[inline(always)]
    pub fn emit(&mut self, item: T) -> Result<(), EmitError<T>> {
        let flag = self.flag;
        match &mut self.live {
            // What this thread emitted past the guard lies in the inbox, and goes first; so does the
            // word of who closed the source.
            Some(live) if !flag.load(Ordering::Acquire) => {
                let cx = &mut *live.hold.guard;
                cx.forget_time();
                let bomb = Bomb {
                    poisoned: &mut self.poisoned,
                    flag,
                };
                if let Lent::One(only) = &mut live.lent {
                    live.passed += 1;
                    only.push(item, cx);
                } else {
                    live.push_into_more(item);
                }
                std::mem::forget(bomb);
                if live.hold.guard.todo {
                    self.settle()
                } else {
                    Ok(())
                }
            }
            _ => self.emit_unusual(item),
        }
    }

    #[cold]
    #[inline(never)]
    fn emit_unusual(&mut self, item: T) -> Result<(), EmitError<T>> {
        if self.poisoned {
            self.poison();
            return Err(self.way.poisoned(item));
        }
        self.apart(|way, cx| match cx {
            Some(cx) => way.push_guarded(item, Token::NONE, cx),
            None if inbox::is_inside() => way.emit_inside(item, Token::NONE),
            // Made inside of a closure or beside another guard, which is over.
            None => way.emit_outlined(item),
        })
    }

    #[cold]
    #[inline(never)]
    fn settle(&mut self) -> Result<(), EmitError<T>> {
        self.apart(|way, cx| {
            let Some(cx) = cx else { return Ok(()) };
            let fault = take_fault(cx);
            way.core.settle(cx);
            fault.map_or(Ok(()), |(failure, _)| Err(EmitError::Failed(failure)))
        })
    }

    /// Runs `work` with the head back in its cell, where others can find it.
    fn apart<R>(&mut self, work: impl FnOnce(&Way<T>, Option<&mut Cx>) -> R) -> R {
        let cell = &self.way.cell;
        if let Some(live) = self.live.take() {
            let (head, mut hold) = live.into_parts();
            cell.head.put(&mut hold.guard, head);
            self.idle = Some(hold);
        }
        let Some(hold) = &mut self.idle else {
            return work(self.way, None);
        };
        let bomb = Bomb {
            poisoned: &mut self.poisoned,
            flag: self.flag,
        };
        let outcome = work(self.way, Some(&mut hold.guard));
        std::mem::forget(bomb);
        if cell.state.load(Ordering::Relaxed) == 0 {
            self.live = self.idle.take().map(|hold| Live::new(self.way, hold));
        }
        outcome
    }

    fn take_hold(&mut self) -> Option<(Option<Box<Fork<T>>>, Entered<'a>)> {
        match self.live.take() {
            Some(live) => {
                let (head, hold) = live.into_parts();
                Some((Some(head), hold))
            }
            None => self.idle.take().map(|hold| (None, hold)),
        }
    }

    /// A closure panicked and the caller caught it, but kept the guard: the graph is poisoned all
    /// the same. Only a guard that is dropped by unwinding does that.
    #[cold]
    fn poison(&mut self) {
        let Some((head, Entered { guard, inside, .. })) = self.take_hold() else {
            return;
        };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            // Dropped in the reverse order.
            let _unwinding = (head, inside);
            let _first = guard;
            std::panic::resume_unwind(Box::new("a closure panicked"));
        }));
    }
}

impl<T: InGraph> Drop for Emitter<'_, T> {
    fn drop(&mut self) {
        if self.poisoned && !std::thread::panicking() {
            self.poison();
        }
        let Some((head, mut hold)) = self.take_hold() else {
            return;
        };
        if std::thread::panicking() {
            drop(hold);
            return;
        }
        if let Some(head) = head {
            self.way.cell.head.put(&mut hold.guard, head);
        }
        hold.settle_and_exit();
    }
}

impl<T: InGraph> std::fmt::Debug for Emitter<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Emitter(..)")
    }
}
