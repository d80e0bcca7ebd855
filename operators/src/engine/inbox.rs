//! How threads meet at a graph: who holds what, and what is left for the holder to do.
//!
//! A thread that holds nothing may wait for a graph's lock. A thread that holds a graph (one of its
//! closures is running) never waits for another one's: it leaves the element in that graph's inbox.
//! The holder drains the inbox before it lets go; in case it had looked already, the leaver drains
//! it once it holds nothing. So two graphs that emit into each other can't deadlock, and nothing is
//! forgotten.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};
use std::sync::{Arc, Mutex, OnceLock};

use super::context::Cx;
use super::error::Failure;
use super::graph::Core;
use super::inlet::Inlet;

thread_local! {
    /// Address of the innermost graph that this thread holds; the low bit says that visits are owed.
    static INNERMOST: Cell<usize> = const { Cell::new(0) };
    /// Whether a call further out on this thread's stack pays visits: it pays those owed meanwhile.
    static PAYING: Cell<bool> = const { Cell::new(false) };
    /// Address of the graph that a call further out on this thread's stack looks at again.
    static LOOKING: Cell<usize> = const { Cell::new(0) };
    /// Graphs that this thread left something at, to be visited once it holds none; each once.
    static OWED: RefCell<Vec<Arc<Core>>> = const { RefCell::new(Vec::new()) };
}

// No graph has an odd address, so the low bit of `INNERMOST` is free.
const _: () = assert!(align_of::<Core>() > 1);

/// Whether this thread is inside any graph.
#[inline]
pub(crate) fn is_inside() -> bool {
    INNERMOST.get() != 0
}

/// Whether this thread is inside `core`, and no other graph within it.
pub(crate) fn is_innermost(core: &Core) -> bool {
    INNERMOST.get() & !1 == address(core)
}

fn address(core: &Core) -> usize {
    std::ptr::from_ref(core).addr()
}

/// While it lives, this thread is inside the graph. Made before the lock is taken and left after it
/// is released.
pub(crate) struct Inside<'a> {
    core: &'a Core,
    before: usize,
}

