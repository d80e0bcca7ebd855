//! Elements one by one, all at once, and in batches: the same must come out.

#![allow(dead_code, reason = "each test program uses a part of it")]

use headwater::List;
use headwater::prelude::*;
use proptest::prelude::*;

/// What goes in.
pub type Elements = Vec<i64>;

/// Runs `input` through the flow that `flow` makes: one by one, all at once, and in the batches that
/// `cuts` makes of it; in runs that end in a sink, and in runs that end at a junction.
pub fn agrees<U, R>(
    input: &Elements,
    cuts: &[usize],
    flow: impl Fn(&Source<i64>) -> R,
    expected: &[U],
) -> Result<(), TestCaseError>
where
    U: Clone + PartialEq + std::fmt::Debug + Send + 'static,
    R: Flow<Item = U>,
{
    for way in 0..3 {
        let source = Source::new();
        let fused = flow(&source).sink_to_list();
        let junction = flow(&source).share();
        let (first, second) = (junction.sink_to_list(), junction.sink_to_list());
        match way {
            0 => input.iter().for_each(|x| source.emit(*x).unwrap()),
            1 => {
                prop_assert_eq!(source.emit_all(input.iter().copied()).unwrap(), input.len());
            }
            _ => {
                let mut rest = &input[..];
                let mut cuts = cuts.iter().cycle();
                while !rest.is_empty() {
                    let cut = cuts.next().map_or(1, |cut| *cut).clamp(1, rest.len());
                    source.emit_all(rest[..cut].iter().copied()).unwrap();
                    rest = &rest[cut..];
                }
            }
        }
        source.close();
        prop_assert_eq!(&fused.take()[..], expected);
        prop_assert_eq!(&first.take()[..], expected);
        prop_assert_eq!(&second.take()[..], expected);
    }
    Ok(())
}

/// Elements, and where to cut them.
pub fn input() -> impl Strategy<Value = (Elements, Vec<usize>)> {
    (
        prop::collection::vec(-20..20i64, 0..600),
        prop::collection::vec(1..300usize, 1..4),
    )
}

/// What comes out, up to the close: for elements one by one, all at once, and cut into batches.
pub fn outputs<O: Clone + Send + 'static>(
    items: &[u32],
    cuts: &[usize],
    build: impl Fn(&Source<u32>) -> List<O>,
) -> [Vec<O>; 3] {
    let run = |emit: &dyn Fn(&Source<u32>)| {
        let graph = Graph::new();
        let _time = graph.drive_manually();
        let source = graph.source();
        let list = build(&source);
        emit(&source);
        source.close();
        list.take()
    };
    [
        run(&|source| items.iter().for_each(|x| source.emit(*x).unwrap())),
        run(&|source| {
            source.emit_all(items.iter().copied()).unwrap();
        }),
        run(&|source| {
            let mut rest = items;
            for cut in cuts {
                let (batch, after) = rest.split_at((*cut).min(rest.len()));
                source.emit_all(batch.iter().copied()).unwrap();
                rest = after;
            }
            source.emit_all(rest.iter().copied()).unwrap();
        }),
    ]
}
