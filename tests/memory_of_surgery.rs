//! A graph that is changed tens of thousands of times, while four threads emit or by itself: nothing is lost on
//! what stays, and nothing of what goes is left in memory.

mod resident;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{Branch, EmitError, OnFull, union, zip};
use resident::resident;

const OPERATIONS: u64 = 60_000;
const MIB: usize = 1 << 20;

/// One test at a time: memory is the whole process's.
static ALONE: Mutex<()> = Mutex::new(());

/// An element: which thread emitted it, and its number there.
type Item = (usize, u64);

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Sees whether each thread's elements come whole and in order.
#[derive(Default)]
struct Checker([AtomicU64; 4]);

impl Checker {
    /// Each element once.
    fn exact(self: &Arc<Self>) -> impl FnMut(Item) + Send + 'static {
        let seen = self.clone();
        move |(thread, n)| {
            let before = seen.0[thread].fetch_add(1, Ordering::Relaxed);
            assert_eq!(before, n, "an element was lost, or came twice");
        }
    }

    fn counts(&self) -> [u64; 4] {
        std::array::from_fn(|n| self.0[n].load(Ordering::Relaxed))
    }
}

/// What comes and goes.
#[derive(Default)]
struct Guests {
    branches: Vec<Branch>,
    shared: Vec<Shared<Item>>,
    sources: Vec<Source<Item>>,
}

const GUESTS: usize = 24;

impl Guests {
    fn operate(&mut self, graph: &Graph, hosts: &[Source<Item>], random: &mut Random) {
        let host = &hosts[random.below(hosts.len())];
        let crowded = self.branches.len() + self.shared.len() + self.sources.len() >= GUESTS;
        match random.below(if crowded { 16 } else { 28 }) {
            0..4 => self
                .take_branch(random)
                .into_iter()
                .for_each(|branch| branch.disconnect()),
            4..6 => self
                .take_branch(random)
                .into_iter()
                .for_each(|branch| branch.discard()),
            6..8 => {
                if !self.shared.is_empty() {
                    let at = random.below(self.shared.len());
                    let shared = self.shared.swap_remove(at);
                    match random.below(3) {
                        0 => shared.destroy(),
                        1 => shared.discard(),
                        // With the last handle it goes once nothing hangs from it.
                        _ => drop(shared),
                    }
                }
            }
            8 => {
                if !self.sources.is_empty() {
                    let at = random.below(self.sources.len());
                    self.sources.swap_remove(at).destroy();
                }
            }
            9..14 => {
                if !self.branches.is_empty() {
                    let branch = &self.branches[random.below(self.branches.len())];
                    // It may have gone with what it hung from.
                    let _ = match (self.shared.is_empty(), random.below(3)) {
                        (false, 1..) => {
                            let at = random.below(self.shared.len());
                            branch.move_input(random.below(2), &self.shared[at])
                        }
                        _ => branch.move_input(random.below(2), host),
                    };
                }
            }
            14..16 => drop(graph.topology()),
            16..20 => {
                let branch = self.hang(host, random);
                self.branches.push(branch);
            }
            20..23 => {
                if !self.shared.is_empty() {
                    let at = random.below(self.shared.len());
                    let branch = self.hang(&self.shared[at], random);
                    self.branches.push(branch);
                }
            }
            23..26 => {
                let shared = match random.below(3) {
                    0 => host.map(|x| x).share(),
                    1 => host.buffer(64).share(),
                    _ => host.filter(|(_, n)| n.is_multiple_of(2)).share(),
                };
                self.shared.push(shared);
            }
            _ => {
                let source = graph.source::<Item>();
                self.branches.push(host.connect(&source));
                self.branches.push(source.sink(drop));
                self.sources.push(source);
            }
        }
    }

    fn take_branch(&mut self, random: &mut Random) -> Option<Branch> {
        (!self.branches.is_empty())
            .then(|| self.branches.swap_remove(random.below(self.branches.len())))
    }

    fn hang<'a, F>(&self, flow: F, random: &mut Random) -> Branch
    where
        F: Flow<Item = Item> + Copy + 'a,
    {
        match random.below(8) {
            0 => flow.sink(drop),
            1 => flow.buffer(16).sink(drop),
            2 => flow.partition(10).buffer(4).sink(drop),
            3 => flow.timed_window(Duration::from_millis(1)).sink(drop),
            4 => zip((flow, flow.map(|x| x)))
                .on_full(OnFull::DropOldest)
                .sink(drop),
            5 => union((flow, flow.filter(|(_, n)| n.is_multiple_of(3)))).sink(drop),
            6 => flow.sink_async(4, |_| std::future::ready(())),
            _ => flow.accumulate(0, |n: u64, _| n + 1).unique().sink(drop),
        }
    }

