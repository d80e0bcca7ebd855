//! An element in, none or some out, at once: in bulk.

use std::collections::VecDeque;

use headwater::prelude::*;

use super::{bulk, by_hand, end};
use crate::outbox::outbox;
use crate::steps::{first, keep, running, second};
use crate::workload::Workload;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Elements that `unique_by` compares with: without hashes each is looked at.
const HISTORY: usize = 16;

/// This room's rows.
pub(super) fn rows() -> Vec<Workload> {
    let pair = Workload::pair;
    vec![
        pair(
            "starmap",
            |n| by_hand(|out| (0..n).for_each(|x| out.put(both(x, first(x))))),
            |n| bulk((0..n).map(|x| (x, first(x))), |pairs| pairs.starmap(both)),
        ),
        pair(
            "remove",
            |n| by_hand(|out| (0..n).filter(|x| !keep(x)).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.remove(keep)),
        ),
        pair(
            "filter_map",
            |n| by_hand(|out| (0..n).filter_map(halved).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.filter_map(halved)),
        ),
        pair(
            "dedup",
            |n| {
                by_hand(|out| {
                    let mut last = None;
                    for x in (0..n).map(quarter) {
                        if last.replace(x) != Some(x) {
                            out.put(x);
                        }
                    }
                })
            },
            |n| bulk((0..n).map(quarter), |numbers| numbers.dedup()),
        ),
        pair(
            "dedup_by_key",
            |n| {
                by_hand(|out| {
                    let mut last = None;
                    for x in 0..n {
                        if last.replace(quarter(x)) != Some(quarter(x)) {
                            out.put(x);
                        }
                    }
                })
            },
            |n| bulk(0..n, |numbers| numbers.dedup_by_key(|x| quarter(*x))),
        ),
        pair("unique_by", unique_by_hand, |n| {
            bulk((0..n).map(of_few), |numbers| {
                numbers.unique_by(|a, b| a == b).history(HISTORY)
            })
        }),
        pair(
            "pairwise",
            |n| {
                by_hand(|out| {
                    let mut last = None;
                    for x in 0..n {
                        if let Some(last) = last.replace(x) {
                            out.put((last, x));
                        }
                    }
                })
            },
            |n| bulk(0..n, |numbers| numbers.pairwise()),
        ),
        pair(
            "accumulate",
            |n| {
                by_hand(|out| {
                    let mut sum = 0;
                    for x in 0..n {
                        sum = running(sum, x);
                        out.put(sum);
                    }
                })
            },
            |n| bulk(0..n, |numbers| numbers.accumulate(0, running)),
        ),
        pair(
            "accumulate_from_first",
            |n| {
                by_hand(|out| {
                    let mut sum = None;
                    for x in 0..n {
                        let new = sum.map_or(x, |sum| running(sum, x));
                        sum = Some(new);
                        out.put(new);
                    }
                })
            },
            |n| bulk(0..n, |numbers| numbers.accumulate_from_first(running)),
        ),
        pair(
            "map_with_state, with_state",
            |n| {
                by_hand(|out| {
                    let mut sum = 0;
                    for x in 0..n {
                        let told = add_up(&mut sum, x);
                        out.put((sum, told));
                    }
                })
            },
            |n| {
                bulk(0..n, |numbers| {
                    numbers.map_with_state(0, add_up).with_state()
                })
            },
        ),
        pair(
            "pluck",
            |n| by_hand(|out| (0..n).map(row).for_each(|row| out.put(row[1]))),
            |n| bulk((0..n).map(row), |rows| rows.pluck(1)),
        ),
        pair("split", split_by_hand, split),
        pair(
            "flat_map",
            |n| by_hand(|out| (0..n / 4).flat_map(row).for_each(|x| out.put(x))),
            |n| bulk(0..n / 4, |numbers| numbers.flat_map(row)),
        ),
        pair(
            "flatten",
            |n| by_hand(|out| (0..n / 4).flat_map(row).for_each(|x| out.put(x))),
            |n| bulk((0..n / 4).map(row), |rows| rows.flatten()),
        ),
        pair(
            "try_flat_map",
            |n| {
                by_hand(|out| {
                    for x in 0..n / 4 {
                        let row = never(row(x)).expect("nothing fails");
                        row.into_iter().for_each(|x| out.put(x));
                    }
                })
            },
            |n| bulk(0..n / 4, |numbers| numbers.try_flat_map(|x| never(row(x)))),
        ),
        pair(
            "try_map",
            |n| {
                by_hand(|out| {
                    (0..n).for_each(|x| out.put(never(second(x)).expect("nothing fails")))
                })
            },
            |n| bulk(0..n, |numbers| numbers.try_map(|x| never(second(x)))),
        ),
        pair(
            "try_map, catch",
            |n| by_hand(|out| (0..n).for_each(|x| out.put(at_times(x).unwrap_or(0)))),
            |n| bulk(0..n, |numbers| numbers.try_map(at_times).catch(|_| Some(0))),
        ),
    ]
}

fn both(a: u64, b: u64) -> u64 {
    a ^ second(b)
}

fn halved(x: u64) -> Option<u64> {
    keep(&x).then_some(x / 2)
}

fn quarter(x: u64) -> u64 {
    x / 4
}

fn add_up(sum: &mut u64, x: u64) -> u64 {
    *sum = running(*sum, x);
    second(x)
}

fn row(x: u64) -> [u64; 4] {
    [x, first(x), second(x), !x]
}

/// May fail, as far as a compiler can tell.
#[inline]
fn never<T>(x: T) -> Fallible<T> {
    if std::hint::black_box(false) {
        return Err("it did".into());
    }
    Ok(x)
}

/// Fails for one element in a thousand.
#[inline]
fn at_times(x: u64) -> Fallible<u64> {
    if x % 1000 == 999 {
        return Err("a thousand".into());
    }
    Ok(second(x))
}

/// Each number thrice, of more than are remembered: one in three is new after a look at all of them.
fn of_few(x: u64) -> u64 {
    x / 3 % (2 * HISTORY as u64)
}

fn unique_by_hand(n: u64) -> u64 {
    by_hand(|out| {
        let mut seen = VecDeque::with_capacity(HISTORY);
        for x in (0..n).map(of_few) {
            let known = seen.iter().position(|seen| *seen == x);
            match known {
                Some(at) => seen.remove(at),
                None if seen.len() == HISTORY => seen.pop_back(),
                None => None,
            };
            seen.push_front(x);
            if known.is_none() {
                out.put(x);
            }
        }
    })
}

fn split_by_hand(n: u64) -> u64 {
    let mut rest = 0;
    let those = by_hand(|those| {
        rest = by_hand(|rest| {
            for x in 0..n {
                if keep(&x) {
                    those.put(x);
                } else {
                    rest.put(x);
                }
            }
        });
    });
    those ^ rest
}

fn split(n: u64) -> u64 {
    let (of_those, those) = outbox();
    let (of_rest, rest) = outbox();
    let source = Source::<u64>::new();
    let (flow, other) = source.split(keep);
    end(flow, of_those);
    end(other, of_rest);
    source.emit_all(0..n).expect("nothing fails");
    drop(source);
    those.take() ^ rest.take()
}
