//! Random deeds of senders, drivers and consumers: all that was accepted comes, in order.

use std::sync::mpsc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use headwater::prelude::*;
use headwater::{Loss, SendError};
use proptest::prelude::*;

use super::{MS, by_hand};

/// What happens to the source, in any order.
#[derive(Clone, Debug)]
enum Op {
    Send(usize),
    /// As many, from another thread.
    SendElsewhere(usize),
    Flush,
    Advance(u64),
    Close,
    Undrive,
    Drive,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..40_usize).prop_map(Op::Send),
        3 => (1..40_usize).prop_map(Op::SendElsewhere),
        2 => Just(Op::Flush),
        8 => (0..3_000_u64).prop_map(Op::Advance),
        1 => Just(Op::Close),
        1 => Just(Op::Undrive),
        2 => Just(Op::Drive),
    ]
}

/// Another thread, always the same one.
struct Elsewhere {
    jobs: mpsc::Sender<Box<dyn FnOnce() -> u64 + Send>>,
    counts: mpsc::Receiver<u64>,
}

impl Elsewhere {
    fn new() -> Elsewhere {
        let (jobs, to_do) = mpsc::channel::<Box<dyn FnOnce() -> u64 + Send>>();
        let (done, counts) = mpsc::channel();
        std::thread::spawn(move || {
            to_do
                .iter()
                .map(|job| job())
                .try_for_each(|count| done.send(count))
        });
        Elsewhere { jobs, counts }
    }

    fn run(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        self.jobs.send(Box::new(job)).unwrap();
        self.counts.recv().unwrap()
    }
}

proptest! {
    #[test]
    fn whatever_happens_each_accepted_element_comes_once_in_order_and_in_its_window(
        ops in prop::collection::vec(op(), 1..60),
        capacity in 1..50_usize,
        age in 1..1_500_u64,
    ) {
        const WINDOW: u64 = 2_000;
        let age = Duration::from_micros(age);
        let graph = Graph::new();
        let mut time = Some(graph.drive_manually());
        let sharded = graph.sharded::<(bool, u64, Time)>(
            Shards::default().count(2).capacity(capacity).max_age(age),
        );
        let list = sharded.sink_to_list();
        let windows = sharded.timed_window(Duration::from_micros(WINDOW)).sink_to_list();
        let other = Elsewhere::new();
        let (mut sent, mut delivered) = ([0; 2], [0; 2]);
        let (mut open, mut in_graph) = (true, [0; 2]);
        for op in ops {
            let now = graph.snapshot().unwrap().at;
            prop_assert_eq!(sharded.now(), now);
            match &op {
                Op::Send(n) | Op::SendElsewhere(n) => {
                    let elsewhere = matches!(op, Op::SendElsewhere(_));
                    let first = sent[usize::from(elsewhere)];
                    let (closed, undriven) = (!open, time.is_none());
                    let (sharded, n) = (sharded.clone(), *n as u64);
                    let send = move || (first..first + n).take_while(|next| {
                        match sharded.send((elsewhere, *next, sharded.now())) {
                            Ok(()) => true,
                            Err(SendError::Closed(_)) if closed => false,
                            Err(SendError::Undriven(_)) if undriven => false,
                            Err(other) => panic!("{other}"),
                        }
                    }).count() as u64;
                    let count = match elsewhere {
                        true => other.run(send),
                        false => send(),
                    };
                    prop_assert_eq!(count, if closed || undriven { 0 } else { n });
                    sent[usize::from(elsewhere)] += count;
                }
                Op::Flush => sharded.flush().unwrap(),
                Op::Advance(micros) => {
                    let by = Duration::from_micros(*micros);
                    if let Some(time) = &time {
                        time.advance(by);
                        if by >= age {
                            in_graph = sent;
                        }
                    }
                }
                Op::Close => {
                    sharded.close();
                    open = false;
                }
                Op::Undrive => time = None,
                Op::Drive => {
                    if time.is_none() {
                        time = Some(graph.drive_manually());
                    }
                }
            }
            if matches!(op, Op::Flush | Op::Close) {
                in_graph = sent;
            }
            for (elsewhere, n, _) in list.take() {
                prop_assert_eq!(n, delivered[usize::from(elsewhere)]);
                delivered[usize::from(elsewhere)] += 1;
            }
            for at in 0..2 {
                prop_assert!(delivered[at] >= in_graph[at], "{:?}: {:?}", op, delivered);
                prop_assert!(delivered[at] <= sent[at]);
            }
            let held = graph.snapshot().unwrap().named("sharded").unwrap().counts.held;
            let (sent, delivered): (u64, u64) = (sent.iter().sum(), delivered.iter().sum());
            prop_assert_eq!(held, sent - delivered);
        }
        sharded.close();
        graph.close().unwrap();
        for (elsewhere, n, _) in list.take() {
            prop_assert_eq!(n, delivered[usize::from(elsewhere)]);
            delivered[usize::from(elsewhere)] += 1;
        }
        prop_assert_eq!(delivered, sent);
        // Each in a window that it may belong to, given the age that it may have there.
        let mut counted = 0;
        for window in windows.take() {
            let spans = |at: Time| {
                let at = at.as_nanos() / 1_000;
                let age = age.as_micros() as u64;
                at.saturating_sub(age) / WINDOW..=(at + age) / WINDOW
            };
            counted += window.len() as u64;
            let first = window.iter().map(|(.., at)| *spans(*at).start()).max().unwrap();
            let last = window.iter().map(|(.., at)| *spans(*at).end()).min().unwrap();
            prop_assert!(first <= last, "{:?}", window);
        }
        prop_assert_eq!(counted, sent.iter().sum::<u64>());
    }
}

