//! Joins with the latest elements, joins of any number of flows, and joins that wait for each other.

mod literals;
mod of_many;
mod waiting;
mod with_latest;
mod zip;
mod zip_latest;

use headwater::prelude::*;
use headwater::{Loss, Lost, Receipt};

/// An element that does not fit is a failure.
fn unless(fits: bool) -> Result<bool, BoxError> {
    fits.then_some(true).ok_or_else(|| "unfit".into())
}

fn lost(graph: &Graph, node: &str, loss: Loss) -> u64 {
    let snapshot = graph.snapshot().unwrap();
    snapshot.named(node).unwrap().counts.lost(loss)
}

fn held(graph: &Graph, node: &str) -> u64 {
    graph.snapshot().unwrap().named(node).unwrap().counts.held
}

fn outcomes<const N: usize>(receipts: [&Receipt; N]) -> [Option<Result<(), Lost>>; N] {
    receipts.map(Receipt::outcome)
}

const DONE: Option<Result<(), Lost>> = Some(Ok(()));

const DISCARDED: Option<Result<(), Lost>> = Some(Err(Lost::Discarded));

/// Can be neither copied nor cloned.
#[derive(Debug, PartialEq)]
struct Unique(u32);
