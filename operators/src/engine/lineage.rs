//! Lineage: a token that rides beside an element and tells when all that came of it is done.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use super::error::Failure;
use super::metadata::Metadata;

thread_local! {
    /// Whether what is dropped on this thread was let go by the user's own wish: then the elements
    /// in it are done, and not torn down.
    static BY_WISH: Cell<bool> = const { Cell::new(false) };
}

/// Drops what a run let go that has had enough: elements held there are done, as those are that a
/// `filter` takes out.
pub(crate) fn by_wish(drop: impl FnOnce()) {
    with_wish(true, drop);
}

/// Drops what is torn down, also from within [`by_wish`]: it may be captured there.
pub(crate) fn strictly(drop: impl FnOnce()) {
    with_wish(false, drop);
}

fn with_wish(wish: bool, drop: impl FnOnce()) {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            BY_WISH.set(self.0);
        }
    }
    let _restore = Restore(BY_WISH.replace(wish));
    drop();
}

/// What became of a tracked element: `Ok` when each derivative was delivered or dropped by the
/// user's own predicate.
pub type Outcome = Result<(), Lost>;

/// A tracked element, or something made of it, did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// An operator failed on it and nobody caught the failure: see [`Receipt::failure`].
    Failed,
    /// An operator discarded it: overflow, superseded, unpaired or unheard.
    Discarded,
    /// The graph, the branch or the stream was torn down while the element was held.
    TornDown,
    /// A closure panicked on it.
    Panicked,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lost::Failed => "an operator failed on the element, and no handler caught it",
            Lost::Discarded => "an operator discarded the element",
            Lost::TornDown => "the graph was torn down while it held the element",
            Lost::Panicked => "a closure panicked on the element",
        })
    }
}

impl Error for Lost {}

/// Rides beside an element. Clones belong to derivatives; when the last one is dropped the element
/// is done. Empty, and free, unless the element is tracked.
#[derive(Clone, Default)]
pub struct Token(Option<Arc<Line>>);

struct Line {
    /// 0 while all is well, else 1 + the `Lost` that came first.
    lost: AtomicU8,
    /// The failure that lost it, where one did.
    cause: OnceLock<Failure>,
    metadata: Option<Metadata>,
    end: End,
}

enum End {
    Nothing,
    Receipt(Arc<Mutex<Slot>>),
    Hook(Box<dyn Fn(Outcome) + Send + Sync>),
    /// Made of several elements (a batch, a pair): they are done when this is.
    Merge(SmallVec<[Token; 2]>),
}

const REASONS: [Lost; 4] = [
    Lost::Failed,
    Lost::Discarded,
    Lost::TornDown,
    Lost::Panicked,
];

impl Token {
    /// A token that rides beside nothing.
    pub const NONE: Token = Token(None);

    /// A fresh token, and the receipt that resolves with it.
    pub(crate) fn with_receipt() -> (Token, Receipt) {
        let slot = Arc::new(Mutex::new(Slot::default()));
        let token = Token::new(End::Receipt(slot.clone()));
        (token, Receipt(slot))
    }

    /// A fresh token that calls `hook` once. The hook may run anywhere, under a graph's lock too.
    pub(crate) fn with_hook(hook: impl Fn(Outcome) + Send + Sync + 'static) -> Token {
        Token::new(End::Hook(Box::new(hook)))
    }

    /// A fresh token that nobody waits for, and which brings metadata along.
    pub(super) fn with_metadata(metadata: Metadata) -> Token {
        Token::made(End::Nothing, Some(metadata))
    }

    /// A fresh token that brings metadata along, and the receipt that resolves with it.
    pub(super) fn with_both(metadata: Metadata) -> (Token, Receipt) {
        let slot = Arc::new(Mutex::new(Slot::default()));
        let token = Token::made(End::Receipt(slot.clone()), Some(metadata));
        (token, Receipt(slot))
    }

    fn new(end: End) -> Token {
        Token::made(end, None)
    }

    fn made(end: End, metadata: Option<Metadata>) -> Token {
        Token(Some(Arc::new(Line {
            lost: AtomicU8::new(0),
            cause: OnceLock::new(),
            metadata,
            end,
        })))
    }

    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.0.as_ref()?.metadata.as_ref()
    }

    /// What it was merged of.
    pub(super) fn parents(&self) -> &[Token] {
        match self.0.as_ref().map(|line| &line.end) {
            Some(End::Merge(parents)) => parents,
            _ => &[],
        }
    }

    /// Tells clones of one token from others.
    pub(super) fn address(&self) -> usize {
        self.0.as_ref().map_or(0, |line| Arc::as_ptr(line).addr())
    }

    /// The token of something made of all of `tokens`: empty where none of them is in use.
    pub(crate) fn merge(tokens: impl IntoIterator<Item = Token>) -> Token {
        let mut parents: SmallVec<[Token; 2]> = SmallVec::new();
        for token in tokens {
            // Neighbours often share a token: elements of one tracked batch.
            if token.is_some() && !parents.last().is_some_and(|last| last.same(&token)) {
                parents.push(token);
            }
        }
        match parents.len() {
            0 => Token::NONE,
            1 => parents.pop().unwrap_or_default(),
            _ => Token::new(End::Merge(parents)),
        }
    }

    /// Whether an element is tracked.
    #[inline]
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Whether both are clones of one token.
    pub(crate) fn same(&self, other: &Token) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    /// Tells whether the token is still about, without keeping it.
    pub(crate) fn watch(&self) -> Watch {
        Watch(self.0.as_ref().map(Arc::downgrade).unwrap_or_default())
    }

    /// Marks the element as lost. The first reason stays.
    pub(crate) fn fail(&self, reason: Lost) {
        if let Some(line) = &self.0
            && !(reason == Lost::TornDown && BY_WISH.get())
        {
            let _ = line.fail(reason);
        }
    }

    /// Marks the element as lost by a failure. The first reason stays.
    pub(crate) fn fail_by(&self, failure: &Failure) {
        if let Some(line) = &self.0 {
            line.fail_by(failure);
        }
    }
}

