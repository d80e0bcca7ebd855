//! Several flows become one.

mod chain;
mod combine_latest;
mod desk;
mod gate;
mod inputs;
mod latest;
mod literal;
mod place;
mod relay;
mod row;
mod starving;
mod take_until;
mod union;
mod with_latest;
mod zip;
mod zip_all;
mod zip_latest;

pub use chain::Chain;
pub use combine_latest::{Combinable, CombineLatest, combine_latest, combine_latest_all};
pub use inputs::{Inputs, LatestOf, Lossless};
pub use literal::{Literal, literal};
pub use place::ZipInput;
pub use starving::Starved;
pub use take_until::TakeUntil;
pub use union::{Mergeable, Union, union, union_all};
pub use with_latest::WithLatest;
pub use zip::{Zip, Zippable, zip};
pub use zip_all::{ZipAll, zip_all};
pub use zip_latest::{ZipLatest, zip_latest, zip_latest_all};
