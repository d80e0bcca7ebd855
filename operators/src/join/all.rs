//! What joins of any number of like flows take: at least one, all of one graph.

use crate::flow::{Flow, Run};

/// The flows as runs.
///
/// # Panics
/// If there is no flow, or if they belong to two graphs.
#[track_caller]
pub(crate) fn into_runs<F: Flow>(
    flows: impl IntoIterator<Item = F>,
    operator: &str,
) -> Vec<F::Run> {
    let runs: Vec<_> = flows.into_iter().map(Flow::into_run).collect();
    assert!(
        !runs.is_empty(),
        "`{operator}` of no flows would never emit nor close: give it at least 1 flow"
    );
    for run in &runs {
        runs[0].graph().assert_same(run.graph(), operator);
    }
    runs
}
