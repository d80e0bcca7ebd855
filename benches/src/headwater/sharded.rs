//! Threads that each send small values at a high rate, all of which are summed.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Role, Variant, Workload};
use crate::workloads::sharded::from_threads;

/// Adds headwater's rows: to what one, two and four threads send.
pub(crate) fn add([one, two, four]: [Workload; 3]) -> [Workload; 3] {
    let plain = "headwater sharded";
    let timed = "headwater sharded, with its time";
    let ours = Role::Ours;
    [
        one.variant(Variant::prepared(plain, ours, sharded::<1>))
            .variant(Variant::prepared(timed, ours, with_time::<1>)),
        two.variant(Variant::prepared(plain, ours, sharded::<2>))
            .variant(Variant::prepared(timed, ours, with_time::<2>)),
        four.variant(Variant::prepared(plain, ours, sharded::<4>))
            .variant(Variant::prepared(timed, ours, with_time::<4>)),
    ]
}

fn sharded<const THREADS: usize>(n: u64) -> impl FnOnce() -> u64 {
    let (mut out, total) = outbox();
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let sharded = graph.sharded::<u64>(Shards::default());
    sharded.sink(move |x| out.add(x));
    move || {
        from_threads::<THREADS>(n, |x| send(&sharded, x));
        sharded.close();
        driver.join().expect("nothing fails");
        drop((sharded, graph));
        total.take()
    }
}

/// As `sharded`, of elements that say when they were sent, by the coarse clock.
fn with_time<const THREADS: usize>(n: u64) -> impl FnOnce() -> u64 {
    let (mut out, total) = outbox();
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let sharded = graph.sharded::<(Time, u64)>(Shards::default());
    sharded.sink(move |(at, x)| {
        // Looked at, and the sum is the same.
        out.add(x.wrapping_add(at.as_nanos() >> 63));
    });
    move || {
        from_threads::<THREADS>(n, |x| send(&sharded, (sharded.now(), x)));
        sharded.close();
        driver.join().expect("nothing fails");
        drop((sharded, graph));
        total.take()
    }
}

#[inline]
fn send<T: Clone + Send + 'static>(sharded: &Sharded<T>, item: T) {
    if let Err(error) = sharded.send(item) {
        wait(sharded, error);
    }
}

/// The driver has not had its turn for 8 192 elements.
#[cold]
fn wait<T: Clone + Send + 'static>(sharded: &Sharded<T>, error: headwater::SendError<T>) {
    let mut error = Some(error);
    while let Some(full) = error.take() {
        assert!(full.is_full(), "{full}");
        sharded.flush().expect("nobody is full");
        error = sharded.send(full.into_element()).err();
    }
}
