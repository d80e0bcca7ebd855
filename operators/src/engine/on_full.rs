//! What a full holder does with one element more.

/// What a full holder does with one element more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnFull {
    /// Its origin waits: `emit` returns `Full`, `send` waits. Nothing is lost.
    #[default]
    Wait,
    /// The oldest element goes, counted as overflow.
    DropOldest,
    /// The new element goes, counted as overflow.
    DropNewest,
    /// The new element fails with [`Overflow`]. From a [`buffer`](crate::Flow::buffer) the failure goes
    /// down in the element's place, to a `catch` below. A join (`zip`, `zip_latest`, `chain` and their
    /// kin) reports it at once, as one that nobody caught, and the place stays empty.
    Fail,
}

/// A holder was full, and its policy is to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow {
    /// How many elements the holder has room for.
    pub capacity: usize,
}

impl std::fmt::Display for Overflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "there was no room: {} elements are held already",
            self.capacity
        )
    }
}

impl std::error::Error for Overflow {}