    fn leave(&mut self, random: &mut Random) {
        while let Some(branch) = self.take_branch(random) {
            match random.below(2) {
                0 => branch.disconnect(),
                _ => branch.discard(),
            }
        }
        self.sources.drain(..).for_each(|source| source.destroy());
        self.shared.drain(..).for_each(drop);
    }
}

/// Emits into `host` until `stop` is raised; returns how many elements there were.
fn emit(host: &Source<Item>, thread: usize, from: u64, stop: &AtomicBool) -> u64 {
    let mut n = from;
    while !stop.load(Ordering::Relaxed) {
        if n.is_multiple_of(64) {
            let mut all = (n..n + 16).map(|n| (thread, n)).peekable();
            n += 16;
            while all.peek().is_some() {
                if let Err(error) = host.emit_all(all.by_ref()) {
                    assert!(error.drawn.is_empty());
                    let refused = error.cause.into_element().expect("nothing fails here");
                    host.blocking_send(refused).unwrap();
                }
            }
        } else {
            host.blocking_send((thread, n)).unwrap();
            n += 1;
        }
    }
    n
}

/// Raises the flag also where something panics, or the threads would go on for ever.
struct StopAtLast<'a>(&'a AtomicBool);

impl Drop for StopAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct House {
    graph: Graph,
    hosts: Vec<Source<Item>>,
    /// Branches that move among junctions of one source, and one of these.
    wanderers: Vec<(usize, Branch, Shared<Item>)>,
    /// What the other guests are, who come and go from inside of a closure.
    inside: Arc<Mutex<(Guests, Random)>>,
    random: Random,
    emitted: [u64; 4],
    nodes: usize,
}

