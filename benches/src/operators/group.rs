//! Many elements become one. Where time matters the elements lead the clock.

use std::collections::VecDeque;
use std::time::Duration;

use headwater::prelude::*;
use rustc_hash::FxHashSet;

use super::{bulk, by_hand, led};
use crate::workload::Workload;

/// Elements in a window, and its milliseconds where each brings one.
const WIDTH: u64 = 100;
const LENGTH: Duration = Duration::from_millis(WIDTH);
/// Elements in a session, and the milliseconds of the pause after it.
const BURST: u64 = 10;
const PAUSE: u64 = 10;
const GAP: Duration = Duration::from_millis(PAUSE / 2);
/// Elements in a window that each of them copies.
const COPIED: usize = 10;

/// This room's rows.
pub(super) fn rows() -> Vec<Workload> {
    let pair = Workload::pair;
    vec![
        pair("partition_unique", partition_unique, |n| {
            bulk(0..n, |numbers| {
                numbers.partition_unique(WIDTH as usize, |x| key(*x))
            })
        }),
        pair(
            "fold_partition",
            |n| {
                by_hand(|out| {
                    let (mut sum, mut came) = (0, 0);
                    for x in 0..n {
                        (sum, came) = (sum + x, came + 1);
                        if came == WIDTH {
                            out.put(sum);
                            (sum, came) = (0, 0);
                        }
                    }
                })
            },
            |n| bulk(0..n, |numbers| numbers.fold_partition(WIDTH as usize, Sum)),
        ),
        pair(
            "sliding_window",
            |n| {
                by_hand(|out| {
                    let mut last = VecDeque::with_capacity(COPIED);
                    for x in 0..n {
                        if last.len() == COPIED {
                            last.pop_front();
                        }
                        last.push_back(x);
                        out.put(last.iter().copied().collect::<Vec<u64>>());
                    }
                })
            },
            |n| bulk(0..n, |numbers| numbers.sliding_window(COPIED)),
        ),
        pair(
            "timed_window",
            |n| {
                by_hand(|out| {
                    let (mut window, mut ends) = (Vec::new(), WIDTH);
                    for x in 0..n {
                        if x >= ends {
                            out.put(std::mem::take(&mut window));
                            ends = x - x % WIDTH + WIDTH;
                        }
                        window.push(x);
                    }
                })
            },
            |n| led(n, at_once, |numbers| numbers.timed_window(LENGTH)),
        ),
        pair("timed_window_unique", timed_window_unique, |n| {
            led(n, at_once, |numbers| {
                numbers.timed_window_unique(LENGTH, |x| key(*x))
            })
        }),
        pair(
            "fold_window",
            |n| {
                by_hand(|out| {
                    let (mut sum, mut ends) = (0, WIDTH);
                    for x in 0..n {
                        if x >= ends {
                            out.put(std::mem::take(&mut sum));
                            ends = x - x % WIDTH + WIDTH;
                        }
                        sum += x;
                    }
                })
            },
            |n| led(n, at_once, |numbers| numbers.fold_window(LENGTH, Sum)),
        ),
        pair(
            "session",
            |n| {
                by_hand(|out| {
                    let (mut session, mut over) = (Vec::new(), u64::MAX);
                    for x in 0..n {
                        if in_bursts(x) >= over {
                            out.put(std::mem::take(&mut session));
                        }
                        session.push(x);
                        over = in_bursts(x) + GAP.as_millis() as u64;
                    }
                })
            },
            |n| led(n, in_bursts, |numbers| numbers.session(GAP)),
        ),
        pair(
            "rolling_time",
            |n| {
                by_hand(|out| {
                    let (mut held, mut sum) = (VecDeque::new(), 0);
                    for x in 0..n {
                        while let Some(oldest) = held.front()
                            && oldest + WIDTH <= x
                        {
                            sum -= oldest;
                            held.pop_front();
                        }
                        held.push_back(x);
                        sum += x;
                        out.put(sum);
                    }
                })
            },
            |n| led(n, at_once, |numbers| numbers.rolling_time(LENGTH, Sum)),
        ),
    ]
}

/// An element a millisecond.
fn at_once(x: u64) -> u64 {
    x
}

/// The milliseconds of elements that come in bursts, one in each millisecond of a burst.
fn in_bursts(x: u64) -> u64 {
    x + x / BURST * PAUSE
}

/// Each key twice in a row.
fn key(x: u64) -> u64 {
    x / 2
}

fn partition_unique(n: u64) -> u64 {
    by_hand(|out| {
        let (mut keys, mut batch) = (FxHashSet::default(), Vec::new());
        for x in 0..n {
            if keys.insert(key(x)) {
                batch.push(x);
                if batch.len() as u64 == WIDTH {
                    keys.clear();
                    out.put(std::mem::take(&mut batch));
                }
            }
        }
    })
}

fn timed_window_unique(n: u64) -> u64 {
    by_hand(|out| {
        let (mut keys, mut window, mut ends) = (FxHashSet::default(), Vec::new(), WIDTH);
        for x in 0..n {
            if x >= ends {
                keys.clear();
                out.put(std::mem::take(&mut window));
                ends = x - x % WIDTH + WIDTH;
            }
            if keys.insert(key(x)) {
                window.push(x);
            }
        }
    })
}
