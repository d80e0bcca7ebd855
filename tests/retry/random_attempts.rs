//! Which attempt is made when, against a naive oracle that goes from millisecond to millisecond: elements given
//! and lent, of flows and of sinks, in any order.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use headwater::prelude::*;
use headwater::{BoxFuture, Outcome, Receipt, Retry};
use proptest::prelude::*;

use super::MS;
use crate::words::quiet;

/// When the last element is emitted at the latest, and how long an attempt lasts at most.
const LAST: u64 = 40;
const LONGEST: u64 = 6;

/// What becomes of an element.
#[derive(Clone, Debug)]
struct Plan {
    /// When it is emitted; it is refused where there is no room.
    at: u64,
    failures: u32,
    /// How long its attempts take, in turn.
    lasts: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Order {
    All,
    None,
    /// By the rest of a division.
    Key(usize),
    /// Of a sink, which has no order.
    Sink,
}

#[derive(Clone, Copy, Debug)]
struct Policy {
    attempts: u32,
    first: u64,
    doubles: bool,
}

impl Policy {
    fn retry(self) -> Retry {
        let policy = Retry::attempts(self.attempts);
        match self.doubles {
            _ if self.first == 0 => policy,
            true => policy.exponential(Duration::from_millis(self.first)),
            false => policy.fixed(Duration::from_millis(self.first)),
        }
    }

    /// The delay after an attempt, counted from 0.
    fn delay(self, attempt: u32) -> u64 {
        match self.doubles {
            true => self.first << attempt,
            false => self.first,
        }
    }
}

/// When which attempt, counted from 0, is made at which element.
type Log = BTreeSet<(u64, usize, u32)>;

/// What is to be seen from outside.
#[derive(PartialEq, Debug, Default)]
struct Seen {
    attempts: Log,
    accepted: Vec<bool>,
    /// When each element's receipt resolved, and how.
    done: Vec<Option<(u64, bool)>>,
    retried: u64,
    /// When nothing is left.
    end: u64,
}

/// The oracle.
struct Naive<'a> {
    n: usize,
    order: Order,
    policy: Policy,
    plans: &'a [Plan],
    now: u64,
    full: bool,
    waiting: VecDeque<usize>,
    /// By key, in line behind the one that is under way.
    lanes: Vec<VecDeque<usize>>,
    next: VecDeque<usize>,
    /// Under way or between two attempts: the element, the attempt, and when that ends or begins.
    running: Vec<(usize, u32, u64)>,
    naps: Vec<(usize, u32, u64)>,
    /// In the order of all, those that started and have not gone on, with their result.
    line: VecDeque<(usize, Option<bool>)>,
    seen: Seen,
}

impl Naive<'_> {
    fn run(mut self) -> Seen {
        self.seen.done = vec![None; self.plans.len()];
        while self.now <= LAST || self.holds_any() {
            let now = self.now;
            self.settle();
            for x in 0..self.plans.len() {
                if self.plans[x].at == now {
                    self.seen.accepted.push(!self.full);
                    if !self.full {
                        self.waiting.push_back(x);
                        self.full = self.waiting.len() + self.started() >= self.n;
                    }
                    self.settle();
                }
            }
            self.now += 1;
        }
        self.seen.end = self.now;
        self.seen
    }

    fn holds_any(&self) -> bool {
        let held = self.waiting.len() + self.started() + self.next.len();
        held > 0 || self.lanes.iter().any(|lane| !lane.is_empty())
    }

    fn started(&self) -> usize {
        self.running.len() + self.naps.len()
    }

    fn busy(&self, key: usize) -> bool {
        let Order::Key(keys) = self.order else {
            return false;
        };
        let under_way = self.running.iter().chain(&self.naps).map(|(x, ..)| x);
        under_way.chain(&self.next).any(|x| x % keys == key)
    }

    fn settle(&mut self) {
        loop {
            self.start();
            let due = self.running.iter().position(|run| run.2 <= self.now);
            if let Some(at) = due {
                let (x, attempt, _) = self.running.remove(at);
                self.finish(x, attempt);
            }
            // One has gone on: there is room until another comes, whoever starts next.
            self.full &= self.waiting.len() + self.started() >= self.n;
            if due.is_none() {
                return;
            }
        }
    }

    fn start(&mut self) {
        loop {
            let now = self.now;
            if let Some(at) = self.naps.iter().position(|nap| nap.2 <= now) {
                let (x, attempt, _) = self.naps.remove(at);
                self.attempt(x, attempt);
            } else if self.started() == self.n {
                return;
            } else if let Some(x) = self.next.pop_front() {
                self.attempt(x, 0);
            } else if let Some(x) = self.waiting.pop_front() {
                match self.order {
                    Order::Key(keys) if self.busy(x % keys) => self.lanes[x % keys].push_back(x),
                    _ => {
                        self.line.push_back((x, None));
                        self.attempt(x, 0);
                    }
                }
            } else {
                return;
            }
        }
    }

    fn attempt(&mut self, x: usize, attempt: u32) {
        self.seen.attempts.insert((self.now, x, attempt));
        let lasts = &self.plans[x].lasts;
        let end = self.now + lasts[attempt as usize % lasts.len()];
        self.running.push((x, attempt, end));
    }

    fn finish(&mut self, x: usize, attempt: u32) {
        let good = attempt >= self.plans[x].failures;
        if !good && attempt + 1 < self.policy.attempts {
            self.seen.retried += 1;
            let until = self.now + self.policy.delay(attempt);
            return self.naps.push((x, attempt + 1, until));
        }
        if let Order::Key(keys) = self.order {
            self.next.extend(self.lanes[x % keys].pop_front());
        }
        if self.order != Order::All {
            self.seen.done[x] = Some((self.now, good));
            return;
        }
        let mut line = self.line.iter_mut();
        line.find(|(y, _)| *y == x).unwrap().1 = Some(good);
        while let Some((x, Some(good))) = self.line.front().copied() {
            self.line.pop_front();
            self.seen.done[x] = Some((self.now, good));
        }
    }
}