impl House {
    /// Changes the graph so often while four threads emit, and clears up after.
    fn operate(&mut self, operations: u64) {
        let stop = AtomicBool::new(false);
        let mut guests = Guests::default();
        let (graph, hosts, random) = (&self.graph, &self.hosts, &mut self.random);
        let (inside, wanderers) = (self.inside.clone(), &self.wanderers);
        let emitted = std::thread::scope(|scope| {
            let _stop = StopAtLast(&stop);
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (host, from, stop) = (&hosts[thread % 2], self.emitted[thread], &stop);
                    scope.spawn(move || emit(host, thread, from, stop))
                })
                .collect();
            let insider = inside.clone();
            let (own, its) = (hosts.clone(), graph.clone());
            let meddler = hosts[0]
                .filter(|(_, n)| n.is_multiple_of(64))
                .sink(move |_| {
                    let (guests, random) = &mut *insider.lock().unwrap();
                    guests.operate(&its, &own, random);
                });
            for operation in 0..operations {
                guests.operate(graph, hosts, random);
                if operation.is_multiple_of(8) {
                    for (host, branch, junction) in wanderers {
                        match random.below(2) {
                            0 => branch.move_to(&hosts[*host]).unwrap(),
                            _ => branch.move_to(junction).unwrap(),
                        }
                    }
                }
            }
            meddler.disconnect();
            guests.leave(random);
            let (inner, random) = &mut *inside.lock().unwrap();
            inner.leave(random);
            stop.store(true, Ordering::Relaxed);
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        self.emitted.copy_from_slice(&emitted);
        let began = std::time::Instant::now();
        while self.graph.topology().nodes().len() > self.nodes {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "some did not go: {}\n{}",
                self.graph.topology(),
                self.graph.snapshot().unwrap()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn sixty_thousand_changes_while_four_threads_emit_lose_nothing_and_leave_nothing() {
    let _alone = ALONE.lock();
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let hosts: Vec<_> = (0..2).map(|_| graph.source::<Item>()).collect();
    let mut checkers = Vec::new();
    let mut wanderers = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let seen: [Arc<Checker>; 3] = std::array::from_fn(|_| Arc::default());
        let _ = host.sink(seen[0].exact());
        let _ = host.buffer(256).sink(seen[1].exact());
        let branch = host.map(|x| x).sink(seen[2].exact());
        wanderers.push((number, branch, host.map(|x| x).share()));
        checkers.push(seen);
    }
    let mut house = House {
        nodes: graph.topology().nodes().len(),
        inside: Arc::new(Mutex::new((Guests::default(), Random(77)))),
        random: Random(20_240_229),
        emitted: [0; 4],
        graph: graph.clone(),
        hosts,
        wanderers,
    };
    house.operate(OPERATIONS / 6);
    let before = resident();
    let began = std::time::Instant::now();
    house.operate(OPERATIONS);
    let grown = resident().saturating_sub(before);
    let emitted = house.emitted;
    eprintln!(
        "{OPERATIONS} changes, {} elements: {} KiB, {:.1?}",
        emitted.iter().sum::<u64>(),
        grown >> 10,
        began.elapsed()
    );
    let House { inside, .. } = house;
    assert!(!inside.is_poisoned());
    driver_ends(&graph, driver);
    for (number, seen) in checkers.iter().enumerate() {
        for seen in seen {
            let counts = seen.counts();
            for thread in 0..4 {
                let expected = if thread % 2 == number {
                    emitted[thread]
                } else {
                    0
                };
                assert_eq!(counts[thread], expected, "nothing accepted is lost");
            }
        }
    }
    assert!(grown <= MIB, "it grew by {grown} bytes");
}

fn driver_ends(graph: &Graph, driver: headwater::DriverThread) {
    let report = graph.close().unwrap();
    assert!(report.complete, "{report}");
    driver.join().unwrap();
}

/// Does something so often, and checks that nothing is left of it but its counts.
fn comes_and_goes(what: &str, once: impl Fn(&Source<u64>)) {
    let times = if cfg!(debug_assertions) {
        10_000
    } else {
        100_000
    };
    let source = Source::<u64>::new();
    let graph = source.graph();
    (0..times / 10).for_each(|_| once(&source));
    let (before, began) = (resident(), std::time::Instant::now());
    (0..times).for_each(|_| once(&source));
    let nodes = graph.topology().nodes().len();
    let snapshot = graph.snapshot().unwrap();
    let grown = resident().saturating_sub(before);
    eprintln!(
        "{times} times {what}: {} KiB, {:.1?}",
        grown >> 10,
        began.elapsed()
    );
    assert_eq!((nodes, snapshot.nodes.len()), (1, 1), "{what}: {snapshot}");
    assert!(snapshot.gone.nodes >= 2 * times, "{what}: {snapshot}");
    assert!(grown <= MIB, "{what}: it grew by {grown} bytes");
    let report = graph.close().unwrap();
    assert!(report.complete, "{what}: {report}");
    // All that came in came out, or is counted.
    let (came, went) = (report.accepted, report.delivered);
    assert_eq!(came, went + report.snapshot.dropped(), "{what}: {report}");
}

#[test]
fn what_has_had_enough_was_dropped_or_closed_for_good_goes_from_the_tables_and_from_memory() {
    let _alone = ALONE.lock();
    comes_and_goes("a shared node that has had enough", |source| {
        let first = source.take(1).share();
        first.sink(drop);
        source.emit(1).unwrap();
    });
    comes_and_goes("the same, whose handle goes first", |source| {
        let _ = source.take(1).share().map(|x| x).sink(drop);
        source.emit(1).unwrap();
    });
    comes_and_goes("a stream that is dropped, with what it holds", |source| {
        let stream = source.map(|x| x).into_stream(4);
        source.emit(1).unwrap();
        drop(stream);
    });
    comes_and_goes(
        "a source that is dropped, with what hangs from it",
        |source| {
            let other = source.graph().source::<u64>();
            other.map(|x| x).sink(drop);
            other.emit(1).unwrap();
            other.emit(2).unwrap();
            drop(other);
            let _ = source.graph().topology();
            // It closes in the next call on the graph.
            source.graph().snapshot().unwrap();
        },
    );
    comes_and_goes("a source that was closed before, with a join", |source| {
        let other = source.graph().source::<u64>();
        let shared = other.share();
        shared
            .union(shared.map(|x| x + 1))
            .partition(9)
            .flatten()
            .sink(drop);
        drop(shared);
        other.close();
        drop(other);
        source.graph().snapshot().unwrap();
    });
    comes_and_goes("a weak handle's source", |source| {
        let other = source.graph().source::<u64>();
        let weak = other.downgrade();
        other.sink(drop);
        drop(other);
        assert!(matches!(weak.emit(1), Err(EmitError::Closed(1))));
        source.graph().snapshot().unwrap();
    });
}
