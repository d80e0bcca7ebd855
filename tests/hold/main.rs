//! Elements that wait for futures, threads and streams, at the public API.

mod blocking;
mod bounds;
mod endings;
mod random_futures;
mod streams;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;
use headwater::prelude::*;
use headwater::{BoxFlow, Outcome};

/// Futures that finish when the test says so.
struct Jobs<U>(Arc<Mutex<Running<U>>>);

type Running<U> = VecDeque<(u32, oneshot::Sender<U>)>;

impl<U> Clone for Jobs<U> {
    fn clone(&self) -> Self {
        Jobs(self.0.clone())
    }
}

impl<U: Send + 'static> Jobs<U> {
    fn new() -> Self {
        Jobs(Arc::default())
    }

    fn start(&self, x: u32) -> impl Future<Output = U> + Send + 'static + use<U> {
        let (finish, result) = oneshot::channel();
        self.0.lock().unwrap().push_back((x, finish));
        async move { result.await.unwrap() }
    }

    fn running(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Finishes the `at`th of those that run.
    fn finish(&self, at: usize, result: impl FnOnce(u32) -> U) -> u32 {
        let (x, finish) = self.0.lock().unwrap().remove(at).unwrap();
        assert!(finish.send(result(x)).is_ok());
        x
    }
}

/// What `on_done` was told, by handle.
type Acks = Arc<Mutex<Vec<(u32, Outcome)>>>;

fn acked(graph: &Graph, items: impl IntoIterator<Item = u32>) -> (BoxFlow<u32>, Acks) {
    let items: Vec<_> = items.into_iter().map(|x| (x, x)).collect();
    let acks = Acks::default();
    let log = acks.clone();
    let flow = graph.from_acked_stream(futures::stream::iter(items), move |handle, outcome| {
        log.lock().unwrap().push((handle, outcome));
    });
    (flow.boxed(), acks)
}
