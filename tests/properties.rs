//! Random graphs of share, map and all joins against a naive interpreter: the same output however
//! elements come in and however slow the sinks are, nothing lost however sources close, and lineage
//! that ends.

use std::collections::VecDeque;

use headwater::prelude::*;
use headwater::{
    BoxFlow, EmitError, OnFull, Receipt, Shared, combine_latest, combine_latest_all, union,
    union_all, zip, zip_all, zip_latest, zip_latest_all,
};
use proptest::prelude::*;

/// A node of a random graph; its inputs are earlier nodes. All of them are shared.
#[derive(Clone, Debug)]
enum Op {
    Source,
    Map(usize),
    /// Fails on multiples of three.
    Fail(usize),
    Zip(Inputs),
    Union(Inputs),
    /// With the inputs that it emits on, one bit each.
    Combine(Inputs, u8),
    /// The first input is lossless.
    ZipLatest(Inputs),
    /// Of the first two.
    WithLatest(Inputs),
}

/// Two or three nodes.
#[derive(Clone, Debug)]
struct Inputs {
    of: Vec<usize>,
    /// Whether the join is made of a `Vec`.
    all: bool,
    /// The input, if any, that a failing operator leads to without a fork between: it gets the
    /// failures on multiples of three themselves, and not the empty places of those reported.
    fails: Option<usize>,
}

