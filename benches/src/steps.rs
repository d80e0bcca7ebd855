//! The elementary work that several workloads share, so that all their variants do the same.

/// The first map of the straight run.
#[inline]
pub(crate) fn first(x: u64) -> u64 {
    x.wrapping_add(1)
}

/// The filter of the straight run: keeps two of three, in a pattern a branch predictor learns, since a
/// random one would measure the predictor.
#[inline]
pub(crate) fn keep(x: &u64) -> bool {
    !x.is_multiple_of(3)
}

/// The second map of the straight run.
#[inline]
pub(crate) fn second(x: u64) -> u64 {
    x.wrapping_mul(2)
}

/// The running sum of the straight run: the new state, which is also what is emitted.
#[inline]
pub(crate) fn running(sum: u64, x: u64) -> u64 {
    sum.wrapping_add(x)
}
