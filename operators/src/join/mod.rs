//! Several flows become one.

mod combine_latest;
mod latest;
mod row;
mod union;
mod zip;
mod zip_all;

pub use combine_latest::{Combinable, CombineLatest, Inputs, combine_latest};
pub use row::{Starved, ZIP_CAPACITY};
pub use union::{Mergeable, Union, union, union_all};
pub use zip::{Zip, Zippable, zip};
pub use zip_all::{ZipAll, zip_all};
