//! The graph itself: built of the library's operators, fed in one of several ways.

use headwater::prelude::*;
use headwater::{
    BoxFlow, EmitError, OnFull, Receipt, Shared, combine_latest, combine_latest_all, union,
    union_all, zip, zip_all, zip_latest, zip_latest_all,
};

use super::{
    GROUP, INITIAL, Inputs, KEYS, Op, Outcome, SOURCES, Step, Way, mix, mix_all, mix_group,
};

/// How much joins hold, and what they do when they are full.
pub(crate) type Limit = (usize, OnFull);

/// Joins that are never full.
pub(crate) const ENDLESS: Limit = (1 << 20, OnFull::Wait);

/// Runs a graph to the end of the script. Whatever that is, lineage must end: at the latest with the
/// graph, and well for everything when all sources have closed and nothing failed or was dropped.
pub(crate) fn run(ops: &[Op], steps: &[Step], way: &Way, limit: Limit) -> Outcome {
    let graph = Graph::new();
    let mut sources = Vec::new();
    let mut shared = Vec::<Shared<i64>>::new();
    for (i, op) in ops.iter().enumerate() {
        let flow = flow(op, i, &graph, &mut sources, &shared, limit);
        shared.push(flow.share());
    }
    // Connected last, as the interpreter notes an element before it leaves: each list is one flow.
    let lists: Vec<_> = shared
        .iter()
        .map(|node| match way {
            Way::Slow(room, _) => node.buffer(*room).sink_to_list(),
            _ => node.sink_to_list(),
        })
        .collect();
    // Only where sinks are slow is there anything for a driver to do.
    let time = matches!(way, Way::Slow(..)).then(|| graph.drive_manually());
    let settle = || time.iter().for_each(|time| time.settle());
    let chains = ops.iter().any(|op| matches!(op, Op::Chain(_)));
    let mut receipts = Vec::<Receipt>::new();
    for step in steps {
        match step {
            Step::Emit(source, items) => {
                let source = &sources[*source];
                match way {
                    Way::Slow(_, size) => emit_slowly(source, items, *size, settle),
                    way => emit(source, items, way, &mut receipts),
                }
            }
            Step::Close(source) => sources[*source].close(),
        }
        // What a chain held has drained before the next step: `races` looks at one step at a time.
        if chains {
            settle();
        }
    }
    settle();
    let snapshot = graph.snapshot().unwrap();
    let closes = |source| {
        steps
            .iter()
            .any(|step| matches!(step, Step::Close(s) if *s == source))
    };
    if (0..SOURCES).all(closes) {
        assert_eq!(snapshot.held(), 0, "all is closed and something is held");
        assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
        if snapshot.dropped() + snapshot.failed() == 0 {
            assert!(
                receipts
                    .iter()
                    .all(|receipt| receipt.outcome() == Some(Ok(())))
            );
        }
    }
    let goes = |op: &Op| matches!(op, Op::Take(..) | Op::TakeUntil(_) | Op::Collect(_));
    let takes = ops.iter().any(goes);
    let dropped = |(i, op): (usize, &Op)| {
        let node = snapshot.named(&name(i));
        let may_be_gone = takes || op.inputs().is_none();
        assert!(node.is_some() || may_be_gone, "{op:?} has gone");
        Some(node?.counts.dropped())
    };
    let outcome = Outcome {
        out: lists.iter().map(|list| list.take()).collect(),
        dropped: ops.iter().enumerate().map(dropped).collect(),
        dropped_in_all: snapshot.dropped(),
    };
    drop((sources, shared, lists, snapshot, time, graph));
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
    outcome
}

fn name(i: usize) -> String {
    format!("n{i}")
}

