//! What joins that keep the latest elements share: the slot of an input, all slots of a join as one
//! thing, and the ports that lead to them.

use std::sync::Arc;

use crate::engine::{Cell, Cx, Label, Loss, Lost, Node, PortCounts, Push, Signal, Token};
use crate::flow::{Forkable, InGraph};

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
    /// What stands in for an element until one comes: nobody misses it.
    pub(crate) fn initially(item: T) -> Self {
        Latest(Some(Held {
            item,
            token: Token::NONE,
            used: true,
        }))
    }

    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// The element, for a row.
    #[inline]
    pub(crate) fn use_it(&mut self) -> Option<&T> {
        let held = self.0.as_mut()?;
        held.used = true;
        Some(&held.item)
    }

    /// The token that rides beside the element.
    #[inline]
    pub(crate) fn token(&self) -> Token {
        match &self.0 {
            Some(held) => held.token.clone(),
            None => Token::NONE,
        }
    }

    /// An element takes its place as the latest. One before it that no row was made of is lost, and
    /// counted at the join.
    #[inline]
    pub(crate) fn replace(&mut self, item: T, label: &Label, cx: &mut Cx) {
        if self.discard() {
            cx.lose(label.id(), Loss::Superseded, 1);
        }
        self.0 = Some(Held {
            item,
            token: cx.token.clone(),
            used: false,
        });
    }

    /// As [`replace`](Latest::replace), by the next element of a batch, where the one before it was
    /// used: there is nothing to lose, and their token is one.
    #[inline]
    pub(crate) fn renew(&mut self, item: T) {
        if let Some(held) = &mut self.0 {
            held.item = item;
        }
    }

    /// Lets the element go. Returns whether no row was made of it: then its lineage fails.
    #[inline]
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

/// All slots of a join: a tuple of [`Latest`], or a `Vec` of them.
pub(crate) trait Slots: InGraph {
    /// The latest elements, as they are emitted.
    type Row: Clone + InGraph;

    /// How many inputs have had no element yet.
    fn missing(&self) -> usize;

    /// How many elements are held.
    fn held(&self) -> usize;

    /// How many elements each slot holds: none or 1.
    fn filled(&self) -> PortCounts;

    /// The latest elements, if every input has one.
    fn row(&mut self) -> Option<Self::Row>;

    /// The token of a row: of all that it is made of.
    fn token(&self) -> Token;

    /// Lets all elements go. Returns of how many no row was made.
    fn discard(&mut self) -> usize;
}

/// The slot at a position of a tuple.
pub(crate) trait SlotAt<const P: usize> {
    type Item: InGraph;

    fn slot(&mut self) -> &mut Latest<Self::Item>;
}

macro_rules! slots_arity {
    ($($T:ident $P:tt),+) => {
        impl<$($T: Forkable + InGraph),+> Slots for ($(Latest<$T>,)+) {
            type Row = ($($T,)+);

            #[inline]
            fn missing(&self) -> usize {
                $(usize::from(!self.$P.is_some()) +)+ 0
            }

            fn held(&self) -> usize {
                $(usize::from(self.$P.is_some()) +)+ 0
            }

            fn filled(&self) -> PortCounts {
                [$(usize::from(self.$P.is_some())),+].into_iter().collect()
            }

            #[inline]
            #[expect(non_snake_case, reason = "a variable for each type, named alike")]
            fn row(&mut self) -> Option<Self::Row> {
                if self.missing() > 0 {
                    return None;
                }
                match ($(self.$P.use_it(),)+) {
                    ($(Some($T),)+) => Some(($($T.clone(),)+)),
                    _ => None,
                }
            }

            #[inline]
            fn token(&self) -> Token {
                Token::merge([$(self.$P.token()),+])
            }

            fn discard(&mut self) -> usize {
                [$(self.$P.discard()),+].into_iter().filter(|lost| *lost).count()
            }
        }

        slots_arity!(@slots [$($T)+] $($T $P),+);
    };
    (@slots $all:tt $($T:ident $P:tt),+) => {
        $(slots_arity!(@slot $all $T $P);)+
    };
    (@slot [$($All:ident)+] $T:ident $P:tt) => {
        impl<$($All: InGraph),+> SlotAt<$P> for ($(Latest<$All>,)+) {
            type Item = $T;

            #[inline]
            fn slot(&mut self) -> &mut Latest<$T> {
                &mut self.$P
            }
        }
    };
}

