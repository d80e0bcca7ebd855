//! What comes out, and when, against naive oracles.

use headwater::Lost;
use headwater::prelude::*;
use proptest::prelude::*;

use super::{Act, Played, Timed, acts, caught, play};
use crate::words::ms;

/// Each receipt says whether its element is in what came.
fn check_outcomes<O>(played: &Played<O>, kept: impl Fn(u32) -> bool) -> Result<(), TestCaseError> {
    for (x, outcome) in &played.outcomes {
        let expected = if kept(*x) {
            Ok(())
        } else {
            Err(Lost::Discarded)
        };
        prop_assert_eq!(*outcome, expected, "of {}", x);
    }
    Ok(())
}

/// What a lossy operator lets through, and the check of everything around it.
fn check_lossy(played: &Played<u32>, kept: &[Timed<u32>]) -> Result<(), TestCaseError> {
    prop_assert_eq!(&played.came, kept);
    let lost = played.items().len() - kept.len();
    prop_assert_eq!(played.dropped, lost as u64);
    check_outcomes(played, |x| kept.iter().any(|(_, k)| *k == x))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Failures take as long as elements.
    #[test]
    fn delay_lets_everything_come_later_by_the_same_time(acts in acts(), by in 1u64..40) {
        let played = play(&acts, |flow| flow.delay(ms(by)).catch(caught).sink_to_list());
        let expected: Vec<_> = played
            .given
            .iter()
            .map(|(at, x)| (at + by, x.unwrap_or_else(|x| x + 1000)))
            .collect();
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }

    /// Failures wait for those in front of them, and take no slot.
    #[test]
    fn rate_limit_lets_each_go_as_soon_as_the_rate_allows(
        acts in acts(),
        within in 1u64..40,
        n in 1usize..4,
    ) {
        let played = play(&acts, |flow| {
            flow.rate_limit(ms(within)).at_most(n).catch(caught).sink_to_list()
        });
        let (mut last, mut went, mut expected) = (0, Vec::<u64>::new(), Vec::new());
        for (at, x) in &played.given {
            let mut goes = last.max(*at);
            if x.is_ok() {
                if let Some(first) = went.len().checked_sub(n).map(|i| went[i]) {
                    goes = goes.max(first + within);
                }
                went.push(goes);
            }
            last = goes;
            expected.push((goes, x.unwrap_or_else(|x| x + 1000)));
        }
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }

    #[test]
    fn throttle_lets_the_first_pass_and_drops_the_others(acts in acts(), within in 1u64..40) {
        let played = play(&acts, |flow| flow.throttle(ms(within)).sink_to_list());
        let (mut open, mut expected) = (0, Vec::new());
        for (at, x) in played.items() {
            if at >= open {
                expected.push((at, x));
                open = at + within;
            }
        }
        check_lossy(&played, &expected)?;
    }

    #[test]
    fn sample_lets_the_newest_of_each_stretch_go(acts in acts(), every in 1u64..40) {
        let played = play(&acts, |flow| flow.sample(ms(every)).sink_to_list());
        let items = played.items();
        let expected: Vec<_> = items
            .chunk_by(|a, b| a.0 / every == b.0 / every)
            .map(|stretch| stretch[stretch.len() - 1])
            .map(|(at, x)| (((at / every + 1) * every).min(played.closed_at), x))
            .collect();
        check_lossy(&played, &expected)?;
    }

    #[test]
    fn debounce_lets_the_last_before_a_pause_go(acts in acts(), pause in 1u64..40) {
        let played = play(&acts, |flow| flow.debounce(ms(pause)).sink_to_list());
        let items = played.items();
        let expected: Vec<_> = items
            .iter()
            .enumerate()
            .filter(|(i, (at, _))| items.get(i + 1).is_none_or(|next| next.0 >= at + pause))
            .map(|(_, (at, x))| ((at + pause).min(played.closed_at), *x))
            .collect();
        check_lossy(&played, &expected)?;
    }

    /// The driver comes by when time is moved or settled; between that, one element waits.
    #[test]
    fn latest_lets_the_newest_go_with_each_turn_of_the_driver(acts in acts()) {
        let played = play(&acts, |flow| flow.latest().sink_to_list());
        let expected = turns(&acts).into_iter().map(|(at, xs)| (at, xs[xs.len() - 1]));
        check_lossy(&played, &expected.collect::<Vec<_>>())?;
    }

    #[test]
    fn conflate_merges_what_comes_between_two_turns_of_the_driver(acts in acts()) {
        let played = play(&acts, |flow| {
            flow.map(|x| vec![x]).conflate(|waiting, mut more| waiting.append(&mut more)).sink_to_list()
        });
        prop_assert_eq!(&played.came, &turns(&acts));
        prop_assert_eq!(played.dropped, 0);
        check_outcomes(&played, |_| true)?;
    }

    /// Once in each stretch; the first begins with the driver's first turn.
    #[test]
    fn on_idle_speaks_up_once_in_each_stretch(acts in acts(), quiet in 1u64..40) {
        let played = play(&acts, |flow| {
            flow.on_idle(ms(quiet), || 9999).map(|x| x).sink_to_list()
        });
        let mut expected = Vec::new();
        let mut idle_from = acts
            .iter()
            .any(|act| matches!(act, Act::Settle | Act::Advance(_)))
            .then_some(quiet);
        for (at, x) in played.items() {
            if let Some(idle) = idle_from.filter(|idle| *idle <= at) {
                expected.push((idle, 9999));
            }
            expected.push((at, x));
            idle_from = Some(at + quiet);
        }
        if let Some(idle) = idle_from.filter(|idle| *idle <= played.closed_at) {
            expected.push((idle, 9999));
        }
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }

    /// Distances to the latest timestamp so far, divided by the speed, long ones cut.
    #[test]
    fn pace_keeps_the_distances_of_the_timestamps(
        acts in acts(),
        stamps in prop::collection::vec(0u64..500, 500),
        speed in prop_oneof![Just(0.5), Just(1.0), Just(4.0)],
        pause in prop::option::of(1u64..100),
    ) {
        let stamped = stamps.clone();
        let played = play(&acts, move |flow| {
            let paced = flow.pace(move |x| Time::from_millis(stamped[*x as usize]), speed);
            match pause {
                Some(pause) => paced.max_pause(ms(pause)).sink_to_list(),
                None => paced.sink_to_list(),
            }
        });
        let (mut last, mut latest, mut recorded) = (0, None, 0u64);
        let mut start = 0;
        let mut expected = Vec::new();
        for (at, x) in played.items() {
            let stamp = stamps[x as usize];
            match &mut latest {
                None => (latest, start) = (Some(stamp), at),
                Some(latest) => {
                    recorded += stamp.saturating_sub(*latest).min(pause.unwrap_or(u64::MAX));
                    *latest = stamp.max(*latest);
                }
            }
            // The clock is moved in whole milliseconds.
            let due = start + (recorded as f64 / speed).ceil() as u64;
            last = due.max(at).max(last);
            expected.push((last, x));
        }
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }
}

/// What comes between any two turns of the driver, with the time of the later one. A step of time
/// first lets the driver come by.
fn turns(acts: &[Act]) -> Vec<Timed<Vec<u32>>> {
    let (mut now, mut next, mut waiting, mut out) = (0, 0, Vec::new(), Vec::new());
    let mut turn = |at: u64, waiting: &mut Vec<u32>| {
        if !waiting.is_empty() {
            out.push((at, std::mem::take(waiting)));
        }
    };
    for act in acts {
        match act {
            Act::Emit => {
                waiting.push(next);
                next += 1;
            }
            Act::EmitAll(n) => {
                waiting.extend(next..next + u32::from(*n));
                next += u32::from(*n);
            }
            Act::Fail => next += 1,
            Act::Advance(by) => {
                // It settles before it moves, and the list is looked at after.
                turn(now + 1, &mut waiting);
                now += u64::from(*by);
            }
            Act::Settle => turn(now, &mut waiting),
        }
    }
    turn(now, &mut waiting);
    out
}
