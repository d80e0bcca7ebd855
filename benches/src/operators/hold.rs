//! An element waits: for the driver, for a time, or for a future.
//!
//! What waits for the driver or for a while comes in lumps, with a turn of the driver after each; where
//! time is told with each element, the elements lead the clock.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use futures::stream::{self, FuturesOrdered, Stream, StreamExt};
use headwater::prelude::*;
use headwater::{Retry, Speed};

use super::{LUMP, Out, awaited, by_hand, driven, end, led, lumps, pumped};
use crate::outbox::outbox;
use crate::steps::second;
use crate::workload::Workload;

/// Milliseconds between two lumps.
const STEP: u64 = 2;
const MILLI: Duration = Duration::from_millis(1);
const AT_ONCE: Duration = Duration::ZERO;
/// How long an element is delayed, in lumps.
const DELAYED: u64 = 5;
/// Milliseconds of a stretch of which one element goes on.
const STRETCH: u64 = 100;
/// Milliseconds between bursts of as many elements.
const BURST: u64 = 10;
const QUIET: u64 = BURST / 2;
/// Futures in flight.
const FLYING: usize = 64;
/// What silence says.
const SILENCE: u64 = u64::MAX;

/// This room's rows.
pub(super) fn rows() -> Vec<Workload> {
    let pair = Workload::pair;
    vec![
        pair(
            "buffer",
            |n| {
                by_hand(|out| {
                    let mut held = VecDeque::new();
                    for lump in lumps(n) {
                        held.extend(lump);
                        while let Some(x) = held.pop_front() {
                            out.put(x);
                        }
                    }
                })
            },
            |n| driven(n, AT_ONCE, |numbers| numbers.buffer(2 * LUMP as usize)),
        ),
        pair(
            "delay",
            |n| {
                by_hand(|out| {
                    let mut held = VecDeque::new();
                    for (now, lump) in (0..).step_by(STEP as usize).zip(lumps(n)) {
                        held.extend(lump.map(|x| (now + DELAYED * STEP, x)));
                        while let Some(&(due, x)) = held.front()
                            && due <= now + STEP
                        {
                            held.pop_front();
                            out.put(x);
                        }
                    }
                })
            },
            |n| {
                let by = Duration::from_millis(DELAYED * STEP);
                driven(n, Duration::from_millis(STEP), |numbers| numbers.delay(by))
            },
        ),
        pair("rate_limit", rate_limit, |n| {
            driven(n, Duration::from_millis(STEP), |numbers| {
                numbers.rate_limit(MILLI).at_most(LUMP as usize / 2)
            })
        }),
        pair(
            "throttle",
            |n| {
                by_hand(|out| {
                    let mut next = 0;
                    for x in 0..n {
                        if x >= next {
                            next = x + STRETCH;
                            out.put(x);
                        }
                    }
                })
            },
            |n| {
                led(
                    n,
                    |x| x,
                    |numbers| numbers.throttle(Duration::from_millis(STRETCH)),
                )
            },
        ),
        pair(
            "sample",
            |n| {
                by_hand(|out| {
                    let (mut newest, mut over) = (None, STRETCH);
                    for x in 0..n {
                        if x >= over {
                            newest.take().into_iter().for_each(|x: u64| out.put(x));
                            over = x - x % STRETCH + STRETCH;
                        }
                        newest = Some(x);
                    }
                })
            },
            |n| {
                led(
                    n,
                    |x| x,
                    |numbers| numbers.sample(Duration::from_millis(STRETCH)),
                )
            },
        ),
        pair(
            "debounce",
            |n| {
                by_hand(|out| {
                    let (mut newest, mut over) = (0, u64::MAX);
                    for x in 0..n {
                        if in_bursts(x) >= over {
                            out.put(newest);
                        }
                        (newest, over) = (x, in_bursts(x) + QUIET);
                    }
                })
            },
            |n| {
                led(n, in_bursts, |numbers| {
                    numbers.debounce(Duration::from_millis(QUIET))
                })
            },
        ),
        pair(
            "latest",
            |n| {
                by_hand(|out| {
                    for lump in lumps(n) {
                        let mut newest = None;
                        lump.for_each(|x| newest = Some(black_box(x)));
                        newest.into_iter().for_each(|x| out.put(x));
                    }
                })
            },
            |n| driven(n, AT_ONCE, |numbers| numbers.latest()),
        ),
        pair(
            "conflate",
            |n| {
                by_hand(|out| {
                    for lump in lumps(n) {
                        out.put(lump.reduce(merged).unwrap_or(0));
                    }
                })
            },
            |n| {
                driven(n, AT_ONCE, |numbers| {
                    numbers.conflate(|waiting, x| *waiting = merged(*waiting, x))
                })
            },
        ),
        pair(
            "on_idle",
            |n| {
                by_hand(|out| {
                    let mut over = u64::MAX;
                    for (now, lump) in (0..).step_by(STEP as usize).zip(lumps(n)) {
                        for x in lump {
                            over = now + 1;
                            out.put(x);
                        }
                        if over <= now + STEP {
                            out.put(SILENCE);
                        }
                    }
                })
            },
            |n| {
                driven(n, Duration::from_millis(STEP), |numbers| {
                    numbers.on_idle(MILLI, || SILENCE)
                })
            },
        ),
        pair(
            "pace, as fast as may be",
            |n| by_hand(|out| (0..n).for_each(|x| out.put(x))),
            |n| {
                pumped(0..n, |numbers| {
                    numbers.pace(|x| Time::from_millis(*x), Speed::Max)
                })
            },
        ),
        pair("map_async, FuturesOrdered", ordered, |n| {
            pumped(0..n, |numbers| numbers.map_async(FLYING, asked))
        }),
        pair(
            "retry, map_async",
            |n| pumped(0..n, |numbers| numbers.map_async(FLYING, asked)),
            |n| {
                pumped(0..n, |numbers| {
                    numbers
                        .try_map_async(FLYING, |x| async move { Ok(asked(x).await) })
                        .retry(Retry::attempts(3).fixed(MILLI))
                })
            },
        ),
        pair("flat_map_stream, flatten", flattened, |n| {
            pumped(0..n / LUMP, |numbers| numbers.flat_map_stream(1, inner))
        }),
        pair("switch_map, flatten", flattened, switched),
    ]
}