impl<'a> Inside<'a> {
    /// As [`enter`](Inside::enter), by a thread that is inside no graph.
    #[inline]
    pub(crate) fn enter_first(core: &'a Core) -> Inside<'a> {
        INNERMOST.set(address(core));
        Inside { core, before: 0 }
    }

    #[inline]
    pub(crate) fn enter(core: &'a Core) -> Inside<'a> {
        let before = INNERMOST.get();
        INNERMOST.set(address(core) | (before & 1));
        Inside { core, before }
    }

    /// The lock is released in good order.
    #[inline]
    pub(crate) fn exit(self) {
        let owed = INNERMOST.get() & 1;
        let (before, core) = (self.before, self.core);
        std::mem::forget(self);
        if before == 0 {
            INNERMOST.set(0);
            if owed != 0 {
                pay_visits();
            }
        } else {
            INNERMOST.set(before | owed);
        }
        // Left between the last look and the unlock, by somebody who could not wait.
        write_before_read();
        if core.inbox.is_flagged() {
            look_again(core);
        }
    }
}

impl Drop for Inside<'_> {
    /// Only reached while unwinding from a closure, or from an early return that pushed nothing.
    /// Inlined, or else the fields would be kept in memory on the way that does not come here.
    #[inline(always)]
    fn drop(&mut self) {
        leave_early(self.core, self.before);
    }
}

#[cold]
#[inline(never)]
fn leave_early(core: &Core, before: usize) {
    let owed = INNERMOST.get() & 1;
    INNERMOST.set(if before == 0 { 0 } else { before | owed });
    if std::thread::panicking() {
        core.bury();
    }
    if before == 0 && owed != 0 {
        if std::thread::panicking() {
            // Other graphs' closures must not run during unwinding: their drivers, or else
            // their next callers, drain.
            for core in OWED.with_borrow_mut(std::mem::take) {
                core.wakeups.driver.wake();
            }
        } else {
            pay_visits();
        }
    }
}

/// Promises that something left at `core` is looked at: by this thread once it holds nothing, unless
/// it is inside `core` itself, and so looks before it lets go.
pub(crate) fn owe_visit(core: &Arc<Core>) {
    if is_innermost(core) {
        return;
    }
    INNERMOST.set(INNERMOST.get() | 1);
    OWED.with_borrow_mut(|owed| {
        if !owed.iter().any(|other| Arc::ptr_eq(other, core)) {
            owed.push(core.clone());
        }
    });
}

/// Who leaves something and who lets go of the lock each write first and read then what the other
/// wrote; at least one of the two must see it, or nobody does what was left.
///
/// On x86 the lock's own operation between the two is a barrier already, and a fence would cost as
/// much as all the rest of `emit`.
#[inline]
fn write_before_read() {
    if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Visits the graph until nothing lies there, or somebody else holds it, who looks too.
#[cold]
#[inline(never)]
pub(super) fn look_again(core: &Core) {
    struct Looking(usize);
    impl Drop for Looking {
        fn drop(&mut self) {
            LOOKING.set(self.0);
        }
    }
    // Each visit ends in a look of its own: only the outermost goes on, or the stack would grow for
    // as long as others keep leaving things at the wrong moment.
    if LOOKING.get() == address(core) {
        return;
    }
    let _looking = Looking(LOOKING.replace(address(core)));
    while core.inbox.is_flagged() {
        match core.try_enter() {
            Ok(entered) => entered.settle_and_exit(),
            Err(_) => break,
        }
    }
}

#[cold]
#[inline(never)]
fn pay_visits() {
    // A visit may owe others. They are paid here, in the outermost call, or the stack would grow for
    // as long as two threads keep finding each other's graph busy.
    if PAYING.replace(true) {
        return;
    }
    struct Paid;
    impl Drop for Paid {
        fn drop(&mut self) {
            PAYING.set(false);
        }
    }
    let _paid = Paid;
    while let Some(core) = OWED.with_borrow_mut(Vec::pop) {
        core.visit();
    }
}

/// What was left at a graph by those who could not wait for it, in order.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Raised when something lies here; looked at without the lock.
    ///
    /// Raised after each entry is left, lowered under the queue's lock by whoever finds it empty: it
    /// may be up in vain, and is never down while an entry lies here whose leaver has returned.
    pub(crate) flag: AtomicBool,
    queue: Mutex<VecDeque<Entry>>,
    /// The failure that stopped the graph, for those who come without its lock.
    pub(crate) stopped: OnceLock<Failure>,
}

/// One thing to do.
pub(crate) enum Entry {
    /// The next element in this source's own typed queue.
    Element(Arc<dyn Inlet>),
    /// Close this source, after the elements before it.
    Close(Arc<dyn Inlet>),
    /// A change of the structure.
    Task(Box<dyn FnOnce(&mut Cx) + Send>),
}

impl Inbox {
    pub(crate) fn leave(&self, entry: Entry) {
        if let Ok(mut queue) = self.queue.lock() {
            queue.push_back(entry);
        }
        self.flag.store(true, Ordering::Release);
        write_before_read();
    }

    /// Takes all that lies here, undone.
    pub(crate) fn clear(&self) -> VecDeque<Entry> {
        match self.queue.lock() {
            Ok(mut queue) => std::mem::take(&mut *queue),
            Err(_) => VecDeque::new(),
        }
    }

    #[inline]
    pub(crate) fn is_flagged(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Takes the next thing to do. The flag falls when there is none.
    pub(crate) fn next(&self) -> Option<Entry> {
        let mut queue = self.queue.lock().ok()?;
        let entry = queue.pop_front();
        if entry.is_none() {
            self.flag.store(false, Ordering::Release);
        }
        entry
    }
}
