//! The prelude clashes neither with `Iterator` nor with `futures`.
use futures::{FutureExt, SinkExt, StreamExt, TryStreamExt};
use headwater::prelude::*;

async fn others() {
    let (mut sink, stream) = futures::channel::mpsc::channel::<i32>(1);
    sink.send(1).await.unwrap();
    sink.close().await.unwrap();
    let both = stream
        .map(|x| x + 1)
        .zip(futures::stream::iter(0..3))
        .collect::<Vec<_>>()
        .await;
    assert_eq!(both, [(2, 0)]);
    let ok = futures::stream::iter([Ok::<_, ()>(1)]).try_collect::<Vec<_>>();
    assert_eq!(ok.await, Ok(vec![1]));
}

#[test]
fn the_prelude_clashes_with_neither_iterators_nor_futures() {
    let graph = Graph::new();
    let source = graph.source::<i32>();
    let shared = source.map(|x| x + 1).share();
    let pairs = shared
        .map(|x| x * 2)
        .zip(&shared)
        .map(|(a, b)| a + b)
        .sink_to_list();
    let merged = source.union(&shared).sink_to_list();
    let latest = shared
        .combine_latest(&source)
        .map(|(a, b)| a - b)
        .sink_to_list();
    source.send(1).now_or_never().unwrap().unwrap();
    assert_eq!(pairs.take(), [6]);
    assert_eq!(merged.take(), [2, 1]);
    assert_eq!(latest.take(), [1]);
    source.close();
    let doubled: Vec<i32> = [1, 2]
        .into_iter()
        .map(|x| 2 * x)
        .zip(0..)
        .map(|(a, b)| a + b)
        .collect();
    assert_eq!(doubled, [2, 5]);
    others().now_or_never().unwrap();
}
