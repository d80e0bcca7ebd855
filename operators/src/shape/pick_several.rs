//! What `pluck` makes of several picks: a `Vec` of a `Vec` of them, an array, a tuple.

use super::pick::{NotFound, Pick, PickEach};

macro_rules! several {
    ($picks:ty, ($($generics:tt)*), $parts:ty, ($($bound:tt)*), $this:ident, $from:ident => $collect:expr) => {
        impl<C, $($generics)*> Pick<C> for $picks
        where
            $($bound)*
        {
            type Part = $parts;

            #[inline]
            fn pick(&self, from: C) -> Result<Self::Part, (NotFound, C)> {
                self.pick_clone(&from).map_err(|error| (error, from))
            }
        }

        impl<C, $($generics)*> PickEach<C> for $picks
        where
            $($bound)*
        {
            #[inline]
            fn pick_clone(&self, $from: &C) -> Result<Self::Part, NotFound> {
                let $this = self;
                $collect
            }
        }
    };
}

several!(Vec<W>, (W), Vec<W::Part>, (W: PickEach<C>), picks, from => {
    picks.iter().map(|pick| pick.pick_clone(from)).collect()
});

several!([W; N], (W, const N: usize), [W::Part; N], (W: PickEach<C>), picks, from => {
    // One after the other, and none after one that is not there.
    let mut missing = None;
    let parts = picks.each_ref().map(|pick| match &missing {
        Some(_) => None,
        None => pick.pick_clone(from).map_err(|error| missing = Some(error)).ok(),
    });
    match missing {
        Some(error) => Err(error),
        None => Ok(parts.map(|part| match part {
            Some(part) => part,
            None => unreachable!("none is missing"),
        })),
    }
});

macro_rules! several_of_types {
    ($($pick:ident $place:tt),+) => {
        several!(
            ($($pick,)+), ($($pick),+), ($($pick::Part,)+), ($($pick: PickEach<C>),+),
            picks, from => Ok(($(picks.$place.pick_clone(from)?,)+))
        );
    };
}

several_of_types!(W0 0);
several_of_types!(W0 0, W1 1);
several_of_types!(W0 0, W1 1, W2 2);
several_of_types!(W0 0, W1 1, W2 2, W3 3);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4, W5 5);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4, W5 5, W6 6);
several_of_types!(W0 0, W1 1, W2 2, W3 3, W4 4, W5 5, W6 6, W7 7);
