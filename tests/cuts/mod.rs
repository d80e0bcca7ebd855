//! Elements in batches of given sizes, and which nodes are left afterwards.

use headwater::prelude::*;

/// Titles of the graph's nodes.
pub(crate) fn nodes(graph: &Graph) -> Vec<String> {
    let topology = graph.topology();
    let titles = topology.nodes().iter().map(|n| n.label().title());
    titles.map(str::to_owned).collect()
}

/// Emits `items` in batches of these sizes, again and again; 0 is one element by `emit`.
pub(crate) fn emit_in(source: &Source<u64>, items: &[u64], sizes: &[usize]) {
    let (mut rest, mut sizes) = (items, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = *sizes.next().unwrap();
        let (batch, after) = rest.split_at(rest.len().min(size.max(1)));
        match size {
            0 => source.emit(batch[0]).unwrap(),
            _ => assert_eq!(source.emit_all(batch.iter().copied()).unwrap(), batch.len()),
        }
        rest = after;
    }
}
