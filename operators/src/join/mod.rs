//! Several flows become one.

mod row;
mod zip;
mod zip_all;

pub use row::{Starved, ZIP_CAPACITY};
pub use zip::{Zip, Zippable, zip};
pub use zip_all::{ZipAll, zip_all};
