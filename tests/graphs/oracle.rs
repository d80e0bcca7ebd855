//! The interpreter: one element at a time, depth first, in the order of connection.

use std::collections::VecDeque;

use super::races::Races;
use super::{GROUP, INITIAL, KEYS, Op, Outcome, SOURCES, Step, mix, mix_all, mix_group};

/// What must come out of a graph.
pub(crate) fn expected(ops: &[Op], steps: &[Step]) -> Outcome {
    expected_with_races(ops, steps, usize::MAX).0
}

/// And the nodes where another order is as good, if what a chain holds drains at once up to so many.
pub(crate) fn expected_with_races(
    ops: &[Op],
    steps: &[Step],
    at_once: usize,
) -> (Outcome, Vec<bool>) {
    let mut oracle = Oracle::new(ops);
    oracle.at_once = at_once;
    oracle.run(steps)
}

#[derive(Default, Clone)]
struct Naive {
    out: Vec<i64>,
    /// (consumer, its input), in the order of connection.
    consumers: Vec<(usize, usize)>,
    /// How many inputs.
    arity: usize,
    /// What waits at each input; `None` is the empty place of an element that failed.
    queues: [VecDeque<Option<i64>>; 3],
    /// The latest element, and whether a row had it.
    latest: [Option<(i64, bool)>; 3],
    /// What a pairwise or a dedup remembers.
    last: Option<i64>,
    counts: Vec<(i64, i64)>,
    /// Elements that a `take` or a `skip` has seen.
    seen: u64,
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

    /// A new key takes the place of the first that has the least count.
    fn count(&mut self, x: i64) -> i64 {
        let at = match self.counts.iter().position(|(key, _)| *key == x) {
            Some(at) => at,
            None if self.counts.len() < KEYS => {
                self.counts.push((x, 0));
                self.counts.len() - 1
            }
            None => (0..KEYS).min_by_key(|at| self.counts[*at].1).unwrap(),
        };
        self.counts[at].0 = x;
        self.counts[at].1 += 1;
        self.counts[at].1
    }

