//! Many elements into a graph: in batches, cut to the room that is left.

use std::sync::atomic::Ordering;

use super::error::{EmitAllError, EmitError, Failure};
use super::inbox;
use super::inlet::bits;
use super::lineage::Token;
use super::push::Push;
use super::way::{Way, take_fault};
use crate::InGraph;

/// How many elements are pushed at once: enough to amortise a junction, few enough to stay in cache.
pub(crate) const BATCH: usize = 256;

/// As [`BATCH`], for elements of this type: of small ones, up to 4 KiB, twice as many, or what a batch
/// costs shows beside them. Not more: a batch must leave room in a join that holds 1024.
pub(crate) const fn batch_of<T>() -> usize {
    if size_of::<T>() <= 4096 / (2 * BATCH) {
        2 * BATCH
    } else {
        BATCH
    }
}

impl<T: InGraph> Way<T> {
    pub(super) fn emit_all(
        &self,
        mut items: impl Iterator<Item = T>,
    ) -> Result<usize, EmitAllError<T>> {
        let mut tally = Tally::default();
        if inbox::is_inside() {
            for item in items {
                match self.emit_inside(item, Token::NONE) {
                    Ok(()) => tally.accepted += 1,
                    Err(EmitError::Failed(failure)) => tally.failed(failure, 0),
                    Err(cause) => return tally.refused(cause),
                }
            }
            return tally.finish();
        }
        let mut batch = Vec::with_capacity(batch_of::<T>().min(items.size_hint().0.max(4)));
        let mut room = match self.with_batch(&mut batch, &mut tally) {
            Some(room) => room,
            None => return tally.poisoned(items.next()),
        };
        loop {
            batch.extend(items.by_ref().take(room.clamp(1, batch_of::<T>())));
            if batch.is_empty() {
                return tally.finish();
            }
            if room == 0 {
                // One element was drawn to see whether there is any: it is refused by name.
                let Some(item) = batch.pop() else {
                    return tally.finish();
                };
                match self.emit_outlined(item) {
                    Ok(()) => tally.accepted += 1,
                    Err(EmitError::Failed(failure)) => tally.failed(failure, 0),
                    Err(cause) => return tally.refused(cause),
                }
            }
            room = match self.with_batch(&mut batch, &mut tally) {
                Some(room) => room,
                None => {
                    let mut drawn = batch.into_iter();
                    let refused = tally.poisoned(drawn.next());
                    let drawn = drawn.collect();
                    return refused.map_err(|error| EmitAllError { drawn, ..error });
                }
            };
            // The source was closed, or the graph stopped, while the iterator was asked: each
            // element that was drawn is accepted, or given back.
            let mut drawn = batch.drain(..);
            while let Some(item) = drawn.next() {
                match self.emit_outlined(item) {
                    Ok(()) => tally.accepted += 1,
                    Err(EmitError::Failed(failure)) => tally.failed(failure, 0),
                    Err(cause) => {
                        let drawn = drawn.collect();
                        return tally
                            .refused(cause)
                            .map_err(|error| EmitAllError { drawn, ..error });
                    }
                }
            }
        }
    }

    /// Pushes the batch, and returns how many may follow; `None` from a poisoned graph.
    fn with_batch(&self, batch: &mut Vec<T>, tally: &mut Tally) -> Option<usize> {
        let mut entered = self.core.enter().ok()?;
        let cx = &mut *entered.guard;
        let settled = self.core.inbox.is_flagged();
        if settled {
            self.core.settle(cx);
        }
        cx.begin(self.cell.id);
        let refused = bits::REFUSED;
        if !batch.is_empty() && self.cell.state.load(Ordering::Relaxed) & refused == 0 {
            tally.accepted += batch.len();
            if let Some(lead) = self.cell.lead.get() {
                self.cell.deliver_led(lead, batch, cx);
            } else {
                let mut head = self.cell.head.take(cx);
                head.push_batch(batch, cx);
                self.cell.head.put(cx, head);
            }
        }
        if let Some((failure, others)) = take_fault(cx) {
            tally.note(failure, others);
        }
        let room = if self.cell.state.load(Ordering::Relaxed) & (refused | bits::FULL) != 0 {
            0
        } else {
            let mut head = self.cell.head.take(cx);
            let room = cx.room(&mut *head);
            self.cell.head.put(cx, head);
            room
        };
        // As after one element: nothing is left where nobody said so. But settling may have woken.
        let state = self.cell.state.load(Ordering::Relaxed);
        if settled || cx.todo || state != 0 || self.core.inbox.is_flagged() {
            entered.settle_and_exit();
        } else {
            entered.exit();
        }
        Some(room)
    }
}

/// What `emit_all` has done so far.
#[derive(Default)]
struct Tally {
    accepted: usize,
    failure: Option<Failure>,
    others: usize,
}

impl Tally {
    /// An element was accepted and failed.
    #[cold]
    fn failed(&mut self, failure: Failure, others: usize) {
        self.accepted += 1;
        self.note(failure, others);
    }

    #[cold]
    fn note(&mut self, failure: Failure, others: usize) {
        self.others += others + usize::from(self.failure.is_some());
        self.failure.get_or_insert(failure);
    }

    fn finish<T>(self) -> Result<usize, EmitAllError<T>> {
        match self.failure {
            None => Ok(self.accepted),
            Some(failure) => Err(EmitAllError {
                accepted: self.accepted,
                others: self.others,
                drawn: Vec::new(),
                cause: EmitError::Failed(failure),
            }),
        }
    }

    fn refused<T>(self, cause: EmitError<T>) -> Result<usize, EmitAllError<T>> {
        Err(EmitAllError {
            accepted: self.accepted,
            others: self.others + usize::from(self.failure.is_some()),
            drawn: Vec::new(),
            cause,
        })
    }

    fn poisoned<T>(self, item: Option<T>) -> Result<usize, EmitAllError<T>> {
        match item {
            Some(item) => self.refused(EmitError::Poisoned(item)),
            None => self.finish(),
        }
    }
}
