//! Running timely on the calling thread, from input to result.

use timely::dataflow::{InputHandleVec, StreamVec};

/// Elements fed between two steps of timely's worker: its unit of batching, and near what its own buffers
/// hold.
const FED: u64 = 1024;

/// The worker's timestamp; one instant is enough, since no workload asks timely for progress.
pub(crate) type Time = u64;

/// Runs `build` over the elements of an iterator that timely drains by itself.
pub(crate) fn pulled<I, B>(elements: I, build: B)
where
    I: Iterator<Item = u64> + Send + Sync + 'static,
    B: for<'scope> FnOnce(StreamVec<'scope, Time, u64>) + Send + Sync + 'static,
{
    use timely::dataflow::operators::vec::ToStream;
    timely::execute_directly(move |worker| {
        worker.dataflow::<Time, _, _>(|scope| build(elements.to_stream(scope)));
    });
}

/// Runs `build` over elements that are handed in one by one from outside.
pub(crate) fn fed<I, B>(elements: I, build: B)
where
    I: Iterator<Item = u64> + Send + Sync + 'static,
    B: for<'scope> FnOnce(StreamVec<'scope, Time, u64>) + Send + Sync + 'static,
{
    timely::execute_directly(move |worker| {
        let mut input = InputHandleVec::<Time, u64>::new();
        worker.dataflow(|scope| build(input.to_stream(scope)));
        let mut room = FED;
        for x in elements {
            input.send(x);
            room -= 1;
            if room == 0 {
                room = FED;
                worker.step();
            }
        }
    });
}
