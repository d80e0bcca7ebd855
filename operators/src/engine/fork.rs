//! A fork: the end of a run that other runs hang from.

use std::any::Any;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use super::census::Loss;
use super::context::Cx;
use super::lineage::{Lost, Token};
use super::push::{Away, Push, Signal, Tail};
use super::topology::NodeId;

/// Identifies a branch of a fork.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct BranchId(u64);

impl BranchId {
    pub(crate) fn fresh() -> BranchId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        BranchId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a fork finds in the context when the structure has changed.
pub(crate) enum Mail {
    /// A new branch: a boxed `Tail<T>` of the fork's element type, and what closes it.
    Attach(BranchId, Box<dyn Any + Send>, CloseTail, Of),
    /// This branch is to close and go.
    Detach(BranchId),
    /// As `Detach`, where nobody below wants any more: what comes after it is not missed.
    Retire(BranchId),
    /// This branch has closed from below, and is to go.
    LetGo(BranchId),
    /// This branch is to go as it is.
    Discard(BranchId),
    /// This branch is to hang from another fork.
    Move(BranchId, NodeId),
}

/// What a branch is part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    /// A run that the topology shows, or the same run within a node that the fork is of.
    Itself,
    /// A run within a node, from outside of which it hangs here: so may others, of other keys, that
    /// the topology shows as one. They all end in one flow.
    OneOfMany,
}

/// Closes a boxed `Tail<T>`, for when there is no fork that knows its type.
pub(crate) type CloseTail = fn(Box<dyn Any + Send>, &mut Cx);

pub(super) fn close_tail<T: 'static>(tail: Box<dyn Any + Send>, cx: &mut Cx) {
    if let Ok(mut tail) = tail.downcast::<Tail<T>>() {
        tail.signal(Signal::Close, cx);
        see_out(*tail, cx);
    }
}

/// The last that is seen of a branch: what it counted is noted, and what its closures captured is
/// dropped outside of the lock.
fn see_out<T: 'static>(mut tail: Tail<T>, cx: &mut Cx) {
    cx.new_query();
    tail.signal(Signal::Census, cx);
    cx.graves.push(Box::new(tail));
    cx.todo = true;
}

/// How a fork copies elements: pointers, so that a run that never forks needs no `Clone`.
pub(crate) struct Copier<T> {
    one: fn(&T) -> T,
    /// As `one`, for who has the element in a register.
    two: fn(T) -> (T, T),
    all: fn(&[T], &mut Vec<T>),
}

impl<T: Clone> Copier<T> {
    pub(crate) const fn new() -> Copier<T> {
        Copier {
            one: T::clone,
            two: |item| (item.clone(), item),
            all: |from, to| to.extend_from_slice(from),
        }
    }
}

/// The branches of a fork, lent to who pushes many elements into them one by one.
pub(super) enum Lent<T> {
    One(Tail<T>),
    /// And how two elements are made of one.
    Two(Tail<T>, Tail<T>, fn(T) -> (T, T)),
    /// They are more, or none: elements go by the fork.
    Nothing,
}

/// Takes a branch, and leaves its place.
fn away<T: 'static>(branch: &mut Tail<T>) -> Tail<T> {
    std::mem::replace(branch, Box::new(Away))
}

/// Gives every element to each branch, in the order in which they were connected.
///
/// The list of branches is owned here, at the end of the run that feeds it, and not by an arena:
/// pushing takes nothing out and puts nothing back. New branches come by mail in the context.
pub(crate) struct Fork<T> {
    id: NodeId,
    branches: Vec<(BranchId, Tail<T>)>,
    /// `None` for a pipe, which has one branch at the most.
    copier: Option<Copier<T>>,
    epoch: u32,
    /// Whether a batch may take one branch before the next sees it.
    batches: bool,
    /// How many branches it has at the most that are one [of many](Of::OneOfMany).
    alike: usize,
    closed: bool,
    /// All branches that it had have had enough: what comes is dropped by their wish, and no loss.
    sated: bool,
    passed: u64,
    unheard: u64,
    spare: Vec<T>,
}

