//! Elements that wait for a time, or give way to newer ones: against naive oracles, in virtual time.

#[path = "../naps/mod.rs"]
mod naps;
#[path = "../words/mod.rs"]
mod words;

mod clocks;
mod failures;
mod lossless_and_lossy;
mod options;
mod room;
mod slow_consumers;
mod surgery;

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{List, Manual, Outcome, Receipt};
use proptest::prelude::*;
use words::ms;

/// A moment in milliseconds, and what came then.
type Timed<T> = (u64, T);

#[derive(Clone, Copy, Debug)]
enum Act {
    Emit,
    /// So many in one batch.
    EmitAll(u8),
    /// An element that fails above the operator.
    Fail,
    Advance(u8),
    /// The driver comes by, and no time passes.
    Settle,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Emit),
        2 => (0u8..6).prop_map(Act::EmitAll),
        1 => Just(Act::Fail),
        4 => (1u8..25).prop_map(Act::Advance),
        1 => Just(Act::Settle),
    ];
    prop::collection::vec(act, 0..60)
}

/// What an operator was given, and what it made of it: times, elements, fates.
struct Played<O> {
    /// Elements, and those that failed above as errors.
    given: Vec<Timed<Result<u32, u32>>>,
    came: Vec<Timed<O>>,
    closed_at: u64,
    /// Of elements that were emitted one by one, by element.
    outcomes: Vec<(u32, Outcome)>,
    dropped: u64,
}

impl<O> Played<O> {
    fn items(&self) -> Vec<Timed<u32>> {
        let item = |(at, x): &Timed<Result<u32, u32>>| x.ok().map(|x| (*at, x));
        self.given.iter().filter_map(item).collect()
    }
}

/// Plays `acts` to `build`'s operator, closes, and lets time pass until nothing is held.
fn play<O: Clone + Send + 'static>(
    acts: &[Act],
    build: impl FnOnce(BoxedFlow) -> List<O>,
) -> Played<O> {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    let source = graph.source::<Result<u32, u32>>();
    let list = build(source.try_map(|x| x.map_err(|x| Fell(x).into())).boxed());
    let (mut given, mut came, mut now, mut next) = (Vec::new(), Vec::new(), 0, 0);
    let mut receipts: Vec<(u32, Receipt)> = Vec::new();
    let mut step = |time: &Manual, now: &mut u64, by: u64| {
        for _ in 0..by {
            time.advance(ms(1));
            *now += 1;
            came.extend(list.take().into_iter().map(|x| (*now, x)));
        }
        came.extend(list.take().into_iter().map(|x| (*now, x)));
    };
    for act in acts {
        match *act {
            Act::Emit => {
                given.push((now, Ok(next)));
                receipts.push((next, source.emit_tracked(Ok(next)).unwrap()));
                next += 1;
            }
            Act::EmitAll(n) => {
                let batch = next..next + u32::from(n);
                given.extend(batch.clone().map(|x| (now, Ok(x))));
                source.emit_all(batch.map(Ok)).unwrap();
                next += u32::from(n);
            }
            Act::Fail => {
                given.push((now, Err(next)));
                let _ = source.emit(Err(next));
                next += 1;
            }
            Act::Advance(by) => step(&time, &mut now, by.into()),
            Act::Settle => time.settle(),
        }
        step(&time, &mut now, 0);
    }
    let closed_at = now;
    source.close();
    time.settle();
    step(&time, &mut now, 0);
    while graph.snapshot().unwrap().held() > 0 {
        step(&time, &mut now, 1);
        assert!(now < 100_000, "what is held goes on some day");
    }
    let report = block_on(graph.shutdown()).unwrap();
    Played {
        given,
        came,
        closed_at,
        outcomes: receipts
            .iter()
            .map(|(x, receipt)| (*x, receipt.outcome().expect("all is done")))
            .collect(),
        dropped: report.snapshot.dropped(),
    }
}

type BoxedFlow = headwater::BoxFlow<u32>;

/// An element that failed.
#[derive(Debug)]
struct Fell(u32);

impl std::fmt::Display for Fell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} fell", self.0)
    }
}

impl std::error::Error for Fell {}

/// Makes elements of failures, so that their place and time show: 1 000 more than what failed.
fn caught(failure: headwater::Failure) -> Option<u32> {
    failure
        .error()
        .downcast_ref::<Fell>()
        .map(|Fell(x)| x + 1000)
}

fn even(x: u32) -> Result<u32, BoxError> {
    if x.is_multiple_of(2) {
        Ok(x)
    } else {
        Err(Fell(x).into())
    }
}