impl Op {
    fn inputs(&self) -> Option<&Inputs> {
        match self {
            Op::Source | Op::Map(_) | Op::Fail(_) => None,
            Op::Zip(inputs)
            | Op::Union(inputs)
            | Op::Combine(inputs, _)
            | Op::ZipLatest(inputs)
            | Op::WithLatest(inputs) => Some(inputs),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Emit(usize, Vec<i64>),
    Close(usize),
}

/// How the elements of a step come in.
#[derive(Clone, Debug)]
enum Way {
    OneByOne,
    Locked,
    All,
    /// In batches of these sizes, again and again.
    Cut(Vec<usize>),
    Tracked,
    /// In batches of up to so many (the second), into sinks that have room for a few (the first).
    Slow(usize, usize),
}

const SOURCES: usize = 3;

/// What `with_latest` begins with.
const INITIAL: i64 = 5;

fn mix(a: i64, b: i64) -> i64 {
    a.wrapping_mul(31).wrapping_add(b) % 100_003
}

fn mix_all(row: impl IntoIterator<Item = i64>) -> i64 {
    row.into_iter().reduce(mix).unwrap()
}

// ---- the interpreter ----

#[derive(Default, Clone)]
struct Naive {
    out: Vec<i64>,
    /// (consumer, its input), in the order of connection.
    consumers: Vec<(usize, usize)>,
    /// How many inputs.
    arity: usize,
    queues: [VecDeque<Option<i64>>; 3],
    /// The latest element, and whether a row had it.
    latest: [Option<(i64, bool)>; 3],
    closed: [bool; 3],
    finished: bool,
    dropped: u64,
}

impl Naive {
    /// A new latest element; one before that no row had is dropped.
    fn replace(&mut self, port: usize, item: i64) {
        let old = self.latest[port].replace((item, false));
        self.dropped += u64::from(matches!(old, Some((_, false))));
    }

    /// The latest elements of the inputs from `first` on, if all have one.
    fn latest_from(&mut self, first: usize) -> Option<Vec<i64>> {
        let inputs = &mut self.latest[first..self.arity];
        if inputs.iter().any(Option::is_none) {
            return None;
        }
        let used = inputs.iter_mut().flatten().map(|(item, used)| {
            *used = true;
            *item
        });
        Some(used.collect())
    }

    /// What is held at the end is dropped, but for latest elements that a row had.
    fn finish(&mut self) {
        self.finished = true;
        let left = self.queues.iter_mut().flat_map(|queue| queue.drain(..));
        self.dropped += left.flatten().count() as u64;
        let left = self.latest.iter_mut().filter_map(Option::take);
        self.dropped += left.filter(|(_, used)| !used).count() as u64;
    }
}

struct Oracle {
    ops: Vec<Op>,
    nodes: Vec<Naive>,
}

impl Oracle {
    fn new(ops: &[Op]) -> Oracle {
        let mut nodes = vec![Naive::default(); ops.len()];
        for (i, op) in ops.iter().enumerate() {
            // What keeps the latest beside a main flow is connected first.
            let ports: Vec<(usize, usize)> = match op {
                Op::Source => Vec::new(),
                Op::Map(a) | Op::Fail(a) => vec![(*a, 0)],
                Op::Zip(inputs) | Op::Union(inputs) | Op::Combine(inputs, _) => {
                    inputs.of.iter().copied().zip(0..).collect()
                }
                Op::ZipLatest(inputs) => {
                    let (main, others) = (inputs.of[0], &inputs.of[1..]);
                    others.iter().copied().zip(1..).chain([(main, 0)]).collect()
                }
                Op::WithLatest(inputs) => vec![(inputs.of[1], 1), (inputs.of[0], 0)],
            };
            nodes[i].arity = ports.len();
            for (from, port) in ports {
                nodes[from].consumers.push((i, port));
            }
            if let Op::WithLatest(_) = op {
                nodes[i].latest[1] = Some((INITIAL, true));
            }
        }
        Oracle {
            ops: ops.to_vec(),
            nodes,
        }
    }

    /// An element leaves a node, or the empty place of one that failed.
    fn leave(&mut self, node: usize, item: Option<i64>) {
        self.nodes[node].out.extend(item);
        for (consumer, port) in self.nodes[node].consumers.clone() {
            self.enter(consumer, port, item);
        }
    }

    fn enter(&mut self, id: usize, port: usize, item: Option<i64>) {
        let node = &mut self.nodes[id];
        let fails = self.ops[id].inputs().is_some_and(|i| i.fails == Some(port));
        let item = item.filter(|x| !fails || x % 3 != 0);
        if node.finished {
            node.dropped += u64::from(item.is_some());
            return;
        }
        match &self.ops[id] {
            Op::Source => {}
            Op::Map(_) => self.leave(id, item.map(|x| mix(x, 7))),
            Op::Fail(_) => self.leave(id, item.filter(|x| x % 3 != 0)),
            Op::Union(_) => self.leave(id, item),
            Op::Zip(_) => {
                node.queues[port].push_back(item);
                if node.queues[..node.arity].iter().any(VecDeque::is_empty) {
                    return;
                }
                let queues = node.queues[..node.arity].iter_mut();
                let places: Vec<_> = queues.map(|queue| queue.pop_front().unwrap()).collect();
                let row: Option<Vec<_>> = places.iter().copied().collect();
                if row.is_none() {
                    node.dropped += places.iter().flatten().count() as u64;
                }
                self.leave(id, row.map(mix_all));
                self.end(id);
            }
            Op::Combine(_, triggers) => {
                if let Some(item) = item {
                    node.replace(port, item);
                }
                let others = (0..node.arity).filter(|p| *p != port);
                let missing = others.filter(|p| node.latest[*p].is_none()).count();
                if triggers & (1 << port) == 0 || missing > 0 {
                    return;
                }
                let row = item.and_then(|_| node.latest_from(0));
                self.leave(id, row.map(mix_all));
            }
            Op::ZipLatest(_) if port == 0 => {
                if node.latest[1..node.arity].iter().any(Option::is_none) {
                    node.queues[0].push_back(item);
                } else {
                    self.row_with_latest(id, item);
                }
            }
            Op::ZipLatest(_) => {
                let Some(item) = item else { return };
                node.replace(port, item);
                if node.latest[1..node.arity].iter().all(Option::is_some) {
                    while let Some(item) = self.nodes[id].queues[0].pop_front() {
                        self.row_with_latest(id, item);
                    }
                    self.end(id);
                }
            }
            Op::WithLatest(_) if port == 0 => self.row_with_latest(id, item),
            Op::WithLatest(_) => {
                if let Some(item) = item {
                    node.replace(port, item);
                }
            }
        }
    }

    /// An element of a main flow leaves with the latest of the others.
    fn row_with_latest(&mut self, id: usize, item: Option<i64>) {
        let row = item.map(|item| {
            let others = self.nodes[id].latest_from(1).unwrap();
            mix_all([item].into_iter().chain(others))
        });
        self.leave(id, row);
    }

    /// Closes a zip that can't come to a row any more.
    fn end(&mut self, id: usize) {
        let node = &mut self.nodes[id];
        let lossless = |port| !matches!(self.ops[id], Op::ZipLatest(_)) || port == 0;
        let empty = |port: usize| match lossless(port) {
            true => node.queues[port].is_empty(),
            false => node.latest[port].is_none(),
        };
        if !node.finished && (0..node.arity).any(|p| node.closed[p] && empty(p)) {
            node.finish();
            self.close(id);
        }
    }

    fn close(&mut self, id: usize) {
        for (consumer, port) in self.nodes[id].consumers.clone() {
            let node = &mut self.nodes[consumer];
            node.closed[port] = true;
            match &self.ops[consumer] {
                Op::Source => {}
                Op::Map(_) | Op::Fail(_) => self.close(consumer),
                Op::Union(_) => {
                    if (0..node.arity).all(|p| node.closed[p]) {
                        self.close(consumer);
                    }
                }
                Op::Zip(_) | Op::ZipLatest(_) => self.end(consumer),
                Op::Combine(_, triggers) => {
                    let open = (0..node.arity).any(|p| !node.closed[p] && triggers & (1 << p) != 0);
                    if !node.finished && (!open || node.latest[port].is_none()) {
                        node.finish();
                        self.close(consumer);
                    }
                }
                Op::WithLatest(_) => {
                    if port == 0 {
                        node.finish();
                        self.close(consumer);
                    }
                }
            }
        }
    }

    fn run(mut self, steps: &[Step]) -> Vec<(Vec<i64>, u64)> {
        let mut closed = [false; SOURCES];
        for step in steps {
            match step {
                Step::Emit(source, items) if !closed[*source] => {
                    items.iter().for_each(|x| self.leave(*source, Some(*x)));
                }
                Step::Emit(..) => {}
                Step::Close(source) => {
                    if !std::mem::replace(&mut closed[*source], true) {
                        self.close(*source);
                    }
                }
            }
        }
        self.nodes.into_iter().map(|n| (n.out, n.dropped)).collect()
    }
}

// ---- the graph ----

/// Zips that are never full.
const ENDLESS: (usize, OnFull) = (1 << 20, OnFull::Wait);

fn run(ops: &[Op], steps: &[Step], way: &Way, limit: (usize, OnFull)) -> Vec<(Vec<i64>, u64)> {
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
    let time = graph.drive_manually();
    let mut receipts = Vec::<Receipt>::new();
    for step in steps {
        match step {
            Step::Emit(source, items) => {
                let source = &sources[*source];
                match way {
                    Way::Slow(_, size) => emit_slowly(source, items, *size, || time.settle()),
                    way => emit(source, items, way, &mut receipts),
                }
            }
            Step::Close(source) => sources[*source].close(),
        }
    }
    time.settle();
    let snapshot = graph.snapshot().unwrap();
    let dropped = |i| {
        snapshot
            .named(&format!("n{i}"))
            .map_or(0, |n| n.counts.dropped())
    };
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
    let results = lists
        .iter()
        .enumerate()
        .map(|(i, list)| (list.take(), dropped(i)))
        .collect();
    drop((sources, shared, lists, snapshot, time, graph));
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
    results
}

fn flow(
    op: &Op,
    i: usize,
    graph: &Graph,
    sources: &mut Vec<Source<i64>>,
    shared: &[Shared<i64>],
    limit: (usize, OnFull),
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
        join => build(join, format!("n{i}"), shared, limit),
    }
}

fn failing(flow: &Shared<i64>) -> BoxFlow<i64> {
    let fit = |x: &i64| (x % 3 != 0).then_some(true).ok_or_else(|| "unfit".into());
    flow.try_filter(fit).boxed()
}

/// Builds a join.
fn build(
    op: &Op,
    name: String,
    shared: &[Shared<i64>],
    (capacity, policy): (usize, OnFull),
) -> BoxFlow<i64> {
    let chosen = |triggers: &u8, n: usize| -> Vec<usize> {
        (0..n).filter(|p| triggers & (1 << p) != 0).collect()
    };
    let inputs = op.inputs().expect("a join");
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

// ---- the properties ----

fn graphs() -> impl Strategy<Value = Vec<Op>> {
    let raw = (
        0..14u8,
        prop::collection::vec(any::<prop::sample::Index>(), 2..4),
        1..8u8,
        any::<bool>(),
        prop::option::weighted(0.3, 0..3usize),
    );
    prop::collection::vec(raw, 1..9).prop_map(|raw| {
        let mut ops = vec![Op::Source; SOURCES];
        for (kind, of, triggers, all, fails) in raw {
            let of: Vec<_> = of.into_iter().map(|i| i.index(ops.len())).collect();
            let mask = if of.len() == 2 { 3 } else { 7 };
            let a = of[0];
            let mut inputs = Inputs { of, all, fails };
            ops.push(match kind {
                0..2 => Op::Map(a),
                2 => Op::Fail(a),
                3..6 => Op::Zip(inputs),
                6..8 => Op::Union(inputs),
                8..10 => Op::Combine(inputs, (triggers & mask).max(1)),
                10..12 => Op::ZipLatest(inputs),
                _ => {
                    inputs.of.truncate(2);
                    inputs.all = false;
                    Op::WithLatest(inputs)
                }
            });
        }
        ops
    })
}

fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let items = prop::collection::vec(0..1000i64, 0..40);
    let step = prop_oneof![
        8 => (0..SOURCES, items).prop_map(|(source, items)| Step::Emit(source, items)),
        1 => (0..SOURCES).prop_map(Step::Close),
    ];
    (prop::collection::vec(step, 1..8), any::<bool>()).prop_map(|(mut steps, close)| {
        if close {
            steps.extend((0..SOURCES).map(Step::Close));
        }
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_random_graph_gives_what_the_interpreter_gives_however_elements_come_in(
        ops in graphs(),
        steps in scripts(),
        sizes in prop::collection::vec(1..20usize, 1..5),
    ) {
        let expected = Oracle::new(&ops).run(&steps);
        for way in [Way::OneByOne, Way::Locked, Way::All, Way::Cut(sizes), Way::Tracked] {
            prop_assert_eq!(&run(&ops, &steps, &way, ENDLESS), &expected, "{:?}", way);
        }
    }

    #[test]
    fn slow_sinks_change_nothing(
        ops in graphs(),
        steps in scripts(),
        room in 1..8usize,
        size in 1..20usize,
    ) {
        let expected = Oracle::new(&ops).run(&steps);
        prop_assert_eq!(run(&ops, &steps, &Way::Slow(room, size), ENDLESS), expected);
    }

    #[test]
    fn whatever_waits_for_whatever_some_source_goes_on(
        ops in graphs(),
        steps in prop::collection::vec((0..SOURCES, 0..1000i64), 0..60),
        closes in prop::collection::vec((0..60usize, 0..SOURCES), 0..3),
        capacity in 1..5usize,
        buffers in prop_oneof![Just(0u16), any::<u16>()],
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let mut sources = Vec::new();
        let mut shared = Vec::new();
        for (i, op) in ops.iter().enumerate() {
            let mut flow = flow(op, i, &graph, &mut sources, &shared, (capacity, OnFull::Wait));
            if buffers & (1 << i) != 0 {
                flow = flow.buffer(2).boxed();
            }
            shared.push(flow.share());
        }
        shared.iter().for_each(|node| drop(node.sink(drop)));
        let mut open = [true; SOURCES];
        for (at, (first, x)) in steps.into_iter().enumerate() {
            for (_, source) in closes.iter().filter(|(when, _)| *when == at) {
                sources[*source].close();
                open[*source] = false;
            }
            // Only elements and the driver can change anything, and only sources bring elements.
            let go_on = || {
                let order = (0..SOURCES).map(|i| (first + i) % SOURCES).filter(|i| open[*i]);
                order.into_iter().any(|i| !matches!(sources[i].emit(x), Err(EmitError::Full(_))))
            };
            let accepted = go_on() || {
                prop_assert!(buffers != 0 || !open.contains(&true), "nobody need look at it");
                time.settle();
                go_on()
            };
            prop_assert!(accepted || !open.contains(&true), "all sources wait for ever");
        }
    }

    #[test]
    fn closing_at_any_point_loses_nothing_that_was_accepted(
        ops in graphs(),
        items in prop::collection::vec((0..SOURCES, 0..1000i64), 0..30),
    ) {
        for at in 0..=items.len() {
            let emit = |(source, x): &(usize, i64)| Step::Emit(*source, vec![*x]);
            let mut steps: Vec<_> = items[..at].iter().map(emit).collect();
            steps.extend((0..SOURCES).map(|i| Step::Close((i + at) % SOURCES)));
            let expected = Oracle::new(&ops).run(&steps);
            prop_assert_eq!(&run(&ops, &steps, &Way::Tracked, ENDLESS), &expected);
        }
    }

    #[test]
    fn what_full_zips_drop_does_not_depend_on_batches(
        ops in graphs(),
        steps in scripts(),
        sizes in prop::collection::vec(1..20usize, 1..5),
        capacity in 1..6usize,
        policy in prop::sample::select(&[OnFull::DropOldest, OnFull::DropNewest, OnFull::Fail]),
    ) {
        let expected = run(&ops, &steps, &Way::OneByOne, (capacity, policy));
        for way in [Way::Locked, Way::All, Way::Cut(sizes), Way::Tracked] {
            let found = run(&ops, &steps, &way, (capacity, policy));
            prop_assert_eq!(&found, &expected, "{:?}", way);
        }
    }
}