/// The milliseconds of elements that come in bursts, one in each millisecond of a burst.
fn in_bursts(x: u64) -> u64 {
    x + x / BURST * BURST
}

fn merged(waiting: u64, x: u64) -> u64 {
    waiting.rotate_left(1) ^ x
}

/// The question that is answered at once.
async fn asked(x: u64) -> u64 {
    second(x)
}

/// The stream that one element becomes.
fn inner(x: u64) -> impl Stream<Item = u64> + Send {
    stream::iter(x * LUMP..(x + 1) * LUMP)
}

fn ordered(n: u64) -> u64 {
    awaited(async |out| {
        let mut flying = FuturesOrdered::new();
        for x in 0..n {
            if flying.len() == FLYING
                && let Some(x) = flying.next().await
            {
                out.put(x);
            }
            flying.push_back(asked(x));
        }
        while let Some(x) = flying.next().await {
            out.put(x);
        }
    })
}

fn flattened(n: u64) -> u64 {
    awaited(async |out| {
        let mut all = stream::iter(0..n / LUMP).map(inner).flatten();
        while let Some(x) = all.next().await {
            out.put(x);
        }
    })
}

/// An element at a time, whose stream is over before the next one comes.
fn switched(n: u64) -> u64 {
    let (out, total) = outbox();
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source();
    end(source.switch_map(inner), out);
    for x in 0..n / LUMP {
        source.emit(x).expect("nothing fails");
        time.settle();
    }
    drop((time, source, graph));
    total.take()
}

/// Half a lump goes at once, the other half a millisecond later, when the first half is that old.
fn rate_limit(n: u64) -> u64 {
    by_hand(|out| {
        let (mut waiting, mut went) = (VecDeque::new(), VecDeque::new());
        let mut go = |now: u64, waiting: &mut VecDeque<u64>, out: &mut Out| {
            while !waiting.is_empty() {
                if went.len() as u64 == LUMP / 2 {
                    if went.front().is_some_and(|first| first + 1 > now) {
                        break;
                    }
                    went.pop_front();
                }
                went.push_back(now);
                waiting.pop_front().into_iter().for_each(|x| out.put(x));
            }
        };
        for (now, lump) in (0..).step_by(STEP as usize).zip(lumps(n)) {
            for x in lump {
                waiting.push_back(x);
                go(now, &mut waiting, out);
            }
            go(now + 1, &mut waiting, out);
        }
    })
}
