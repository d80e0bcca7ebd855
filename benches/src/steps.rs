//! The elementary work that several workloads share, so that all their variants do the same.

/// The first map of the straight run.
#[inline]
pub(crate) fn first(x: u64) -> u64 {
    x.wrapping_add(1)
}

/// The filter of the straight run: keeps every other eight elements. A branch predictor learns that (a
/// random filter would measure the predictor), and an optimiser that unrolls by two or four cannot do
/// away with the test, as it does with `x % 2`.
#[inline]
pub(crate) fn keep(x: &u64) -> bool {
    x & 8 == 0
}

/// The second map of the straight run.
#[inline]
pub(crate) fn second(x: u64) -> u64 {
    x.wrapping_mul(3)
}

/// The running sum of the straight run: the new state, which is also what is emitted.
#[inline]
pub(crate) fn running(sum: u64, x: u64) -> u64 {
    sum.wrapping_add(x)
}

/// The sixteen maps, half of them. Additions alternate with exclusive ors, which no compiler folds into
/// one.
#[inline]
pub(crate) fn odd(x: u64) -> u64 {
    x.wrapping_add(0x5851_f42d)
}

/// The sixteen maps, the other half.
#[inline]
pub(crate) fn even(x: u64) -> u64 {
    x ^ 0x1405_7b7e
}

/// Puts the sixteen maps behind a flow of any library whose method is `map`.
macro_rules! sixteen {
    ($flow:expr) => {
        sixteen!(@ $flow; odd even odd even odd even odd even odd even odd even odd even odd even)
    };
    (@ $flow:expr;) => { $flow };
    (@ $flow:expr; $step:ident $($rest:ident)*) => {
        sixteen!(@ $flow.map($crate::steps::$step); $($rest)*)
    };
}
