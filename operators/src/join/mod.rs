//! Several flows become one.

mod chain;
mod combine_latest;
mod latest;
mod row;
mod take_until;
mod union;
mod zip;
mod zip_all;

pub use chain::Chain;
pub use combine_latest::{Combinable, CombineLatest, Inputs, combine_latest};
pub use row::{Starved, ZIP_CAPACITY};
pub use take_until::TakeUntil;
pub use union::{Mergeable, Union, union, union_all};
pub use zip::{Zip, Zippable, zip};
pub use zip_all::{ZipAll, zip_all};
