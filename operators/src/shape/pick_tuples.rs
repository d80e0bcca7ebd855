//! What `pluck` picks from tuples: items, by an index in the type.

use super::pick::{NotFound, Pick, PickEach};

/// The item of a tuple at an index, counted from 0, for [`pluck`](crate::Flow::pluck): `Nth::<1>`.
///
/// Items of a tuple differ in type, so their index must be known to the compiler. In a closure that
/// reads `.map(|tuple| tuple.1)`; this is for picks in a list with others, and for symmetry.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::Nth;
///
/// let source = Source::<(u32, &str, bool)>::new();
/// let names = source.pluck(Nth::<1>).sink_to_list();
/// let rest = source.pluck((Nth::<0>, Nth::<2>)).sink_to_list();
/// source.emit((7, "water", true))?;
/// assert_eq!(names.take(), ["water"]);
/// assert_eq!(rest.take(), [(7, true)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Nth<const N: usize>;

/// One tuple type and the items before, at and behind each place.
macro_rules! by_place {
    (@ ($($all:ident)+) $place:tt $part:ident) => {
        impl<$($all),+> Pick<($($all,)+)> for Nth<$place> {
            type Part = $part;

            #[inline]
            fn pick(&self, from: ($($all,)+)) -> Result<$part, (NotFound, ($($all,)+))> {
                Ok(from.$place)
            }
        }

        impl<$($all),+> PickEach<($($all,)+)> for Nth<$place>
        where
            $part: Clone,
        {
            #[inline]
            fn pick_clone(&self, from: &($($all,)+)) -> Result<$part, NotFound> {
                Ok(from.$place.clone())
            }
        }
    };
    ($all:tt: $($place:tt $part:ident)+) => {
        $(by_place!(@ $all $place $part);)+
    };
}

by_place!((A): 0 A);
by_place!((A B): 0 A 1 B);
by_place!((A B C): 0 A 1 B 2 C);
by_place!((A B C D): 0 A 1 B 2 C 3 D);
by_place!((A B C D E): 0 A 1 B 2 C 3 D 4 E);
by_place!((A B C D E F): 0 A 1 B 2 C 3 D 4 E 5 F);
by_place!((A B C D E F G): 0 A 1 B 2 C 3 D 4 E 5 F 6 G);
by_place!((A B C D E F G H): 0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H);