impl<T: Send + 'static> Fork<T> {
    pub(crate) fn new(id: NodeId, copier: Option<Copier<T>>) -> Fork<T> {
        Fork {
            id,
            branches: Vec::new(),
            copier,
            epoch: 0,
            batches: true,
            alike: 0,
            closed: false,
            sated: false,
            passed: 0,
            unheard: 0,
            spare: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    /// Whether anything hangs from it.
    pub(crate) fn is_heard(&mut self, cx: &mut Cx) -> bool {
        if self.epoch != cx.epoch {
            self.settle(cx);
        }
        !self.branches.is_empty()
    }

    /// Whether a batch may take one way from here before the next sees it.
    pub(crate) fn batches_may_cross(&mut self, cx: &mut Cx) -> bool {
        if self.epoch != cx.epoch {
            self.settle(cx);
        }
        self.batches
    }

    /// A fork that has closed already, and copies nothing.
    pub(crate) fn closed(id: NodeId) -> Fork<T> {
        Fork {
            closed: true,
            ..Fork::new(id, None)
        }
    }

    #[cold]
    #[inline(never)]
    fn settle(&mut self, cx: &mut Cx) {
        self.epoch = cx.epoch;
        let discarded = cx.node(self.id).is_some_and(|node| node.discarded);
        let mut let_go = HashSet::new();
        for mail in cx.mail.remove(&self.id).unwrap_or_default() {
            let wanted_no_more = matches!(mail, Mail::Retire(_));
            match mail {
                Mail::Attach(id, tail, _, of) => {
                    if let Ok(tail) = tail.downcast::<Tail<T>>() {
                        self.branches.push((id, *tail));
                        self.alike += usize::from(of == Of::OneOfMany);
                        self.sated = false;
                        if self.closed || discarded {
                            self.close_last(cx);
                        }
                    }
                }
                Mail::Detach(id) | Mail::Retire(id) => {
                    if let Some(mut tail) = self.take_off(id) {
                        self.sated |= wanted_no_more && self.branches.is_empty();
                        if !self.closed {
                            // The element that comes has no part in it.
                            cx.without_emitter(|cx| {
                                cx.with_token(Token::NONE, |cx| tail.signal(Signal::Close, cx));
                            });
                        }
                        see_out(tail, cx);
                    }
                }
                Mail::LetGo(id) => {
                    let_go.insert(id);
                }
                Mail::Discard(id) => {
                    if let Some(mut tail) = self.take_off(id) {
                        // What stays has mail from the forks that go.
                        tail.signal(Signal::Settle, cx);
                        see_out(tail, cx);
                    }
                }
                // What has closed stays where it is.
                Mail::Move(id, to) if !self.closed => {
                    if let Some(tail) = self.take_off(id) {
                        let letter = Mail::Attach(id, Box::new(tail), close_tail::<T>, Of::Itself);
                        cx.mail.entry(to).or_default().push(letter);
                    }
                }
                Mail::Move(..) => {}
            }
        }
        if !let_go.is_empty() {
            let before = self.branches.len();
            for (id, tail) in std::mem::take(&mut self.branches) {
                if let_go.contains(&id) {
                    cx.let_go.push(Box::new(tail));
                } else {
                    self.branches.push((id, tail));
                }
            }
            self.sated |= self.branches.is_empty() && before > 0;
        }
        if let Some(node) = cx.node(self.id) {
            node.sated = self.sated;
        }
        self.alike = self.alike.min(self.branches.len());
        let shown = cx.shown(self.id);
        self.batches = self.alike < 2
            && cx
                .topology
                .lock()
                .is_ok_and(|topology| topology.batches_may_cross(shown));
    }

    fn take_off(&mut self, id: BranchId) -> Option<Tail<T>> {
        let at = self.branches.iter().position(|(b, _)| *b == id)?;
        Some(self.branches.remove(at).1)
    }

    fn close_last(&mut self, cx: &mut Cx) {
        if let Some((_, tail)) = self.branches.last_mut() {
            tail.signal(Signal::Close, cx);
        }
    }

    /// Lends its branches out, if they are few, to be [given back](Fork::give_back) before anything
    /// else is done with the fork. Who pushes into them need not ask whether the structure has changed:
    /// that sets `cx.todo`.
    pub(super) fn lend(&mut self, cx: &mut Cx) -> Lent<T> {
        if self.epoch != cx.epoch {
            self.settle(cx);
        }
        match (&mut self.branches[..], &self.copier) {
            ([(_, only)], _) => Lent::One(away(only)),
            ([(_, first), (_, last)], Some(copier)) => {
                Lent::Two(away(first), away(last), copier.two)
            }
            _ => Lent::Nothing,
        }
    }

    /// Takes back what was lent, into which `passed` elements were pushed.
    pub(super) fn give_back(&mut self, lent: Lent<T>, passed: u64) {
        self.passed += passed;
        match (lent, &mut self.branches[..]) {
            (Lent::One(branch), [(_, only)]) => *only = branch,
            (Lent::Two(one, two, _), [(_, first), (_, last)]) => (*first, *last) = (one, two),
            _ => {}
        }
    }

    #[inline(never)]
    fn push_many(&mut self, item: T, cx: &mut Cx) {
        // The commonest fork, without a loop.
        if let ([(_, first), (_, last)], Some(copier)) = (&mut self.branches[..], &self.copier) {
            first.push((copier.one)(&item), cx);
            last.push(item, cx);
            return;
        }
        self.push_each(item, cx);
    }

    #[inline(never)]
    fn push_each(&mut self, item: T, cx: &mut Cx) {
        let (Some(copier), Some(((_, last), first))) =
            (&self.copier, self.branches.split_last_mut())
        else {
            if !self.sated {
                self.unheard += 1;
                cx.token.fail(Lost::Discarded);
            }
            return;
        };
        for (_, branch) in first {
            branch.push((copier.one)(&item), cx);
        }
        last.push(item, cx);
    }
}

impl<T: Send + 'static> Push<T> for Fork<T> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        if self.epoch != cx.epoch {
            self.settle(cx);
        }
        self.passed += 1;
        match &mut self.branches[..] {
            [(_, only)] => only.push(item, cx),
            _ => self.push_many(item, cx),
        }
    }

    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.epoch != cx.epoch {
            self.settle(cx);
        }
        if !self.batches {
            for item in items.drain(..) {
                self.push(item, cx);
            }
            return;
        }
        self.passed += items.len() as u64;
        let Some(((_, last), first)) = self.branches.split_last_mut() else {
            if !self.sated {
                self.unheard += items.len() as u64;
                cx.token.fail(Lost::Discarded);
            }
            items.clear();
            return;
        };
        if let Some(copier) = &self.copier {
            for (_, branch) in first {
                (copier.all)(items, &mut self.spare);
                branch.push_batch(&mut self.spare, cx);
            }
        }
        last.push_batch(items, cx);
    }

    fn signal(&mut self, mut signal: Signal<'_>, cx: &mut Cx) {
        if self.epoch != cx.epoch {
            self.settle(cx);
        }
        match signal {
            // A failure is reported where the flow forks, or each branch would report it.
            Signal::Fail(failure) => {
                cx.report(failure);
                signal = Signal::Hole;
            }
            Signal::Close if self.closed => return,
            Signal::Close => self.closed = true,
            _ => {}
        }
        if matches!(signal, Signal::Census | Signal::Close) {
            cx.take_census(self.id, |node| {
                node.closed = self.closed;
                node.counts.passed = self.passed;
                // A source without branches hears nobody's absence: what passes is dropped there.
                node.counts
                    .lose(Loss::Unheard, std::mem::take(&mut self.unheard));
            });
        }
        for (_, branch) in &mut self.branches {
            branch.signal(signal.again(), cx);
        }
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

impl<T> std::fmt::Debug for Fork<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fork")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
