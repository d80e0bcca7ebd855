//! Cases of streamz about the graph itself: connect, disconnect, destroy, cycles.

use headwater::prelude::*;
use headwater::{EmitError, combine_latest, zip};

// case: core/test_disconnect
#[test]
fn a_source_is_connected_to_another_and_disconnected() {
    let graph = Graph::new();
    let (source, mid) = (graph.source::<u32>(), graph.source::<u32>());
    let list = mid.sink_to_list();
    source.emit(1).unwrap();
    assert!(list.is_empty());
    let connection = source.map(|x| x).connect(&mid);
    source.emit(2).unwrap();
    source.emit(3).unwrap();
    assert_eq!(list.get(), [2, 3]);
    connection.disconnect();
    source.emit(4).unwrap();
    assert_eq!(list.take(), [2, 3]);
}

// case: probe/connect_twice
// In streamz the second connection has no effect, since downstreams are a set. Here each `connect`
// is a branch of its own with a handle of its own: two of them deliver twice.
#[test]
fn two_connections_are_two_branches() {
    let graph = Graph::new();
    let (source, mid) = (graph.source::<u32>(), graph.source::<u32>());
    let list = mid.sink_to_list();
    let first = source.connect(&mid);
    let second = source.connect(&mid);
    source.emit(1).unwrap();
    first.disconnect();
    source.emit(2).unwrap();
    second.disconnect();
    source.emit(3).unwrap();
    assert_eq!(list.take(), [1, 1, 2]);
}

// case: probe/feedback_loop
#[test]
fn a_cycle_runs_without_recursion_and_ends_when_nothing_comes_round() {
    let source = Source::<u32>::new();
    let weak = source.downgrade();
    let list = source.sink_to_list();
    let _ = source.sink(move |x| {
        if x < 4 {
            weak.emit(x + 1).unwrap();
        }
    });
    source.emit(0).unwrap();
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

// case: core/test_disconnect_zip, probe/zip_disconnect_pending_stuck
// Inputs of a zip are typed and can't be taken off one by one. What the cases are about is asked of
// a zip of the inputs that stay: rows that are complete are emitted, and nothing is stuck.
#[test]
fn a_zip_that_is_cut_and_made_again_with_fewer_inputs_goes_on() {
    let graph = Graph::new();
    let (a, b, c) = (
        graph.source::<u32>(),
        graph.source::<u32>(),
        graph.source::<u32>(),
    );
    let three = zip((&a, &b, &c)).sink_to_list();
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    three.branch().clone().disconnect();
    let two = zip((&a, &b)).sink_to_list();
    a.emit(4).unwrap();
    b.emit(5).unwrap();
    assert!(three.take().is_empty());
    assert_eq!(two.take(), [(4, 5)]);
    let rest = zip((&a, &c)).sink_to_list();
    a.emit(1).unwrap();
    b.emit(1).unwrap();
    c.emit(1).unwrap();
    assert_eq!(rest.take(), [(1, 1)]);
}

// case: core/test_connect_discombine_latest, probe/combine_latest_disconnect_after_value
// As with a zip; in streamz an input that has emitted can't be taken off at all.
#[test]
fn a_combine_latest_that_is_cut_and_made_again_with_fewer_inputs_goes_on() {
    let graph = Graph::new();
    let (a, b, c) = (
        graph.source::<u32>(),
        graph.source::<u32>(),
        graph.source::<u32>(),
    );
    let three = combine_latest((&a, &b, &c)).sink_to_list();
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    c.emit(3).unwrap();
    three.branch().clone().disconnect();
    let two = a.combine_latest(&b).emit_on(0).sink_to_list();
    b.emit(4).unwrap();
    c.emit(5).unwrap();
    a.emit(6).unwrap();
    assert_eq!(three.take(), [(1, 2, 3)]);
    assert_eq!(two.take(), [(6, 4)]);
}

// case: probe/from_iterable_error
// In streamz the error ends the source, which claims to run on.
#[test]
fn an_iterator_goes_on_after_an_element_that_failed() {
    let graph = Graph::new();
    let list = graph
        .from_iter([1, 0, 2])
        .try_map(|x: i32| 10_i32.checked_div(x).ok_or("divided by zero".into()))
        .sink_to_list();
    graph.run().unwrap();
    assert_eq!(list.take(), [10, 5]);
    assert_eq!(graph.snapshot().unwrap().failed(), 1);
}

// case: core/test_destroy
#[test]
fn a_node_that_was_taken_off_sees_no_more() {
    let source = Source::<u32>::new();
    let list = source.map(|x| x + 1).sink_to_list();
    source.emit(1).unwrap();
    assert_eq!(list.get(), [2]);
    list.branch().clone().disconnect();
    source.emit(2).unwrap();
    assert_eq!(list.take(), [2]);
}

// case: sinks/test_sink_destroy
#[test]
fn a_sink_that_was_taken_off_is_released() {
    let source = Source::<u32>::new();
    let owned = std::sync::Arc::new(());
    let watch = std::sync::Arc::downgrade(&owned);
    let (tell, told) = std::sync::mpsc::channel();
    let branch = source.sink(move |x| {
        let _ = (&owned, tell.send(x));
    });
    source.emit(1).unwrap();
    branch.disconnect();
    source.emit(2).unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [1]);
    assert!(watch.upgrade().is_none(), "the closure is gone");
}

// case: probe/destroyed_node_still_feeds_downstream
#[test]
fn a_source_whose_feed_was_cut_can_be_emitted_into() {
    let graph = Graph::new();
    let (source, node) = (graph.source::<u32>(), graph.source::<u32>());
    let list = node.sink_to_list();
    let feed = source.map(|x| x).connect(&node);
    feed.disconnect();
    source.emit(1).unwrap();
    node.emit(5).unwrap();
    assert_eq!(list.take(), [5]);
}

// case: py3core/test_await_syntax, core/test_backpressure
// Timed in streamz by a slow sink; here the driver's turns stand for the sink's steps.
#[test]
fn a_sender_waits_while_the_buffer_is_full() {
    use futures::FutureExt;
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.map(|x| x + 1).buffer(3).sink_to_list();
    for x in 0..3 {
        source.send(x).now_or_never().expect("room").unwrap();
    }
    let mut fourth = Box::pin(source.send(3));
    assert!(fourth.as_mut().now_or_never().is_none());
    assert!(matches!(source.emit(9), Err(EmitError::Full(9))));
    time.settle();
    fourth.as_mut().now_or_never().expect("room again").unwrap();
    time.settle();
    assert_eq!(list.take(), [1, 2, 3, 4]);
}
