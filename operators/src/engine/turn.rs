//! How much is done in one turn, so that others get theirs.

/// How many elements a node that holds some passes on before it lets others have their turn, and how
/// many nodes the driver polls in one hold of the lock before emitters have theirs.
///
/// It is large enough that what a turn costs by itself (a wake-up, a node taken out of its cell, a
/// lock) is lost in the work, and small enough that nobody waits long for a node that always has
/// something to do.
pub(crate) const TURN: usize = 256;

/// How many batches an iterator or a stream pumps in one turn: a batch is more than an element, but
/// may be as little as one, where there is no more room.
pub(crate) const BATCHES_IN_TURN: usize = 64;
