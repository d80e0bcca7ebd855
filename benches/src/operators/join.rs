//! Several flows become one. By hand both come from one loop, but for the zip: there each element is a
//! call of its own, as it is from two threads.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use headwater::literal;
use headwater::prelude::*;

use super::{Digest, Out, beside, bulk, by_hand, lumps, two_sourced};
use crate::workload::Workload;

/// The same in each row.
const LABEL: u64 = 7;

/// This room's rows.
pub(super) fn rows() -> Vec<Workload> {
    let pair = Workload::pair;
    vec![
        pair("zip, one by one", zip_by_hand, zip),
        pair(
            "zip with a literal",
            |n| by_hand(|out| (0..n).for_each(|x| out.put((LABEL, x)))),
            |n| bulk(0..n, |numbers| headwater::zip((literal(LABEL), numbers))),
        ),
        pair(
            "zip_latest",
            |n| {
                by_hand(|out| {
                    for lump in lumps(n) {
                        let latest = !lump.start;
                        lump.for_each(|x| out.put((x, latest)));
                    }
                })
            },
            |n| beside(n, |many, few| many.zip_latest(few)),
        ),
        pair(
            "with_latest",
            |n| {
                by_hand(|out| {
                    for lump in lumps(n) {
                        let latest = !lump.start;
                        lump.for_each(|x| out.put(x ^ latest));
                    }
                })
            },
            |n| {
                beside(n, |many, few| {
                    many.with_latest(few, 0, |x, latest| x ^ latest)
                })
            },
        ),
        pair("combine_latest", combine_latest, |n| {
            by_turns(n, |left, right| left.combine_latest(right))
        }),
        pair(
            "union",
            |n| {
                by_hand(|out| {
                    for (left, right) in turns(n) {
                        left.for_each(|x| out.put(x));
                        right.for_each(|x| out.put(x));
                    }
                })
            },
            |n| by_turns(n, |left, right| left.union(right)),
        ),
    ]
}

/// `0..n` by turns: a lump for the one source, and one for the other.
fn turns(n: u64) -> impl Iterator<Item = (Range<u64>, Range<u64>)> {
    let mut lumps = lumps(n);
    std::iter::from_fn(move || Some((lumps.next()?, lumps.next()?)))
}

/// Emits into both sources by turns.
fn by_turns<F>(n: u64, flow: impl FnOnce(&Source<u64>, &Source<u64>) -> F) -> u64
where
    F: Flow<Item: Digest>,
{
    let (left, right, total) = two_sourced(flow);
    for (of_left, of_right) in turns(n) {
        left.emit_all(of_left).expect("nothing fails");
        right.emit_all(of_right).expect("nothing fails");
    }
    drop((left, right));
    total.take()
}

fn combine_latest(n: u64) -> u64 {
    by_hand(|out| {
        let (mut newest_left, mut newest_right) = (None, None);
        for (left, right) in turns(n) {
            for x in left {
                newest_left = Some(x);
                if let Some(right) = newest_right {
                    out.put((x, right));
                }
            }
            for x in right {
                newest_right = Some(x);
                if let Some(left) = newest_left {
                    out.put((left, x));
                }
            }
        }
    })
}

/// What two threads would share.
#[derive(Default)]
struct Zip {
    left: VecDeque<u64>,
    right: VecDeque<u64>,
    out: Out,
}

impl Zip {
    fn pair(&mut self) {
        while !self.left.is_empty() && !self.right.is_empty() {
            if let (Some(left), Some(right)) = (self.left.pop_front(), self.right.pop_front()) {
                self.out.put((left, right));
            }
        }
    }
}

fn zip_by_hand(n: u64) -> u64 {
    let shared = Mutex::new(Zip::default());
    for x in 0..n {
        let mut zip = shared.lock().unwrap_or_else(PoisonError::into_inner);
        zip.left.push_back(x);
        zip.pair();
        drop(zip);
        let mut zip = shared.lock().unwrap_or_else(PoisonError::into_inner);
        zip.right.push_back(!x);
        zip.pair();
    }
    let zip = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    zip.out.0
}

fn zip(n: u64) -> u64 {
    let (left, right, total) = two_sourced(|left, right| left.zip(right));
    for x in 0..n {
        left.emit(x).expect("nothing fails");
        right.emit(!x).expect("nothing fails");
    }
    drop((left, right));
    total.take()
}
