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
