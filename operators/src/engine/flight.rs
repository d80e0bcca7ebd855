//! `Flight`: what users say about operators that have elements in flight.

use std::hash::Hash;

use super::handover::Handover;
use super::lanes::{Keyed, Lanes};
use super::retry::{Again, Retry};
use super::topology::Site;
use crate::InGraph;

/// How many may wait for an earlier one by default.
const REORDER: usize = 1_024;

/// How many at once, and in which order what comes of them goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(super) at_once: usize,
    pub(super) ordered: bool,
    pub(super) reorder: usize,
}

/// Everything that `map_async`, `map_blocking`, their `try_` kin and their sinks are told, but for
/// what they do.
pub(crate) struct Flight<T> {
    pub(super) limits: Limits,
    pub(super) lanes: Option<Box<dyn Lanes<T>>>,
    pub(super) again: Option<Again<T>>,
    /// Where a policy comes from that is given once all is connected.
    pub(super) later: Option<Handover<Again<T>>>,
    pub(super) site: Site,
}

impl<T> Flight<T> {
    #[track_caller]
    pub(crate) fn new(operator: &'static str, at_once: usize) -> Flight<T> {
        assert!(
            at_once > 0,
            "`{operator}(0, …)` would never start: let at least 1 element be in flight"
        );
        Flight {
            limits: Limits {
                at_once,
                ordered: true,
                reorder: REORDER,
            },
            lanes: None,
            again: None,
            later: None,
            site: Site::new(operator),
        }
    }

    pub(crate) fn at_once(&self) -> usize {
        self.limits.at_once
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn unordered(mut self) -> Flight<T> {
        self.limits.ordered = false;
        self
    }

    #[track_caller]
    pub(crate) fn reorder(mut self, elements: usize) -> Flight<T> {
        assert!(
            elements > 0,
            "`reorder(0)` would never start: let at least 1 finished result wait for an earlier one"
        );
        self.limits.reorder = elements;
        self
    }

    pub(crate) fn by_key<K, F>(mut self, key: F) -> Flight<T>
    where
        T: InGraph,
        K: Hash + Eq + Clone + InGraph,
        F: FnMut(&T) -> K + InGraph,
    {
        self.lanes = Some(Box::new(Keyed::new(key)));
        self.unordered()
    }

    /// Each further attempt gets a clone.
    pub(crate) fn retry(mut self, policy: Retry) -> Flight<T>
    where
        T: Clone,
    {
        self.again = Some(Again::cloning(policy));
        self
    }

    /// Each attempt is lent the same element.
    pub(crate) fn retry_lending(mut self, policy: Retry) -> Flight<T> {
        self.again = Some(Again::lending(policy));
        self
    }

    /// A policy may come there once all is connected.
    pub(crate) fn retry_later(mut self, policy: Handover<Again<T>>) -> Flight<T> {
        self.later = Some(policy);
        self
    }
}

/// What all operators with elements in flight have besides `Run`: a constructor, their options,
/// `Debug`.
macro_rules! flight_adaptor {
    ($Adaptor:ident, $kind:literal) => {
        impl<R: Run, F> $Adaptor<R, F> {
            #[track_caller]
            pub(crate) fn new(upstream: R, n: usize, f: F) -> Self {
                let flight = Flight::new($kind, n);
                $Adaptor {
                    upstream,
                    f,
                    flight,
                }
            }

            /// Lets each result go on as soon as it is there, instead of in the order of the elements.
            pub fn unordered(mut self) -> Self {
                self.flight = self.flight.unordered();
                self
            }

            /// How many may wait for an earlier one that has not finished, on top of the `n` elements
            /// held besides (1 024 by default): finished results, in order; elements behind one of
            /// their key, [`by_key`](Self::by_key). Without effect on what is
            /// [`unordered`](Self::unordered), where none waits for another.
            ///
            /// # Panics
            /// If `elements` is 0.
            #[track_caller]
            pub fn reorder(mut self, elements: usize) -> Self {
                self.flight = self.flight.reorder(elements);
                self
            }

            /// Order by key: elements of one key run one after another and go on in their order,
            /// those of different keys run side by side, up to `n` of them. One that is slow holds up
            /// none of another key: each result goes on as soon as it is there.
            ///
            /// An element whose key is busy waits for it without one of the `n` places, as long as
            /// no more than 1 024 do ([`reorder`](Self::reorder)). A key is kept no longer than an
            /// element of it is in flight. Failures and holes from above have no key, and go on when
            /// it is their turn to start.
            #[doc(alias = "ordered_by_key")]
            #[doc(alias = "group_by")]
            #[doc(alias = "serialize")]
            pub fn by_key<K, G>(mut self, key: G) -> Self
            where
                K: std::hash::Hash + Eq + Clone + InGraph,
                G: FnMut(&R::Item) -> K + InGraph,
            {
                self.flight = self.flight.by_key(key);
                self
            }
        }

        impl<R: Run, F> std::fmt::Debug for $Adaptor<R, F> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($Adaptor))
                    .field("limits", &self.flight.limits())
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use flight_adaptor;
