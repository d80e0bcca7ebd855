//! What became of elements, on its way to whoever is to be told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::context::Cx;
use super::lineage::{Outcome, Token};
use super::waking::Wakeups;

/// Outcomes of the elements of a node that was given them by somebody who wants to know. Tokens leave them
/// here, wherever they resolve; the node [tells](Outcomes::tell) when it is polled. As long as one is here the
/// graph has not finished, and a shutdown is not over.
pub(crate) struct Outcomes(Arc<Kept>);

struct Kept {
    /// By the number of the element. `None` once there is nobody who would tell.
    list: Mutex<Option<Vec<(u64, Outcome)>>>,
    /// How many there are in all lists of the graph.
    untold: Arc<AtomicUsize>,
    wakeups: Arc<Wakeups>,
}

impl Outcomes {
    pub(crate) fn new(cx: &Cx) -> Outcomes {
        Outcomes(Arc::new(Kept {
            list: Mutex::new(Some(Vec::new())),
            untold: cx.untold.clone(),
            wakeups: cx.wakeups.clone(),
        }))
    }

    /// A token for an element; `waker` is called when it is known what became of it.
    pub(crate) fn token(&self, number: u64, waker: &Waker) -> Token {
        let (kept, waker) = (self.0.clone(), waker.clone());
        Token::with_hook(move |outcome| {
            if let Ok(mut list) = kept.list.lock()
                && let Some(list) = &mut *list
            {
                list.push((number, outcome));
                kept.untold.fetch_add(1, Ordering::AcqRel);
            }
            waker.wake_by_ref();
        })
    }

    /// Tells all that is known.
    pub(crate) fn tell(&self, cx: &mut Cx, mut told: impl FnMut(u64, Outcome)) {
        let known = match self.0.list.lock() {
            Ok(mut list) => list.as_mut().map(std::mem::take).unwrap_or_default(),
            Err(_) => return,
        };
        if known.is_empty() {
            return;
        }
        let number = known.len();
        for (element, outcome) in known {
            told(element, outcome);
        }
        self.0.untold.fetch_sub(number, Ordering::AcqRel);
        cx.wake_waiters();
    }
}

impl Drop for Outcomes {
    fn drop(&mut self) {
        if let Ok(mut list) = self.0.list.lock() {
            let untold = list.take().map_or(0, |list| list.len());
            self.0.untold.fetch_sub(untold, Ordering::AcqRel);
        }
        // The node was taken off: the driver, which may have waited for it alone, sees that it is gone.
        self.0.wakeups.driver.wake();
    }
}
