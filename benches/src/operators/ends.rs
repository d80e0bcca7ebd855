//! Where a run ends, or begins, by count or by what comes: in bulk.

use std::hint::black_box;

use headwater::prelude::*;

use super::{beside, bulk, by_hand, end, lumps, pumped};
use crate::outbox::outbox;
use crate::steps::running;
use crate::workload::Workload;

/// Elements that are left out in front.
const FIRST: u64 = 100;
/// Of so many elements one passes.
const STRIDE: u64 = 3;

/// This room's rows. No run ends before its elements do, so that each is looked at.
pub(super) fn rows() -> Vec<Workload> {
    let pair = Workload::pair;
    vec![
        pair(
            "take",
            |n| by_hand(|out| (0..n).take(n as usize + 1).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.take(n + 1)),
        ),
        pair(
            "skip",
            |n| by_hand(|out| (0..n).skip(FIRST as usize).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.skip(FIRST)),
        ),
        pair(
            "step_by",
            |n| by_hand(|out| (0..n).step_by(STRIDE as usize).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.step_by(STRIDE)),
        ),
        pair(
            "take_while",
            |n| {
                let limit = black_box(n);
                by_hand(|out| (0..n).take_while(|x| *x < limit).for_each(|x| out.put(x)))
            },
            |n| bulk(0..n, |numbers| numbers.take_while(move |x| *x < n)),
        ),
        pair(
            "skip_while",
            |n| by_hand(|out| (0..n).skip_while(is_first).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.skip_while(is_first)),
        ),
        pair(
            "slice",
            |n| {
                let sliced = |n| (FIRST..n).step_by(STRIDE as usize);
                by_hand(|out| sliced(n).for_each(|x| out.put(x)))
            },
            |n| bulk(0..n, |numbers| numbers.slice(FIRST..).step(STRIDE)),
        ),
        pair(
            "start_with",
            |n| by_hand(|out| [1, 2, 3].into_iter().chain(0..n).for_each(|x| out.put(x))),
            |n| bulk(0..n, |numbers| numbers.start_with([1, 2, 3])),
        ),
        pair(
            "chain",
            |n| by_hand(|out| (0..n / 2).chain(0..n / 2).for_each(|x| out.put(x))),
            chain,
        ),
        pair(
            "fold",
            |n| by_hand(|out| out.put((0..n).map(black_box).fold(0, running))),
            |n| pumped(0..n, |numbers| numbers.map(black_box).fold(0, running)),
        ),
        pair(
            "collect_until",
            |n| {
                by_hand(|out| {
                    let mut held = Vec::new();
                    for lump in lumps(n) {
                        out.put(std::mem::take(&mut held));
                        held.extend(lump);
                    }
                })
            },
            |n| beside(n, |many, few| many.collect_until(few)),
        ),
    ]
}

fn is_first(x: &u64) -> bool {
    *x < FIRST
}

fn chain(n: u64) -> u64 {
    let (out, total) = outbox();
    let graph = Graph::new();
    let (left, right) = (graph.source(), graph.source());
    end(left.chain(&right), out);
    left.emit_all(0..n / 2).expect("nothing fails");
    left.close();
    right.emit_all(0..n / 2).expect("nothing fails");
    drop((left, right, graph));
    total.take()
}