/// The flow of one operator, behind those of `shared`; a source is put into `sources`.
pub(crate) fn flow(
    op: &Op,
    i: usize,
    graph: &Graph,
    sources: &mut Vec<Source<i64>>,
    shared: &[Shared<i64>],
    limit: Limit,
) -> BoxFlow<i64> {
    match op {
        Op::Source => {
            let source = graph.source::<i64>();
            let flow = source.into_run().boxed();
            sources.push(source);
            flow
        }
        Op::Map(a) => shared[*a].map(|x| mix(x, 7)).boxed(),
        Op::Fail(a) => failing(&shared[*a]),
        Op::Take(a, n) => shared[*a].take(*n).boxed(),
        Op::Skip(a, n) => shared[*a].skip(*n).boxed(),
        Op::Split(a) => {
            let (even, odd) = shared[*a].split(|x| x % 2 == 0);
            even.union(odd.map(|x| mix(x, 5))).boxed()
        }
        Op::Pairwise(a) => shared[*a].pairwise().starmap(mix).boxed(),
        Op::Dedup(a) => shared[*a].dedup_by_key(|x| x % 4).boxed(),
        Op::Frequencies(a) => {
            let counts = shared[*a].frequencies().max_keys(KEYS);
            counts.starmap(|x, count| mix(x, count as i64)).boxed()
        }
        Op::Expand(a) => shared[*a]
            .try_flat_map(|x| match x % 7 {
                0 => Err("unfit".into()),
                _ => Ok([x, x + 1]),
            })
            .boxed(),
        Op::Sliding(a) => shared[*a].sliding_window(2).map(mix_group).boxed(),
        Op::Fold(a) => {
            let group = shared[*a].fold(Vec::new(), |mut all, x| {
                all.push(x);
                all
            });
            group.map(mix_group).boxed()
        }
        Op::Partition(a) => shared[*a].partition(GROUP).map(mix_group).boxed(),
        Op::Zip(inputs)
        | Op::Union(inputs)
        | Op::Combine(inputs, _)
        | Op::ZipLatest(inputs)
        | Op::WithLatest(inputs)
        | Op::Chain(inputs)
        | Op::TakeUntil(inputs)
        | Op::Collect(inputs) => join(op, inputs, name(i), shared, limit),
    }
}

fn failing(flow: &Shared<i64>) -> BoxFlow<i64> {
    let fit = |x: &i64| (x % 3 != 0).then_some(true).ok_or_else(|| "unfit".into());
    flow.try_filter(fit).boxed()
}

