//! Streams that are pumped in, acknowledged or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Lost, zip};

use super::{Jobs, acked};

#[test]
fn a_stream_is_pumped_when_it_has_something_and_ends_the_flow() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (sender, receiver) = mpsc::unbounded();
    let mut out = graph
        .from_stream(receiver)
        .map(|x: u32| x + 1)
        .into_stream(8);
    time.settle();
    assert!(futures::FutureExt::now_or_never(out.next()).is_none());
    sender.unbounded_send(1).unwrap();
    sender.unbounded_send(2).unwrap();
    time.settle();
    assert_eq!(block_on(out.next()), Some(2));
    drop(sender);
    time.settle();
    assert_eq!(block_on(out.collect::<Vec<_>>()), [3]);
}

#[test]
fn a_stream_can_lead_the_clock() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let stream = futures::stream::iter([3u64, 7, 5]);
    let out = graph
        .from_stream(stream)
        .lead_clock(|ms| Time::from_millis(*ms))
        .sink_to_list();
    time.settle();
    assert_eq!(out.take(), [3, 7, 5]);
    assert_eq!(graph.snapshot().unwrap().at, Time::from_millis(7));
}

#[test]
fn each_item_of_an_acked_stream_is_acknowledged_once_it_is_written() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (flow, acks) = acked(&graph, 0..3);
    let jobs = Jobs::new();
    let start = jobs.clone();
    flow.sink_async(2, move |x| start.start(x));
    time.settle();
    assert_eq!(*acks.lock().unwrap(), []);
    jobs.finish(1, |_| ());
    time.settle();
    assert_eq!(*acks.lock().unwrap(), [(1, Ok(()))]);
    while jobs.running() > 0 {
        jobs.finish(0, |_| ());
        time.settle();
    }
    assert_eq!(
        *acks.lock().unwrap(),
        [(1, Ok(())), (0, Ok(())), (2, Ok(()))]
    );
}

#[test]
fn failed_items_of_an_acked_stream_say_so_and_the_others_go_on() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let (flow, acks) = acked(&graph, 0..600);
    let shared = flow
        .try_map_async(7, |x| async move {
            if x % 10 == 3 {
                Err("three".into())
            } else {
                Ok(x)
            }
        })
        .share();
    // A fork, and a join of its branches.
    let rows = zip((&shared, shared.map(|x| x + 1).buffer(5))).sink_to_list();
    graph.run().unwrap();
    assert_eq!(rows.take().len(), 540);
    let mut acks = std::mem::take(&mut *acks.lock().unwrap());
    acks.sort_by_key(|(handle, _)| *handle);
    let expected = (0..600).map(|x| match x % 10 {
        3 => (x, Err(Lost::Failed)),
        _ => (x, Ok(())),
    });
    assert!(acks.into_iter().eq(expected));
}

#[test]
fn items_without_a_mate_are_acknowledged_as_discarded() {
    let graph = Graph::new();
    let (long, acks) = acked(&graph, 0..5);
    let rows = zip((long, graph.from_iter(0..3))).sink_to_list();
    graph.run().unwrap();
    assert_eq!(rows.take().len(), 3);
    let acks = acks.lock().unwrap();
    assert_eq!(acks.len(), 5);
    for (handle, outcome) in acks.iter() {
        assert_eq!(outcome.is_ok(), *handle < 3, "{handle}");
    }
}

#[test]
fn an_acked_stream_waits_for_a_stalled_sink() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let stream = futures::stream::iter((0..1_000_000).map(|x| (x, ()))).inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    graph
        .from_acked_stream(stream, |(), _| unreachable!("nothing is ever written"))
        .sink_async(4, |_| futures::future::pending());
    time.settle();
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[test]
fn a_graph_that_stops_at_a_failure_pumps_no_more() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let (flow, acks) = acked(&graph, 0..100);
    flow.try_sink_async(1, |x| async move {
        if x == 3 { Err("three".into()) } else { Ok(()) }
    });
    assert!(matches!(graph.run(), Err(GraphError::Stopped(_))));
    let acks = acks.lock().unwrap();
    assert_eq!(acks.last(), Some(&(3, Err(Lost::Failed))));
    assert_eq!(acks.len(), 4);
}