    fn all_closed(&self) -> bool {
        self.closed[..self.arity].iter().all(|closed| *closed)
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
    races: Races,
    at_once: usize,
}

impl Oracle {
    fn new(ops: &[Op]) -> Oracle {
        let mut nodes = vec![Naive::default(); ops.len()];
        for (i, op) in ops.iter().enumerate() {
            let ports = op.ports();
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
            races: Races::new(ops.len()),
            at_once: usize::MAX,
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
        let op = &self.ops[id];
        let fails = op.inputs().is_some_and(|i| i.fails == Some(port));
        let fails = item.is_some_and(|x| fails && x % 3 == 0);
        let item = item.filter(|_| !fails);
        if node.finished {
            // What comes after the last of a `take` is no loss, nor what ends a group.
            let lost =
                item.is_some() && !matches!(op, Op::Take(..) | Op::TakeUntil(_) | Op::Collect(_));
            node.dropped += u64::from(lost);
            return;
        }
        match op {
            Op::Source => {}
            // A failure goes ahead of a group, and is a place of its own from there on.
            Op::Collect(_) if fails => self.leave(id, None),
            Op::Map(_) => self.leave(id, item.map(|x| mix(x, 7))),
            Op::Fail(_) => self.leave(id, item.filter(|x| x % 3 != 0)),
            Op::Union(_) => self.leave(id, item),
            Op::Take(_, n) => {
                node.seen += u64::from(item.is_some());
                let ends = node.seen == *n;
                node.finished = ends;
                self.leave(id, item);
                if ends {
                    self.close(id);
                }
            }
            Op::Skip(_, n) => {
                node.seen += u64::from(item.is_some());
                if item.is_none() || node.seen > *n {
                    self.leave(id, item);
                }
            }
            Op::Split(_) => match item {
                Some(x) if x % 2 == 0 => self.leave(id, item),
                Some(x) => self.leave(id, Some(mix(x, 5))),
                // Its place is empty in both halves.
                None => (0..2).for_each(|_| self.leave(id, None)),
            },
            Op::Pairwise(_) => match item {
                Some(x) => {
                    if let Some(last) = node.last.replace(x) {
                        self.leave(id, Some(mix(last, x)));
                    }
                }
                None => self.leave(id, None),
            },
            Op::Dedup(_) => match item {
                Some(x) if node.last.replace(x % 4) == Some(x % 4) => {}
                _ => self.leave(id, item),
            },
            Op::Frequencies(_) => {
                let told = item.map(|x| mix(x, node.count(x)));
                self.leave(id, told);
            }
            Op::Expand(_) => match item.filter(|x| x % 7 != 0) {
                Some(x) => (0..2).for_each(|i| self.leave(id, Some(x + i))),
                None => self.leave(id, None),
            },
            Op::TakeUntil(_) if port == 0 => self.leave(id, item),
            Op::TakeUntil(_) => {
                // A failure passes, as the other flow's do.
                match item {
                    Some(_) => self.finish(id),
                    None if fails => self.leave(id, None),
                    None => {}
                }
            }
            Op::Sliding(_) => {
                if let Some(x) = item {
                    let group = node.last.replace(x).into_iter().chain([x]).collect();
                    self.leave(id, Some(mix_group(group)));
                }
            }
            Op::Fold(_) => node.queues[0].extend(item.map(Some)),
            Op::Partition(_) | Op::Collect(_) if port == 0 => {
                if item.is_some() {
                    node.queues[0].push_back(item);
                }
                if node.queues[0].len() == GROUP {
                    self.leave_group(id);
                }
            }
            Op::Partition(_) | Op::Collect(_) => {
                if item.is_some() {
                    self.leave_group(id);
                }
            }
            Op::Chain(_) => {
                if port == 1 && !node.closed[0] {
                    node.queues[1].push_back(item);
                } else {
                    self.leave(id, item);
                }
            }
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

    fn leave_group(&mut self, id: usize) {
        let group = self.nodes[id].queues[0].drain(..).flatten().collect();
        self.leave(id, Some(mix_group(group)));
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
        let node = &self.nodes[id];
        let lossless = |port| !matches!(self.ops[id], Op::ZipLatest(_)) || port == 0;
        let empty = |port: usize| match lossless(port) {
            true => node.queues[port].is_empty(),
            false => node.latest[port].is_none(),
        };
        if (0..node.arity).any(|p| node.closed[p] && empty(p)) {
            self.finish(id);
        }
    }

    /// The end of a node, if it has not come yet.
    fn finish(&mut self, id: usize) {
        if !self.nodes[id].finished {
            self.nodes[id].finish();
            self.close(id);
        }
    }

    /// What follows a node hears that nothing more comes from there.
    fn close(&mut self, id: usize) {
        for (consumer, port) in self.nodes[id].consumers.clone() {
            let node = &mut self.nodes[consumer];
            node.closed[port] = true;
            match &self.ops[consumer] {
                Op::Source => {}
                Op::Map(_) | Op::Fail(_) | Op::Skip(..) | Op::Split(_) | Op::Pairwise(_) => {
                    self.close(consumer);
                }
                Op::Dedup(_) | Op::Frequencies(_) | Op::Expand(_) => self.close(consumer),
                Op::Sliding(_) => self.close(consumer),
                Op::Fold(_) => {
                    self.leave_group(consumer);
                    self.finish(consumer);
                }
                Op::TakeUntil(_) => {
                    if port == 0 {
                        self.finish(consumer);
                    }
                }
                Op::Partition(_) | Op::Collect(_) if port == 0 => {
                    if !node.queues[0].is_empty() {
                        self.leave_group(consumer);
                    }
                    self.finish(consumer);
                }
                Op::Partition(_) | Op::Collect(_) => {}
                Op::Take(..) => self.finish(consumer),
                Op::Union(_) => {
                    if node.all_closed() {
                        self.close(consumer);
                    }
                }
                Op::Chain(_) => {
                    let over = node.all_closed();
                    if port == 0 {
                        let held = std::mem::take(&mut node.queues[1]);
                        if held.len() > self.at_once {
                            self.races.moves(consumer);
                        }
                        held.into_iter().for_each(|item| self.leave(consumer, item));
                    }
                    if over {
                        self.races.closes(consumer);
                        self.close(consumer);
                        self.races.has_closed();
                    }
                }
                Op::Zip(_) | Op::ZipLatest(_) => self.end(consumer),
                Op::Combine(_, triggers) => {
                    let open = (0..node.arity).any(|p| !node.closed[p] && triggers & (1 << p) != 0);
                    if !open || node.latest[port].is_none() {
                        self.finish(consumer);
                    }
                }
                Op::WithLatest(_) => {
                    if port == 0 {
                        self.finish(consumer);
                    }
                }
            }
        }
    }

    fn run(mut self, steps: &[Step]) -> (Outcome, Vec<bool>) {
        let mut closed = [false; SOURCES];
        for step in steps {
            match step {
                Step::Emit(source, items) if !closed[*source] => {
                    self.races.moves(*source);
                    items.iter().for_each(|x| self.leave(*source, Some(*x)));
                }
                Step::Emit(..) => {}
                Step::Close(source) => {
                    if !std::mem::replace(&mut closed[*source], true) {
                        self.races.moves(*source);
                        self.close(*source);
                    }
                }
            }
            self.races.end_step(&self.ops);
        }
        let outcome = Outcome {
            dropped: self.nodes.iter().map(|node| Some(node.dropped)).collect(),
            dropped_in_all: self.nodes.iter().map(|node| node.dropped).sum(),
            out: self.nodes.into_iter().map(|node| node.out).collect(),
        };
        (outcome, self.races.into_open())
    }
}