slots_arity!(T0 0);
slots_arity!(T0 0, T1 1);
slots_arity!(T0 0, T1 1, T2 2);
slots_arity!(T0 0, T1 1, T2 2, T3 3);
slots_arity!(T0 0, T1 1, T2 2, T3 3, T4 4);
slots_arity!(T0 0, T1 1, T2 2, T3 3, T4 4, T5 5);
slots_arity!(T0 0, T1 1, T2 2, T3 3, T4 4, T5 5, T6 6);
slots_arity!(T0 0, T1 1, T2 2, T3 3, T4 4, T5 5, T6 6, T7 7);

impl<T: Forkable + InGraph> Slots for Vec<Latest<T>> {
    type Row = Vec<T>;

    fn missing(&self) -> usize {
        self.len() - self.held()
    }

    fn held(&self) -> usize {
        self.iter().filter(|slot| slot.is_some()).count()
    }

    fn filled(&self) -> PortCounts {
        self.iter()
            .map(|slot| usize::from(slot.is_some()))
            .collect()
    }

    fn row(&mut self) -> Option<Vec<T>> {
        if self.missing() > 0 {
            return None;
        }
        Some(
            self.iter_mut()
                .filter_map(|slot| slot.use_it().cloned())
                .collect(),
        )
    }

    fn token(&self) -> Token {
        Token::merge(self.iter().map(Latest::token))
    }

    fn discard(&mut self) -> usize {
        self.iter_mut()
            .filter_map(|slot| slot.discard().then_some(()))
            .count()
    }
}

/// A node that keeps latest elements. `port` counts its slots from 0, and `slot` finds that one.
pub(crate) trait Keeper: Node {
    type Slots: Slots;

    fn arrive<T>(
        &mut self,
        port: usize,
        slot: impl Fn(&mut Self::Slots) -> &mut Latest<T>,
        item: T,
        cx: &mut Cx,
    );

    fn arrive_all<T>(
        &mut self,
        port: usize,
        slot: impl Fn(&mut Self::Slots) -> &mut Latest<T>,
        items: &mut Vec<T>,
        cx: &mut Cx,
    ) {
        for item in items.drain(..) {
            self.arrive(port, &slot, item, cx);
        }
    }

    /// `has_element` says whether something lies in the slot.
    fn hear(&mut self, port: usize, has_element: bool, signal: Signal<'_>, cx: &mut Cx);

    fn slots(&mut self) -> &mut Self::Slots;
}

/// Pushes into the slot at position `P` of a tuple.
pub(crate) struct TuplePort<N, const P: usize>(pub(crate) Arc<Cell<N>>);

impl<N: Keeper, const P: usize> Push<<N::Slots as SlotAt<P>>::Item> for TuplePort<N, P>
where
    N::Slots: SlotAt<P>,
{
    #[inline]
    fn push(&mut self, item: <N::Slots as SlotAt<P>>::Item, cx: &mut Cx) {
        let mut node = self.0.take(cx);
        node.arrive(P, SlotAt::<P>::slot, item, cx);
        self.0.put(cx, node);
    }

    fn push_batch(&mut self, items: &mut Vec<<N::Slots as SlotAt<P>>::Item>, cx: &mut Cx) {
        let mut node = self.0.take(cx);
        node.arrive_all(P, SlotAt::<P>::slot, items, cx);
        self.0.put(cx, node);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let mut node = self.0.take(cx);
        let has_element = SlotAt::<P>::slot(node.slots()).is_some();
        node.hear(P, has_element, signal, cx);
        self.0.put(cx, node);
    }

    fn batches(&self) -> bool {
        true
    }
}

/// Pushes into one slot of a `Vec`.
pub(crate) struct NthPort<N> {
    pub(crate) cell: Arc<Cell<N>>,
    pub(crate) port: usize,
}

impl<T, N> Push<T> for NthPort<N>
where
    T: Forkable + InGraph,
    N: Keeper<Slots = Vec<Latest<T>>>,
{
    fn push(&mut self, item: T, cx: &mut Cx) {
        let (port, mut node) = (self.port, self.cell.take(cx));
        node.arrive(port, |slots| &mut slots[port], item, cx);
        self.cell.put(cx, node);
    }

    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        let (port, mut node) = (self.port, self.cell.take(cx));
        node.arrive_all(port, |slots| &mut slots[port], items, cx);
        self.cell.put(cx, node);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let mut node = self.cell.take(cx);
        let has_element = node.slots()[self.port].is_some();
        node.hear(self.port, has_element, signal, cx);
        self.cell.put(cx, node);
    }

    fn batches(&self) -> bool {
        true
    }
}
