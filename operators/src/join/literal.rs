//! `literal`: the same value in each row of a zip.

use super::place::{Place, Queue, ZipInput};
use super::row::RowCheck;
use crate::engine::{Cx, Fifo, Graph, Label, Plan, Push};
use crate::flow::InGraph;

/// The same value in each row of a [`zip`](crate::zip()): see [`literal`].
#[derive(Clone, Debug)]
#[must_use = "a literal does nothing until it stands in a `zip`"]
pub struct Literal<T> {
    value: T,
}

/// Stands in a [`zip`](crate::zip()), at any place, for a value that is the same in each row: a clone of
/// it. What is dear to clone is better put into an `Arc`.
///
/// A literal is no input of the zip. It belongs to no graph, holds nothing, never closes and is never
/// waited for: when there is a row, and when the zip ends, is for the flows to say. It has no place in
/// [pictures](crate::Topology) and [snapshots](crate::Snapshot), and where inputs are counted, as by
/// [`Branch::move_input`](crate::Branch::move_input), it is passed over.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::{literal, zip};
///
/// let graph = Graph::new();
/// let (names, ages) = (graph.source::<&str>(), graph.source::<u32>());
/// let rows = zip((literal(7), &names, literal("is"), &ages)).sink_to_list();
/// let tagged = names.zip(literal('!')).sink_to_list();
/// names.emit("Ada")?;
/// assert_eq!(tagged.take(), [("Ada", '!')]);
/// ages.emit(36)?;
/// assert_eq!(rows.take(), [(7, "Ada", "is", 36)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "constant")]
pub fn literal<T: Clone + InGraph>(value: T) -> Literal<T> {
    Literal { value }
}

impl<T: Clone + InGraph> ZipInput for Literal<T> {
    type Item = T;
    type Run = Self;

    fn into_place(self, _: &mut Option<Graph>) -> Self {
        self
    }
}

impl<T: Clone + InGraph> Place for Literal<T> {
    type Queue = Constant<T>;

    fn queue(&self) -> Constant<T> {
        Constant(self.value.clone())
    }

    fn lead<N: Push<T>>(self, _: N, _: (&Label, &mut u32), _: &mut Plan) {}
}

/// An element for every row: never empty and never full.
pub(crate) struct Constant<T>(T);

impl<T: Clone + InGraph> Queue for Constant<T> {
    type Item = T;
    type Plain = ();
    const INPUTS: usize = 0;

    #[inline]
    fn input(&self) -> Option<&Fifo<T>> {
        None
    }

    #[inline]
    fn input_mut(&mut self) -> Option<&mut Fifo<T>> {
        None
    }

    #[inline]
    fn pop_plain(&mut self) -> Option<T> {
        Some(self.0.clone())
    }

    /// It is no element that could be lost with a row, and brings no token.
    #[inline]
    fn take(&mut self, _: &mut RowCheck, _: &mut Cx) -> Option<T> {
        self.pop_plain()
    }

    #[inline]
    fn take_plain(&mut self) {}

    #[inline]
    fn drain<'a>(&'a self, _: &'a mut (), rows: usize) -> impl Iterator<Item = T> + use<'a, T> {
        std::iter::repeat_n(self.0.clone(), rows)
    }

    #[inline]
    fn give_back(&mut self, _: ()) {}
}
