//! `TryBranch`, `TryRefBranch`: the branch of a sink that may fail, which can be told to try again.

use std::ops::Deref;

use crate::engine::{Again, Branch, Handover, Retriable, Retry};

/// The [`Branch`] of a sink that may fail and is given its elements:
/// [`try_sink_async`](crate::Flow::try_sink_async), [`try_sink_blocking`](crate::Flow::try_sink_blocking).
///
/// It has whatever a [`Branch`] has, and becomes one by `into()`. Besides, it can be told to
/// [`retry`](TryBranch::retry).
///
/// A handle: clones mean the same run, and dropping it changes nothing.
pub struct TryBranch<T> {
    branch: Branch,
    policy: Handover<Again<T>>,
}

/// The [`Branch`] of a sink that may fail and is lent its elements:
/// [`try_sink_async_ref`](crate::Flow::try_sink_async_ref).
///
/// It has whatever a [`Branch`] has, and becomes one by `into()`. Besides, it can be told to
/// [`retry`](TryRefBranch::retry).
///
/// A handle: clones mean the same run, and dropping it changes nothing.
pub struct TryRefBranch<T> {
    branch: Branch,
    policy: Handover<Again<T>>,
}

impl<T> TryBranch<T> {
    /// Tries an element again whose attempt failed, as `policy` says: with a clone of it, after a delay on
    /// the graph's clock, in one of the sink's `n` places. All is as for
    /// [`TryMapAsync::retry`](crate::TryMapAsync::retry): after the last attempt, or an error that the
    /// policy does not try again, the failure is reported with the last error, and brings the element
    /// along; a close and a shutdown wait for all attempts; a receipt resolves with the last of them.
    ///
    /// The sink is connected already. The policy is for elements that start from now on; those that had
    /// started before have left no clone, and are tried once. So nothing is missed where nobody emits
    /// yet. Said again, the later policy stands, for elements under way too: those that an earlier policy
    /// had kept a clone of. On a branch that has gone it does nothing.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use headwater::Retry;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let rows = graph.source::<u32>();
    /// let mut down = true;
    /// rows.try_sink_async(4, move |_row| {
    ///     let answer = if std::mem::take(&mut down) { Err("the peer is down".into()) } else { Ok(()) };
    ///     async move { answer }
    /// })
    /// .retry(Retry::attempts(3).exponential(Duration::from_millis(100)))
    /// .named("database");
    /// let receipt = rows.emit_tracked(7)?;
    /// time.settle();
    /// assert_eq!(receipt.outcome(), None);
    /// time.advance(Duration::from_millis(100));
    /// assert_eq!(receipt.outcome(), Some(Ok(())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retry(self, policy: Retry) -> TryBranch<T>
    where
        T: Retriable,
    {
        self.policy.put(Again::cloning(policy));
        self
    }
}

impl<T> TryRefBranch<T> {
    /// Tries an element again whose attempt failed, as `policy` says: with the same element, after a delay
    /// on the graph's clock, in one of the sink's `n` places. All is as for
    /// [`TryMapAsyncRef::retry`](crate::TryMapAsyncRef::retry): after the last attempt, or an error that
    /// the policy does not try again, the failure is reported with the last error; a close and a shutdown
    /// wait for all attempts; a receipt resolves with the last of them.
    ///
    /// The sink is connected already. An attempt that fails is judged by the policy of that moment, also
    /// where it began before. Said again, the later policy stands. On a branch that has gone it does
    /// nothing.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use headwater::Retry;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let rows = graph.source::<u32>();
    /// let mut down = true;
    /// rows.try_sink_async_ref(4, move |_row| {
    ///     let down = std::mem::take(&mut down);
    ///     Box::pin(async move { if down { Err("the peer is down".into()) } else { Ok(()) } })
    /// })
    /// .retry(Retry::attempts(3).exponential(Duration::from_millis(100)))
    /// .named("database");
    /// let receipt = rows.emit_tracked(7)?;
    /// time.settle();
    /// assert_eq!(receipt.outcome(), None);
    /// time.advance(Duration::from_millis(100));
    /// assert_eq!(receipt.outcome(), Some(Ok(())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retry(self, policy: Retry) -> TryRefBranch<T> {
        self.policy.put(Again::lending(policy));
        self
    }
}

/// What makes a branch of them.
macro_rules! is_a_branch {
    ($Handle:ident) => {
        impl<T> $Handle<T> {
            pub(super) fn new(branch: Branch, policy: Handover<Again<T>>) -> Self {
                $Handle { branch, policy }
            }

            /// Names the run's end, unless it has a name.
            pub fn named(self, name: impl Into<String>) -> Self {
                $Handle {
                    branch: self.branch.named(name),
                    policy: self.policy,
                }
            }

            /// The branch, by which it is moved and taken off.
            #[must_use]
            pub fn branch(&self) -> &Branch {
                &self.branch
            }
        }

        impl<T> Deref for $Handle<T> {
            type Target = Branch;

            fn deref(&self) -> &Branch {
                &self.branch
            }
        }

        impl<T> AsRef<Branch> for $Handle<T> {
            fn as_ref(&self) -> &Branch {
                &self.branch
            }
        }

        impl<T> From<$Handle<T>> for Branch {
            fn from(handle: $Handle<T>) -> Branch {
                handle.branch
            }
        }

        impl<T> Clone for $Handle<T> {
            fn clone(&self) -> Self {
                $Handle {
                    branch: self.branch.clone(),
                    policy: self.policy.clone(),
                }
            }
        }

        impl<T> std::fmt::Debug for $Handle<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($Handle))
                    .field(&self.branch)
                    .finish()
            }
        }
    };
}
is_a_branch!(TryBranch);
is_a_branch!(TryRefBranch);
