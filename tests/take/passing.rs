//! What passes, against the operators of `Iterator`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use headwater::BoxFlow;
use headwater::prelude::*;
use proptest::prelude::*;

use crate::cuts::emit_in;

type Cut = (
    &'static str,
    fn(BoxFlow<u64>, u64) -> BoxFlow<u64>,
    fn(Vec<u64>, u64) -> Vec<u64>,
);

const CUTS: [Cut; 8] = [
    (
        "take",
        |f, n| f.take(n).boxed(),
        |v, n| v.into_iter().take(n as usize).collect(),
    ),
    (
        "skip",
        |f, n| f.skip(n).boxed(),
        |v, n| v.into_iter().skip(n as usize).collect(),
    ),
    (
        "step_by",
        |f, n| f.step_by(n + 1).boxed(),
        |v, n| v.into_iter().step_by(n as usize + 1).collect(),
    ),
    (
        "take_while",
        |f, n| f.take_while(move |x| x % 17 != n).boxed(),
        |v, n| v.into_iter().take_while(|x| x % 17 != n).collect(),
    ),
    (
        "skip_while",
        |f, n| f.skip_while(move |x| x % 17 != n).boxed(),
        |v, n| v.into_iter().skip_while(|x| x % 17 != n).collect(),
    ),
    (
        "slice",
        |f, n| f.slice(n..2 * n).boxed(),
        |v, n| v.into_iter().skip(n as usize).take(n as usize).collect(),
    ),
    (
        "slice from",
        |f, n| f.slice(n..).step(n / 2 + 1).boxed(),
        |v, n| {
            v.into_iter()
                .skip(n as usize)
                .step_by(n as usize / 2 + 1)
                .collect()
        },
    ),
    (
        "slice through",
        |f, n| f.slice(2..=3 * n).step(n + 1).boxed(),
        |v, n| {
            let stretch = v.into_iter().take(3 * n as usize + 1).skip(2);
            stretch.step_by(n as usize + 1).collect()
        },
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cuts_let_pass_what_those_of_iterator_do_however_elements_come(
        items in prop::collection::vec(0..1000u64, 0..60),
        n in 0..20u64,
        cut in 0..CUTS.len(),
        then in 0..CUTS.len(),
        sizes in prop::collection::vec(0..20usize, 1..5),
        close in any::<bool>(),
    ) {
        let (name, first, naive_first) = CUTS[cut];
        let (_, second, naive_second) = CUTS[then];
        let graph = Graph::new();
        let source = graph.source::<u64>();
        // A run that ends in a closure loops at its head, others pass batches on.
        let fused = Arc::new(Mutex::new(Vec::new()));
        let slot = fused.clone();
        let before = Arc::new(AtomicUsize::new(0));
        let count = before.clone();
        let counted = source.inspect(move |_| { count.fetch_add(1, Ordering::Relaxed); }).boxed();
        first(counted, n).sink(move |x| slot.lock().unwrap().push(x));
        let list = first(source.into_run().boxed(), n).share().sink_to_list();
        let both = second(first(source.map(|x| x).boxed(), n).map(|x| x).boxed(), n).sink_to_list();
        let sums = first(source.into_run().boxed(), n).partition(3).sink_to_list();
        emit_in(&source, &items, &sizes);
        if close {
            source.close();
        }
        let expected = naive_first(items.clone(), n);
        prop_assert_eq!(&*fused.lock().unwrap(), &expected, "{}", name);
        prop_assert_eq!(list.take(), expected.clone(), "{}", name);
        prop_assert_eq!(both.take(), naive_second(expected.clone(), n));
        let mut groups: Vec<_> = expected.chunks(3).map(<[u64]>::to_vec).collect();
        let snapshot = graph.snapshot().unwrap();
        let ended = snapshot.named("partition").is_none_or(|n| n.counts.held == 0);
        if !ended {
            groups.pop();
        }
        prop_assert_eq!(sums.take(), groups, "{} {:?}", name, ended);
        prop_assert_eq!(snapshot.dropped(), 0);
        // In front, nothing beyond the end is seen where the end is known.
        if name == "take" {
            prop_assert_eq!(before.load(Ordering::Relaxed), items.len().min(n as usize));
        }
        if close {
            prop_assert!(graph.close().unwrap().complete);
        }
    }

    #[test]
    fn what_is_tracked_is_done_once_it_was_delivered_or_cut_off(
        count in 0..40u64,
        n in 0..20u64,
        cut in 0..CUTS.len(),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        let (_, operator, _) = CUTS[cut];
        let list = operator(source.buffer(64).boxed(), n).buffer(64).sink_to_list();
        let receipts: Vec<_> = (0..count).map(|x| source.emit_tracked(x).unwrap()).collect();
        time.settle();
        for receipt in receipts {
            prop_assert_eq!(receipt.outcome(), Some(Ok(())));
        }
        drop(list);
    }
}