/// What happens to a source whose consumer is slow.
#[derive(Clone, Debug)]
enum Slow {
    Send(u64),
    Take(usize),
    Flush,
    Advance(u64),
    Settle,
}

fn slow() -> impl Strategy<Value = Slow> {
    prop_oneof![
        6 => (1..100_u64).prop_map(Slow::Send),
        6 => (1..60_usize).prop_map(Slow::Take),
        1 => Just(Slow::Flush),
        3 => (0..3_000_u64).prop_map(Slow::Advance),
        2 => Just(Slow::Settle),
    ]
}

proptest! {
    #[test]
    fn whatever_a_slow_consumer_does_what_was_accepted_comes_in_order_and_the_rest_is_counted(
        ops in prop::collection::vec(slow(), 1..80),
        capacity in 1..300_usize,
        room in 1..300_usize,
        ends in prop::bool::ANY,
    ) {
        let (time, sharded) = by_hand::<u64>(Shards::default().capacity(capacity));
        let graph = sharded.graph();
        let mut stream = sharded.into_stream(room);
        let (mut next, mut refused) = (0, 0);
        let (mut accepted, mut came) = (Vec::new(), Vec::new());
        for op in ops {
            match op {
                Slow::Send(n) => for _ in 0..n {
                    match sharded.send_or_drop(next) {
                        true => accepted.push(next),
                        false => refused += 1,
                    }
                    next += 1;
                },
                Slow::Take(n) => for _ in 0..n {
                    came.extend(stream.next().now_or_never().flatten());
                },
                Slow::Flush => {
                    let full = match sharded.flush() {
                        Err(GraphError::Full(held)) => held,
                        other => {
                            other.unwrap();
                            0
                        }
                    };
                    let held = graph.snapshot().unwrap().named("sharded").unwrap().counts.held;
                    prop_assert_eq!(full as u64, held);
                }
                Slow::Advance(micros) => time.advance(Duration::from_micros(micros)),
                Slow::Settle => time.settle(),
            }
            let snapshot = graph.snapshot().unwrap();
            let counts = &snapshot.named("sharded").unwrap().counts;
            prop_assert_eq!(counts.lost(Loss::Overflow), refused);
            prop_assert_eq!(counts.passed + counts.held, accepted.len() as u64);
            prop_assert!(counts.held <= capacity as u64);
            prop_assert!(counts.passed <= (came.len() + room + 1) as u64);
        }
        if ends {
            sharded.close();
        } else {
            // Somebody comes for the rest by itself.
            while came.len() < accepted.len() {
                let before = came.len();
                time.advance(2 * MS);
                while let Some(Some(n)) = stream.next().now_or_never() {
                    came.push(n);
                }
                prop_assert!(came.len() > before, "{} of {}", before, accepted.len());
            }
            drop(sharded);
            time.settle();
        }
        while let Some(n) = stream.next().now_or_never() {
            time.settle();
            match n {
                Some(n) => came.push(n),
                None => break,
            }
        }
        prop_assert_eq!(came, accepted);
        prop_assert_eq!(graph.snapshot().unwrap().held(), 0);
    }
}
