//! `sink_to_list`: elements pile up where the user can fetch them.

use std::sync::{Arc, Mutex};

use crate::engine::Branch;
use crate::flow::{Flow, Run};

/// The elements that reached a [`sink_to_list`](Flow::sink_to_list): for tests and small jobs.
///
/// - **Emits** nothing; the elements lie in the list until somebody takes them.
/// - **Holds** whatever comes, without a limit: it grows until somebody takes from it. For a limit
///   there is [`into_stream`](Flow::into_stream).
/// - **Waits** never.
/// - **On close** the end has closed; the list stays.
/// - **Drops** nothing. An element is done, and its receipt resolves, once it is in the list. Failures
///   that nobody caught on the way are reported here.
/// - **Panics** never.
///
/// A handle: clones see the same list.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<u32>::new();
/// let squares = source.map(|x| x * x).sink_to_list();
/// source.emit_all([1, 2])?;
/// assert_eq!(squares.get(), [1, 4]);
/// source.emit(3)?;
/// assert_eq!(squares.take(), [1, 4, 9]);
/// assert!(squares.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct List<T> {
    items: Arc<Mutex<Vec<T>>>,
    branch: Branch,
}

#[track_caller]
pub(crate) fn sink_to_list<R: Run>(run: R) -> List<R::Item> {
    let items = Arc::<Mutex<Vec<R::Item>>>::default();
    let end = items.clone();
    let branch = run.sink(move |item| {
        if let Ok(mut items) = end.lock() {
            items.push(item);
        }
    });
    List { items, branch }
}

impl<T> List<T> {
    /// Takes all elements that came since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        match self.items.lock() {
            Ok(mut items) => std::mem::take(&mut *items),
            Err(_) => Vec::new(),
        }
    }

    /// A copy of all elements that came since they were last taken.
    #[must_use]
    pub fn get(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.items
            .lock()
            .map(|items| items.clone())
            .unwrap_or_default()
    }

    /// How many elements came since they were last taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.lock().map_or(0, |items| items.len())
    }

    /// Whether no element came since they were last taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The branch that fills the list.
    #[must_use]
    pub fn branch(&self) -> &Branch {
        &self.branch
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        List {
            items: self.items.clone(),
            branch: self.branch.clone(),
        }
    }
}

impl<T> std::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