/// An element, and how often it was cloned.
struct Item {
    x: usize,
    clones: Arc<Mutex<u32>>,
}

impl Clone for Item {
    fn clone(&self) -> Item {
        *self.clones.lock().unwrap() += 1;
        Item {
            x: self.x,
            clones: self.clones.clone(),
        }
    }
}

/// What the attempts look at and write down.
#[derive(Clone)]
struct World(Arc<Mutex<State>>);

struct State {
    now: u64,
    plans: Vec<Plan>,
    /// The attempts made at each, and where they found it.
    made: Vec<Vec<usize>>,
    log: Log,
    sleepers: Vec<(u64, oneshot::Sender<()>)>,
}

impl World {
    fn attempt(&self, item: &Item) -> BoxFuture<'static, Result<usize, BoxError>> {
        let state = &mut *self.0.lock().unwrap();
        let x = item.x;
        let attempt = state.made[x].len();
        state.made[x].push(std::ptr::from_ref(item).addr());
        state.log.insert((state.now, x, attempt as u32));
        let plan = &state.plans[x];
        let good = attempt >= plan.failures as usize;
        let lasts = plan.lasts[attempt % plan.lasts.len()];
        let (wake, woken) = oneshot::channel();
        match lasts {
            0 => drop(wake),
            _ => state.sleepers.push((state.now + lasts, wake)),
        }
        Box::pin(async move {
            let _ = woken.await;
            match good {
                true => Ok(x),
                false => Err("not yet".into()),
            }
        })
    }

    fn lent<'a>(&self, item: &'a Item) -> BoxFuture<'a, Result<usize, BoxError>> {
        let attempt = self.attempt(item);
        Box::pin(async move {
            let result = attempt.await;
            assert!(result.as_ref().is_ok_and(|x| *x == item.x) || result.is_err());
            result
        })
    }

    fn wake(&self) {
        let state = &mut *self.0.lock().unwrap();
        let now = state.now;
        for (_, wake) in state.sleepers.extract_if(.., |(at, _)| *at <= now) {
            let _ = wake.send(());
        }
    }
}

/// Connects what is tested. Returns what comes out where it is a flow.
fn connect(
    source: &Source<Item>,
    lent: bool,
    (n, order, policy): (usize, Order, Policy),
    world: &World,
) -> Option<headwater::List<usize>> {
    let world = world.clone();
    let again = policy.retry();
    macro_rules! in_order {
        ($flow:expr) => {
            match order {
                Order::All => Some($flow.sink_to_list()),
                Order::Key(keys) => Some($flow.by_key(move |item| item.x % keys).sink_to_list()),
                _ => Some($flow.unordered().sink_to_list()),
            }
        };
    }
    match (order, lent) {
        (Order::Sink, false) => {
            let sink = source.try_sink_async(n, move |item| {
                let attempt = world.attempt(&item);
                async move { attempt.await.map(drop) }
            });
            sink.retry(again);
            None
        }
        (Order::Sink, true) => {
            let sink = source.try_sink_async_ref(n, move |item| {
                let attempt = world.lent(item);
                Box::pin(async move { attempt.await.map(drop) })
            });
            sink.retry(again);
            None
        }
        (_, false) => in_order!(
            source
                .try_map_async(n, move |item| world.attempt(&item))
                .retry(again)
        ),
        (_, true) => in_order!(
            source
                .try_map_async_ref(n, move |item| world.lent(item))
                .retry(again)
        ),
    }
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = (0..=LAST, 0..4u32, prop::collection::vec(0..=LONGEST, 1..4));
    let plan = plan.prop_map(|(at, failures, lasts)| Plan {
        at,
        failures,
        lasts,
    });
    prop::collection::vec(plan, 0..25).prop_map(|mut plans| {
        plans.sort_by_key(|plan| plan.at);
        plans
    })
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::All),
        Just(Order::None),
        (1usize..4).prop_map(Order::Key),
        Just(Order::Sink),
    ]
}