fn join(
    op: &Op,
    inputs: &Inputs,
    name: String,
    shared: &[Shared<i64>],
    (capacity, policy): Limit,
) -> BoxFlow<i64> {
    let chosen = |triggers: &u8, n: usize| -> Vec<usize> {
        (0..n).filter(|p| triggers & (1 << p) != 0).collect()
    };
    let flow = |(port, id): (usize, &usize)| match inputs.fails == Some(port) {
        true => failing(&shared[*id]),
        false => shared[*id].into_run().boxed(),
    };
    let mut flows = inputs.of.iter().enumerate().map(flow);
    let n = inputs.of.len();
    if inputs.all {
        return match op {
            Op::Zip(_) => {
                let rows = zip_all(flows).capacity(capacity).on_full(policy);
                rows.named(name).map(mix_all).boxed()
            }
            Op::Union(_) => union_all(flows).named(name).boxed(),
            Op::Combine(_, on) => {
                let rows = combine_latest_all(flows).emit_on(chosen(on, n));
                rows.named(name).map(mix_all).boxed()
            }
            Op::ZipLatest(_) => {
                let rows = zip_latest_all(flows.next().unwrap(), flows);
                let rows = rows.capacity(capacity).on_full(policy).named(name);
                rows.map(|(a, others)| mix_all([a].into_iter().chain(others)))
                    .boxed()
            }
            _ => unreachable!("not of a `Vec`"),
        };
    }
    let (a, b) = (flows.next().unwrap(), flows.next().unwrap());
    match (op, flows.next()) {
        (Op::Zip(_), None) => {
            let rows = a.zip(b).capacity(capacity).on_full(policy).named(name);
            rows.map(|(a, b)| mix(a, b)).boxed()
        }
        (Op::Zip(_), Some(c)) => {
            let rows = zip((a, b, c)).capacity(capacity).on_full(policy);
            rows.named(name).map(|(a, b, c)| mix_all([a, b, c])).boxed()
        }
        (Op::Union(_), None) => a.union(b).named(name).boxed(),
        (Op::Union(_), Some(c)) => union((a, b, c)).named(name).boxed(),
        (Op::Combine(_, on), None) => {
            let rows = a.combine_latest(b).emit_on(chosen(on, n)).named(name);
            rows.map(|(a, b)| mix(a, b)).boxed()
        }
        (Op::Combine(_, on), Some(c)) => {
            let rows = combine_latest((a, b, c)).emit_on(chosen(on, n));
            rows.named(name).map(|(a, b, c)| mix_all([a, b, c])).boxed()
        }
        (Op::ZipLatest(_), None) => {
            let rows = a.zip_latest(b).capacity(capacity).on_full(policy);
            rows.named(name).map(|(a, b)| mix(a, b)).boxed()
        }
        (Op::ZipLatest(_), Some(c)) => {
            let rows = zip_latest(a, (b, c)).capacity(capacity).on_full(policy);
            rows.named(name).map(|(a, b, c)| mix_all([a, b, c])).boxed()
        }
        (Op::WithLatest(_), _) => {
            let mixed = a.with_latest(b, INITIAL, |a, b| mix(a, *b));
            mixed.named(name).boxed()
        }
        (Op::Chain(_), _) => {
            let both = a.chain(b).capacity(capacity).on_full(policy);
            both.named(name).boxed()
        }
        (Op::TakeUntil(_), _) => a.take_until(b).named(name).boxed(),
        (Op::Collect(_), _) => {
            let groups = a.collect_until(b).max_len(GROUP).named(name);
            groups.map(mix_group).boxed()
        }
        _ => unreachable!("not a join"),
    }
}

/// Emits in batches of up to `size`; where there is no room the driver has to come by.
fn emit_slowly(source: &Source<i64>, items: &[i64], size: usize, settle: impl Fn()) {
    let mut rest = items;
    while !rest.is_empty() {
        let batch = &rest[..rest.len().min(size)];
        let accepted = match source.emit_all(batch.iter().copied()) {
            Ok(accepted) => accepted,
            Err(error) => match error.cause {
                EmitError::Full(_) => {
                    settle();
                    error.accepted
                }
                EmitError::Failed(_) => error.accepted,
                EmitError::Closed(_) => return,
                other => panic!("{other}"),
            },
        };
        rest = &rest[accepted..];
    }
}

fn emit(source: &Source<i64>, items: &[i64], way: &Way, receipts: &mut Vec<Receipt>) {
    let accept = |error: EmitError<i64>| {
        assert!(
            matches!(error, EmitError::Failed(_) | EmitError::Closed(_)),
            "{error}"
        );
    };
    match way {
        Way::OneByOne => {
            for x in items {
                let _ = source.emit(*x).map_err(accept);
            }
        }
        Way::Locked => {
            let mut source = source.lock();
            for x in items {
                let _ = source.emit(*x).map_err(accept);
            }
        }
        Way::All => {
            let _ = source
                .emit_all(items.iter().copied())
                .map_err(|e| accept(e.cause));
        }
        Way::Cut(sizes) => {
            let (mut rest, mut sizes) = (items, sizes.iter().cycle());
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                let _ = source
                    .emit_all(batch.iter().copied())
                    .map_err(|e| accept(e.cause));
                rest = after;
            }
        }
        Way::Slow(..) => unreachable!("see `emit_slowly`"),
        Way::Tracked => {
            for x in items {
                receipts.extend(source.emit_tracked(*x).map_err(accept));
            }
        }
    }
}
