//! What joins that keep the latest elements share: the slot of an input, and the desk that decides
//! what is emitted and when it ends.

use std::sync::Arc;

use super::row::beside;
use crate::engine::{Cx, Label, Loss, Lost, Push, Signal, Token};

/// The latest element of one input.
pub(crate) struct Latest<T>(Option<Held<T>>);

struct Held<T> {
    item: T,
    token: Token,
    /// Whether a row was made of it.
    used: bool,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest(None)
    }
}

impl<T> Latest<T> {
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|held| &held.item)
    }

    /// The element, for a row.
    #[inline]
    pub(crate) fn use_it(&mut self) -> Option<&T> {
        let held = self.0.as_mut()?;
        held.used = true;
        Some(&held.item)
    }

    /// The token that rides beside the element.
    pub(crate) fn token(&self) -> Token {
        match &self.0 {
            Some(held) => held.token.clone(),
            None => Token::NONE,
        }
    }

    /// Lets the element go. Returns whether no row was made of it: then its lineage fails.
    pub(crate) fn discard(&mut self) -> bool {
        self.0.take().is_some_and(|held| {
            if !held.used {
                held.token.fail(Lost::Discarded);
            }
            !held.used
        })
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        // Teardown; the first reason stays, so nothing changes for one that was discarded.
        if !self.used {
            self.token.fail(Lost::TornDown);
        }
    }
}

/// The part of the node that does not depend on the types of its inputs.
pub(crate) struct Desk {
    label: Arc<Label>,
    /// One bit an input, as in all of these.
    all: u8,
    triggers: u8,
    closed: u8,
    finished: bool,
    rows: u64,
    /// The room downstream, as the query under way found it.
    below: usize,
}

impl Desk {
    pub(crate) fn new(label: Arc<Label>, inputs: u32, triggers: u8) -> Desk {
        let all = u8::MAX >> (u8::BITS - inputs);
        Desk {
            label,
            all,
            triggers: triggers & all,
            closed: 0,
            finished: false,
            rows: 0,
            below: usize::MAX,
        }
    }

    #[inline]
    pub(crate) fn is_trigger(&self, port: usize) -> bool {
        self.triggers & (1 << port) != 0
    }

    /// An element takes its place as the latest. Returns `false` where the join has closed.
    #[inline]
    pub(crate) fn take<T>(&mut self, slot: &mut Latest<T>, item: T, cx: &mut Cx) -> bool {
        if self.finished {
            cx.lose_current(self.label.id(), Loss::Unheard);
            return false;
        }
        if slot.discard() {
            cx.lose(self.label.id(), Loss::Superseded, 1);
        }
        slot.0 = Some(Held {
            item,
            token: cx.token.clone(),
            used: false,
        });
        true
    }

    #[inline]
    pub(crate) fn emit<O>(&mut self, token: Token, row: O, next: &mut impl Push<O>, cx: &mut Cx) {
        self.rows += 1;
        beside(token, cx, |cx| next.push(row, cx));
    }

    pub(crate) fn emit_batch<O>(
        &mut self,
        token: Token,
        rows: &mut Vec<O>,
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) {
        self.rows += rows.len() as u64;
        beside(token, cx, |cx| next.push_batch(rows, cx));
    }

    /// Notes that an input closed. Returns whether the join ends now, as no row can follow.
    pub(crate) fn close(&mut self, port: usize, has_element: bool) -> bool {
        self.closed |= 1 << port;
        let open = self.all & !self.closed;
        let ends = !self.finished && (!has_element || open & self.triggers == 0);
        self.finished |= ends;
        ends
    }

    /// Elements that were held at the close and never were in a row.
    pub(crate) fn unpaired(&self, count: usize, cx: &mut Cx) {
        cx.lose(self.label.id(), Loss::Unpaired, count);
    }

    /// Signals that concern neither elements nor the close.
    pub(crate) fn signal<O>(
        &mut self,
        signal: Signal<'_>,
        held: usize,
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) {
        match signal {
            Signal::Fail(_) => next.signal(signal, cx),
            Signal::Room(room) => {
                if cx.first_visit(self.label.id()) {
                    self.below = usize::MAX;
                    next.signal(Signal::Room(&mut self.below), cx);
                    *room = (*room).min(self.below);
                } else if self.below < usize::MAX {
                    // An element comes by several inputs: how much room it takes can't be told.
                    *room = (*room).min(self.below.min(1));
                }
            }
            _ if !cx.first_visit(self.label.id()) => {}
            Signal::Census => {
                let rows = self.rows;
                cx.take_census(self.label.id(), |node| {
                    node.counts.passed = rows;
                    node.counts.held = held as u64;
                });
                next.signal(Signal::Census, cx);
            }
            other => next.signal(other, cx),
        }
    }
}
