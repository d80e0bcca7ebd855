//! Random graphs of share, map, take, skip, zip, chain, union and combine_latest against a naive interpreter: the same
//! output however elements come in, nothing lost however sources close, and lineage that ends.

use std::collections::VecDeque;

use headwater::prelude::*;
use headwater::{BoxFlow, EmitError, OnFull, Receipt};
use proptest::prelude::*;

/// A node of a random graph; its inputs are earlier nodes. All of them are shared.
#[derive(Clone, Copy, Debug)]
enum Op {
    Source,
    Map(usize),
    /// Fails on multiples of three.
    Fail(usize),
    Take(usize, u64),
    Skip(usize, u64),
    Zip(usize, usize),
    Chain(usize, usize),
    Union(usize, usize),
    /// With the inputs that it emits on, one bit each.
    Combine(usize, usize, u8),
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
}

const SOURCES: usize = 3;

fn mix(a: i64, b: i64) -> i64 {
    a.wrapping_mul(31).wrapping_add(b) % 100_003
}

// ---- the interpreter ----

#[derive(Default, Clone)]
struct Naive {
    out: Vec<i64>,
    /// (consumer, its input), in the order of connection.
    consumers: Vec<(usize, usize)>,
    queues: [VecDeque<Option<i64>>; 2],
    /// The latest element, and whether a row had it.
    latest: [Option<(i64, bool)>; 2],
    closed: [bool; 2],
    finished: bool,
    /// Elements that a `take` or a `skip` has seen.
    seen: u64,
    dropped: u64,
}

struct Oracle {
    ops: Vec<Op>,
    nodes: Vec<Naive>,
}