fn policies() -> impl Strategy<Value = Policy> {
    let all = (1u32..5, 0u64..6, any::<bool>());
    all.prop_map(|(attempts, first, doubles)| Policy {
        attempts,
        first,
        doubles,
    })
}

fn resolved(receipt: &Receipt) -> Option<bool> {
    receipt.outcome().map(|outcome: Outcome| outcome.is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Each attempt is made in its millisecond, no other is, and each element is done in its own; who is lent
    /// an element finds it where it was, and nothing is cloned.
    #[test]
    fn attempts_are_made_when_a_naive_loop_makes_them(
        plans in plans(),
        (n, order, policy, lent) in (1usize..5, orders(), policies(), any::<bool>()),
    ) {
        let naive = Naive {
            n,
            order,
            policy,
            plans: &plans,
            now: 0,
            full: false,
            waiting: VecDeque::new(),
            lanes: vec![VecDeque::new(); 4],
            next: VecDeque::new(),
            running: Vec::new(),
            naps: Vec::new(),
            line: VecDeque::new(),
            seen: Seen::default(),
        };
        let expected = naive.run();

        let (graph, time) = quiet();
        let source = graph.source::<Item>();
        let clones = Arc::new(Mutex::new(0));
        let world = World(Arc::new(Mutex::new(State {
            now: 0,
            plans: plans.clone(),
            made: vec![Vec::new(); plans.len()],
            log: Log::new(),
            sleepers: Vec::new(),
        })));
        let list = connect(&source, lent, (n, order, policy), &world);
        let mut seen = Seen {
            done: vec![None; plans.len()],
            end: expected.end,
            ..Seen::default()
        };
        let mut receipts: Vec<(usize, Receipt)> = Vec::new();
        let mut emitted = 0;
        for now in 0..expected.end {
            world.0.lock().unwrap().now = now;
            if now > 0 {
                time.advance(MS);
            }
            world.wake();
            time.settle();
            while let Some(plan) = plans.get(emitted).filter(|plan| plan.at == now) {
                let item = Item { x: emitted, clones: clones.clone() };
                let receipt = source.emit_tracked(item);
                seen.accepted.push(receipt.is_ok());
                receipts.extend(receipt.ok().map(|receipt| (emitted, receipt)));
                emitted += 1;
                prop_assert!(plan.at == now);
                time.settle();
            }
            receipts.retain(|(x, receipt)| {
                seen.done[*x] = resolved(receipt).map(|good| (now, good));
                seen.done[*x].is_none()
            });
        }
        let state = world.0.lock().unwrap();
        seen.attempts.clone_from(&state.log);
        let snapshot = graph.snapshot().unwrap();
        seen.retried = snapshot.nodes.iter().map(|node| node.counts.retried).sum();
        prop_assert_eq!(&seen, &expected);
        prop_assert_eq!(snapshot.held(), 0);
        let failed = expected.done.iter().flatten().filter(|(_, good)| !good).count();
        prop_assert_eq!(snapshot.failed(), failed as u64);
        if let Some(list) = list {
            let mut good: Vec<usize> = (0..plans.len())
                .filter(|x| expected.done[*x].is_some_and(|(_, good)| good))
                .collect();
            let mut came = list.take();
            if let Order::Key(keys) = order {
                for key in 0..keys {
                    prop_assert!(came.iter().filter(|x| *x % keys == key).is_sorted());
                }
            }
            if order != Order::All {
                came.sort_unstable();
                good.sort_unstable();
            }
            prop_assert_eq!(came, good);
        }
        let made = state.made.iter().map(Vec::len).sum::<usize>();
        prop_assert_eq!(made, seen.attempts.len());
        prop_assert_eq!(*clones.lock().unwrap() as usize, if lent { 0 } else { made });
        for places in state.made.iter().filter(|_| lent) {
            prop_assert!(places.iter().all(|place| *place == places[0]));
        }
    }
}
