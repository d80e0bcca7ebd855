//! `starmap`: the items of a tuple become the arguments of a closure.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure of several arguments to each tuple: see
/// [`Flow::starmap`](crate::Flow::starmap).
///
/// A zip emits tuples; this names their items without a pattern. Tuples of one to eight items are
/// [`Splay`]ed. A constant argument is bound by the closure itself: `move |a, b| f(a, b, constant)`.
///
/// - **Emits** one element for each element, at once.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<(f64, f64)>::new();
/// let powers = source.starmap(f64::powf).sink_to_list();
/// let products = source.starmap(|volts, amperes| volts * amperes).sink_to_list();
/// source.emit((3.0, 2.0))?;
/// assert_eq!(powers.take(), [9.0]);
/// assert_eq!(products.take(), [6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Starmap<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

/// A tuple whose items are the arguments of `F`: `(A, B)` where `F` is `FnMut(A, B) -> U`, and so on
/// from one item to eight. There is nothing to implement.
// A trait of the tuple and not of the closure: so the compiler knows the closure's arguments before
// it looks into it.
#[diagnostic::on_unimplemented(
    message = "the items of `{Self}` can't become the arguments of the closure",
    label = "not a tuple of 1 to 8 items",
    note = "`map` takes the element as it is: `.map(|x| …)`, or with a pattern `.map(|Point {{ x, y }}| …)`"
)]
pub trait Splay<F>: Sized {
    /// What the closure returns.
    type Output: InGraph;

    /// Calls the closure with the tuple's items.
    fn splay(self, f: &mut F) -> Self::Output;
}

macro_rules! splay {
    ($($item:ident)+) => {
        impl<F, U, $($item),+> Splay<F> for ($($item,)+)
        where
            F: FnMut($($item),+) -> U,
            U: InGraph,
        {
            type Output = U;

            #[inline]
            fn splay(self, f: &mut F) -> U {
                // Items are called like their types: a macro has no other names for them.
                #[allow(non_snake_case)]
                let ($($item,)+) = self;
                f($($item),+)
            }
        }
    };
}

splay!(A);
splay!(A B);
splay!(A B C);
splay!(A B C D);
splay!(A B C D E);
splay!(A B C D E G);
splay!(A B C D E G H);
splay!(A B C D E G H I);

impl<R, F> Starmap<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        Starmap {
            upstream,
            f,
            site: Site::new("starmap"),
        }
    }
}

impl<R, F> Run for Starmap<R, F>
where
    R: Run<Item: Splay<F>>,
    F: InGraph,
{
    type Item = <R::Item as Splay<F>>::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = StarmapStep(self.f);
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct StarmapStep<F>(F);

impl<T, F> Step<T, T::Output> for StarmapStep<F>
where
    T: Splay<F>,
    F: InGraph,
{
    #[inline]
    fn step<N: Push<T::Output>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        next.push(item.splay(&mut self.0), cx);
    }
}

impl<R, F> std::fmt::Debug for Starmap<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starmap").finish_non_exhaustive()
    }
}
