//! The desk of a `combine_latest`: which inputs make it emit, and when it ends.

use std::sync::Arc;

use super::relay::{Below, pass_once};
use crate::engine::{Cx, Label, Loss, Push, Signal, Token};

/// The part of the node that does not depend on the types of its inputs.
pub(crate) struct Desk {
    pub(crate) label: Arc<Label>,
    inputs: Box<[Input]>,
    finished: bool,
    passed: u64,
    below: Below,
}

#[derive(Clone, Copy)]
struct Input {
    /// Whether its elements make rows.
    triggers: bool,
    closed: bool,
}

impl Desk {
    /// The desk of a join with so many inputs. `triggers` are those that it emits on; `None`: all.
    pub(crate) fn new(label: Arc<Label>, inputs: usize, triggers: Option<&[usize]>) -> Desk {
        let input = |port| Input {
            triggers: triggers.is_none_or(|chosen| chosen.contains(&port)),
            closed: false,
        };
        Desk {
            label,
            inputs: (0..inputs).map(input).collect(),
            finished: false,
            passed: 0,
            below: Below::default(),
        }
    }

    #[inline]
    pub(crate) fn is_trigger(&self, port: usize) -> bool {
        self.inputs[port].triggers
    }

    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Counts elements that came in, by whichever input.
    #[inline]
    pub(crate) fn count(&mut self, elements: usize) {
        self.passed += elements as u64;
    }

    #[inline]
    pub(crate) fn emit<O>(&mut self, token: Token, row: O, next: &mut impl Push<O>, cx: &mut Cx) {
        cx.with_token(token, |cx| next.push(row, cx));
    }

    pub(crate) fn emit_batch<O>(
        &mut self,
        token: Token,
        rows: &mut Vec<O>,
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) {
        cx.with_token(token, |cx| next.push_batch(rows, cx));
    }

    /// Notes that an input closed. Returns whether the join ends now, as no row can follow.
    pub(crate) fn close(&mut self, port: usize, has_element: bool) -> bool {
        self.inputs[port].closed = true;
        let goes_on = self.inputs.iter().any(|i| i.triggers && !i.closed);
        let ends = !(self.finished || has_element && goes_on);
        self.finished |= ends;
        ends
    }

    /// Elements that were held at the close and never were in a row.
    pub(crate) fn unpaired(&self, count: usize, cx: &mut Cx) {
        cx.lose(self.label.id(), Loss::Unpaired, count);
    }

    /// Signals that concern neither elements nor the close.
    pub(crate) fn signal<O: 'static>(
        &mut self,
        signal: Signal<'_>,
        held: usize,
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) {
        let (id, passed) = (self.label.id(), self.passed);
        match signal {
            Signal::Room(room) => self.below.lower(id, room, next, cx),
            other => pass_once(id, other, next, cx, |node| {
                node.counts.passed = passed;
                node.counts.held = held as u64;
            }),
        }
    }
}
