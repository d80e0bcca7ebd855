//! How it shows in the topology, and what takes it off.

use headwater::prelude::*;
use headwater::{Role, SendError};

use super::by_hand;

#[test]
fn it_shows_in_the_topology_with_its_name_and_place() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let sharded = graph.sharded::<u32>(Shards::default()).named("hits");
    let line = line!() - 1;
    sharded.sink(drop);
    let topology = graph.topology();
    let node = topology
        .nodes()
        .iter()
        .find(|n| n.label().kind() == "sharded")
        .unwrap();
    assert_eq!(node.role(), Role::Source);
    assert_eq!(node.label().title(), "hits");
    assert_eq!(node.label().location().file(), file!());
    assert_eq!(node.label().location().line(), line);
    assert_eq!(node.label().id(), sharded.id());
    assert_eq!(topology.downstreams(sharded.id()).count(), 1);
    sharded.send(1).unwrap();
    let snapshot = graph.snapshot().unwrap();
    let node = snapshot.named("hits").unwrap();
    assert_eq!((node.counts.held, node.counts.passed), (1, 0));
    assert_eq!(node.oldest, Some(Time::ZERO));
}

#[test]
fn what_is_destroyed_drains_and_goes() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    let list = sharded.sink_to_list();
    sharded.send(1).unwrap();
    sharded.destroy();
    assert_eq!(list.take(), [1]);
    assert!(graph.topology().nodes().is_empty());
    let snapshot = graph.snapshot().unwrap();
    assert!(snapshot.nodes.is_empty());
    assert_eq!((snapshot.gone.accepted, snapshot.gone.delivered), (1, 1));
    assert_eq!(snapshot.dropped(), 0);
    assert!(matches!(sharded.send(2), Err(SendError::Closed(2))));
    // The graph has no timer any more, and so needs no driver.
    let plain = graph.source::<u32>();
    drop(_time);
    plain.sink(drop);
    plain.emit(1).unwrap();
}

#[test]
fn a_run_of_pumps_takes_along_what_was_sent() {
    let graph = Graph::new();
    let sharded = graph.sharded::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    let weak = sharded.downgrade();
    graph.from_iter(0..3).sink(move |n| weak.send(n).unwrap());
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 1, 2]);
}