impl Oracle {
    fn new(ops: &[Op]) -> Oracle {
        let mut nodes = vec![Naive::default(); ops.len()];
        for (i, op) in ops.iter().enumerate() {
            match *op {
                Op::Source => {}
                Op::Map(a) | Op::Fail(a) | Op::Take(a, _) | Op::Skip(a, _) => {
                    nodes[a].consumers.push((i, 0))
                }
                Op::Zip(a, b) | Op::Chain(a, b) | Op::Union(a, b) | Op::Combine(a, b, _) => {
                    nodes[a].consumers.push((i, 0));
                    nodes[b].consumers.push((i, 1));
                }
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
        match self.ops[id] {
            Op::Source => {}
            Op::Map(_) => self.leave(id, item.map(|x| mix(x, 7))),
            Op::Fail(_) => self.leave(id, item.filter(|x| x % 3 != 0)),
            Op::Union(..) => self.leave(id, item),
            Op::Take(_, n) => {
                if node.finished {
                    return;
                }
                node.seen += u64::from(item.is_some());
                if node.seen == n {
                    node.finished = true;
                }
                let ends = node.finished;
                self.leave(id, item);
                if ends {
                    self.close(id);
                }
            }
            Op::Skip(_, n) => {
                node.seen += u64::from(item.is_some());
                if item.is_none() || node.seen > n {
                    self.leave(id, item);
                }
            }
            Op::Chain(..) => {
                if port == 1 && !node.closed[0] {
                    node.queues[1].push_back(item);
                } else {
                    self.leave(id, item);
                }
            }
            Op::Zip(..) => {
                if node.finished {
                    node.dropped += u64::from(item.is_some());
                    return;
                }
                node.queues[port].push_back(item);
                if node.queues[1 - port].is_empty() {
                    return;
                }
                let a = node.queues[0].pop_front().unwrap();
                let b = node.queues[1].pop_front().unwrap();
                let row = a.zip(b).map(|(a, b)| mix(a, b));
                if row.is_none() {
                    node.dropped += u64::from(a.is_some()) + u64::from(b.is_some());
                }
                self.leave(id, row);
                self.end_zip(id);
            }
            Op::Combine(_, _, triggers) => {
                let trigger = triggers & (1 << port) != 0;
                if node.finished {
                    node.dropped += u64::from(item.is_some());
                    return;
                }
                if let Some(item) = item {
                    let old = node.latest[port].replace((item, false));
                    node.dropped += u64::from(matches!(old, Some((_, false))));
                }
                if !trigger || node.latest[1 - port].is_none() {
                    return;
                }
                let row = match (item, &mut node.latest) {
                    (Some(_), [Some(a), Some(b)]) => {
                        (a.1, b.1) = (true, true);
                        Some(mix(a.0, b.0))
                    }
                    _ => None,
                };
                self.leave(id, row);
            }
        }
    }

    fn end_zip(&mut self, id: usize) {
        let node = &mut self.nodes[id];
        if !node.finished && (0..2).any(|p| node.closed[p] && node.queues[p].is_empty()) {
            node.finished = true;
            let left = node.queues.iter_mut().flat_map(|queue| queue.drain(..));
            node.dropped += left.flatten().count() as u64;
            self.close(id);
        }
    }

    fn close(&mut self, id: usize) {
        for (consumer, port) in self.nodes[id].consumers.clone() {
            let node = &mut self.nodes[consumer];
            node.closed[port] = true;
            match self.ops[consumer] {
                Op::Source => {}
                Op::Map(_) | Op::Fail(_) | Op::Skip(..) => self.close(consumer),
                Op::Take(..) => {
                    if !std::mem::replace(&mut node.finished, true) {
                        self.close(consumer);
                    }
                }
                Op::Chain(..) => {
                    let (held, both) = (
                        std::mem::take(&mut node.queues[1]),
                        node.closed == [true; 2],
                    );
                    if port == 1 {
                        node.queues[1] = held;
                    } else {
                        held.into_iter().for_each(|item| self.leave(consumer, item));
                    }
                    if both {
                        self.close(consumer);
                    }
                }
                Op::Union(..) => {
                    if node.closed == [true; 2] {
                        self.close(consumer);
                    }
                }
                Op::Zip(..) => self.end_zip(consumer),
                Op::Combine(_, _, triggers) => {
                    let open = (0..2).any(|p| !node.closed[p] && triggers & (1 << p) != 0);
                    if !node.finished && (!open || node.latest[port].is_none()) {
                        node.finished = true;
                        let left = node.latest.iter_mut().filter_map(Option::take);
                        node.dropped += left.filter(|(_, used)| !used).count() as u64;
                        self.close(consumer);
                    }
                }
            }
        }
    }

    fn run(mut self, steps: &[Step]) -> (Vec<Vec<i64>>, u64) {
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
        let dropped = self.nodes.iter().map(|node| node.dropped).sum();
        (self.nodes.into_iter().map(|n| n.out).collect(), dropped)
    }
}

// ---- the graph ----

/// Zips that are never full.
const ENDLESS: (usize, OnFull) = (1 << 20, OnFull::Wait);

fn run(
    ops: &[Op],
    steps: &[Step],
    way: &Way,
    (capacity, policy): (usize, OnFull),
) -> (Vec<Vec<i64>>, u64) {
    let graph = Graph::new();
    let mut sources = Vec::new();
    let mut shared = Vec::<headwater::Shared<i64>>::new();
    for (i, op) in ops.iter().enumerate() {
        let name = format!("n{i}");
        let flow: BoxFlow<i64> = match *op {
            Op::Source => {
                let source = graph.source::<i64>();
                let flow = source.into_run().boxed();
                sources.push(source);
                flow
            }
            Op::Map(a) => shared[a].map(|x| mix(x, 7)).boxed(),
            Op::Fail(a) => {
                let fit = |x: &i64| (x % 3 != 0).then_some(true).ok_or_else(|| "unfit".into());
                shared[a].try_filter(fit).boxed()
            }
            Op::Take(a, n) => shared[a].take(n).boxed(),
            Op::Skip(a, n) => shared[a].skip(n).boxed(),
            Op::Chain(a, b) => shared[a]
                .chain(&shared[b])
                .capacity(1 << 20)
                .named(name)
                .boxed(),
            Op::Zip(a, b) => {
                let rows = shared[a]
                    .zip(&shared[b])
                    .capacity(capacity)
                    .on_full(policy)
                    .named(name);
                rows.map(|(a, b)| mix(a, b)).boxed()
            }
            Op::Union(a, b) => shared[a].union(&shared[b]).named(name).boxed(),
            Op::Combine(a, b, triggers) => {
                let inputs: Vec<_> = (0..2).filter(|p| triggers & (1 << p) != 0).collect();
                let rows = shared[a]
                    .combine_latest(&shared[b])
                    .emit_on(inputs)
                    .named(name);
                rows.map(|(a, b)| mix(a, b)).boxed()
            }
        };
        shared.push(flow.share());
    }
    // Connected last, as the interpreter notes an element before it leaves: each list is one flow.
    let lists: Vec<_> = shared.iter().map(|node| node.sink_to_list()).collect();
    let mut receipts = Vec::<Receipt>::new();
    for step in steps {
        match step {
            Step::Emit(source, items) => {
                emit(&sources[*source], items, way, &mut receipts);
            }
            Step::Close(source) => sources[*source].close(),
        }
    }
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
    // With those of nodes that have gone, as their runs were over.
    let dropped = snapshot.dropped();
    let results = lists.iter().map(|list| list.take()).collect();
    drop((sources, shared, lists, snapshot, graph));
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
    (results, dropped)
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
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        1..4u8,
    );
    prop::collection::vec(raw, 1..9).prop_map(|raw| {
        let mut ops = vec![Op::Source; SOURCES];
        for (kind, a, b, triggers) in raw {
            let (a, b) = (a.index(ops.len()), b.index(ops.len()));
            ops.push(match kind {
                0..2 => Op::Map(a),
                2 => Op::Fail(a),
                3..6 => Op::Zip(a, b),
                6..8 => Op::Union(a, b),
                10 => Op::Skip(a, 2 * u64::from(triggers)),
                11 => Op::Chain(a, b),
                12.. => Op::Take(a, 7 * u64::from(triggers) - 6),
                _ => Op::Combine(a, b, triggers),
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