/// The token of something under way. Dropped before it came to its end, it tells the token.
pub(crate) struct Pledge(Token);

impl Pledge {
    pub(crate) fn new(token: Token) -> Pledge {
        Pledge(token)
    }

    pub(crate) fn token(&self) -> &Token {
        &self.0
    }

    /// It came to its end.
    pub(crate) fn redeem(mut self) -> Token {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        self.0.fail(Lost::TornDown);
    }
}

/// Looks at a token from outside.
pub(crate) struct Watch(Weak<Line>);

impl Watch {
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_some() {
            "Token"
        } else {
            "Token(none)"
        })
    }
}

impl Line {
    /// Returns whether this reason is the first.
    fn fail(&self, reason: Lost) -> bool {
        let code = 1 + REASONS.iter().position(|r| *r == reason).unwrap_or(0) as u8;
        self.lost
            .compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn fail_by(&self, failure: &Failure) {
        if self.fail(Lost::Failed) {
            // Only one is the first.
            let _ = self.cause.set(failure.clone());
        }
    }

    fn outcome(&self) -> Outcome {
        match self.lost.load(Ordering::Relaxed) {
            0 => Ok(()),
            code => Err(REASONS[usize::from(code) - 1]),
        }
    }

    /// Resolves this line, and hands back what it was made of.
    fn resolve(&mut self) -> SmallVec<[Token; 2]> {
        let outcome = self.outcome();
        match std::mem::replace(&mut self.end, End::Nothing) {
            End::Nothing => SmallVec::new(),
            End::Receipt(slot) => {
                resolve(&slot, outcome, self.cause.take());
                SmallVec::new()
            }
            End::Hook(hook) => {
                hook(outcome);
                SmallVec::new()
            }
            End::Merge(parents) => {
                match (outcome, self.cause.take()) {
                    (Ok(()), _) => {}
                    (Err(_), Some(failure)) => parents.iter().for_each(|p| p.fail_by(&failure)),
                    (Err(reason), None) => parents.iter().for_each(|p| p.fail(reason)),
                }
                parents
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // In a cycle a line's ancestors can be many thousands deep: a loop, not a recursion.
        let mut rest = self.resolve();
        while let Some(Token(parent)) = rest.pop() {
            if let Some(mut line) = parent.and_then(Arc::into_inner) {
                rest.extend(line.resolve());
            }
        }
    }
}

#[derive(Default)]
struct Slot {
    outcome: Option<Outcome>,
    failure: Option<Failure>,
    waker: Option<Waker>,
}

fn resolve(slot: &Mutex<Slot>, outcome: Outcome, failure: Option<Failure>) {
    let waker = match slot.lock() {
        Ok(mut slot) => {
            slot.outcome = Some(outcome);
            slot.failure = failure;
            slot.waker.take()
        }
        Err(_) => None,
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Resolves when all that was made of a tracked element was delivered, or some of it was lost.
///
/// Await it, for example to answer 200 only after the commit; dropping it changes nothing.
#[must_use = "a receipt tells whether the element arrived: await it, or use `emit` or `send`"]
pub struct Receipt(Arc<Mutex<Slot>>);

impl Receipt {
    /// The outcome, if it is known by now.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.lock().ok()?.outcome
    }

    /// The failure that lost the element, once the outcome is [`Lost::Failed`]: which operator
    /// failed, and why. Of several, the first.
    ///
    /// Where some of what was made of the element was lost in another way before, that is the
    /// outcome, and there is no failure. To ask after awaiting, await `&mut receipt`.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let source = graph.source::<&str>();
    /// source.buffer(8).try_map(|text| Ok(text.parse::<u32>()?)).named("parse").sink(drop);
    /// let mut receipt = source.emit_tracked("two")?;
    /// time.settle();
    /// # futures::executor::block_on(async {
    /// if (&mut receipt).await.is_err() {
    ///     let failure = receipt.failure().expect("nothing else loses elements here");
    ///     assert_eq!(failure.node(), "parse");
    ///     assert_eq!(failure.error().to_string(), "invalid digit found in string");
    /// }
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.0.lock().ok()?.failure.clone()
    }
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        let Ok(mut slot) = self.0.lock() else {
            return Poll::Ready(Err(Lost::TornDown));
        };
        match slot.outcome {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                slot.waker = Some(task.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receipt").field(&self.outcome()).finish()
    }
}
