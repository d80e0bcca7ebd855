//! Who moves the clock.

use std::time::Duration;

use futures::executor::block_on;
use headwater::Speed;
use headwater::prelude::*;
use proptest::prelude::*;

use super::{BoxedFlow, Timed, acts, caught, even, play};
use crate::words::ms;

#[test]
fn what_holds_an_element_for_a_time_says_that_it_needs_a_driver() {
    let source = Source::<u32>::new();
    source.delay(ms(1)).sink(drop);
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
    let source = Source::<u32>::new();
    source.latest().sink(drop);
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
}

/// Data that lead the clock bring the time along, and with the last of them it runs out.
#[test]
fn where_the_data_lead_the_clock_nobody_need_drive_and_a_close_lets_all_go() {
    let source = Source::<u64>::new();
    source.lead_clock(|x| Time::from_millis(*x));
    let delayed = source.delay(ms(100)).sink_to_list();
    let limited = source.rate_limit(ms(300)).sink_to_list();
    let paced = source.pace(|x| Time::from_millis(*x), 1.0).sink_to_list();
    let slow = source.pace(|x| Time::from_millis(*x), 0.5).sink_to_list();
    let bounced = source.debounce(ms(60)).sink_to_list();
    let idle = source.on_idle(ms(90), || 9999).sink_to_list();
    source.emit_all([1000, 1050, 1100, 1200, 5000]).unwrap();
    assert_eq!(delayed.get(), [1000, 1050, 1100, 1200]);
    assert_eq!(limited.get(), [1000, 1050, 1100, 1200, 5000]);
    assert_eq!(paced.get(), [1000, 1050, 1100, 1200, 5000]);
    assert_eq!(slow.get(), [1000, 1050, 1100, 1200]);
    assert_eq!(bounced.get(), [1100, 1200]);
    assert_eq!(idle.take(), [1000, 1050, 1100, 9999, 1200, 9999, 5000]);
    source.close();
    for list in [delayed, limited, paced, slow] {
        assert_eq!(list.take(), [1000, 1050, 1100, 1200, 5000]);
    }
    assert_eq!(bounced.take(), [1100, 1200, 5000]);
    assert!(idle.is_empty());
    assert!(block_on(source.graph().shutdown()).unwrap().complete);
}

#[test]
fn run_goes_on_until_what_waits_for_its_time_has_gone() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let list = graph
        .from_iter(0..4u32)
        .try_map(even)
        .delay(ms(20))
        .rate_limit(ms(5))
        .catch(caught)
        .sink_to_list();
    let start = std::time::Instant::now();
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 1001, 2, 1003]);
    assert!(start.elapsed() >= ms(25));
}

#[test]
fn a_recording_that_leads_the_clock_is_delayed_in_its_own_time() {
    let graph = Graph::new();
    let list = graph
        .from_iter([0u64, 3_600_000, 7_200_000])
        .lead_clock(|x| Time::from_millis(*x))
        .delay(Duration::from_secs(60))
        .sink_to_list();
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 3_600_000, 7_200_000]);
}

#[test]
fn as_fast_as_the_machine_is_at_once() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    let list = source
        .pace(|x| Time::from_millis(*x), Speed::Max)
        .sink_to_list();
    source.emit_all([0, 3_600_000, 5, 7_200_000]).unwrap();
    assert_eq!(list.take(), [0, 3_600_000, 5, 7_200_000]);
}

#[test]
fn a_replay_does_not_drift_and_takes_distances_of_any_length() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let list = graph
        .from_iter(0..1000u64)
        .pace(|x| Time::from_nanos(x * 1_000_000), 3.0)
        .sink_to_list();
    time.advance(Duration::from_nanos(332_999_999));
    assert_eq!(list.len(), 999);
    time.advance(Duration::from_nanos(1));
    assert_eq!(list.len(), 1000);

    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let list = source.pace(|x| Time::from_nanos(*x), 1e-300).sink_to_list();
    source.emit_all([0, u64::MAX]).unwrap();
    time.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(list.take(), [0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Live, by a driver's clock, or replayed, by the data's own: the same comes out.
    #[test]
    fn it_is_the_same_whoever_moves_the_clock(
        acts in acts(),
        d in 1u64..40,
        which in 0usize..6,
        in_batches in any::<bool>(),
    ) {
        let build = move |flow: BoxedFlow| match which {
            0 => flow.delay(ms(d)).sink_to_list(),
            1 => flow.rate_limit(ms(d)).at_most(2).sink_to_list(),
            2 => flow.throttle(ms(d)).sink_to_list(),
            3 => flow.sample(ms(d)).sink_to_list(),
            4 => flow.debounce(ms(d)).sink_to_list(),
            _ => flow.pace(|x| Time::from_millis(u64::from(x / 2) * 9), 1.0).sink_to_list(),
        };
        let played = play(&acts, build);
        let source = Source::<Timed<u32>>::new();
        source.lead_clock(|(at, _)| Time::from_millis(*at));
        let list = build(source.map(|(_, x)| x).boxed());
        if in_batches {
            source.emit_all(played.items()).unwrap();
        } else {
            played.items().into_iter().for_each(|item| source.emit(item).unwrap());
        }
        source.close();
        let came: Vec<_> = played.came.iter().map(|(_, x)| *x).collect();
        prop_assert_eq!(list.take(), came);
    }
}

#[tokio::test(start_paused = true)]
async fn on_tokios_clock_a_replay_takes_as_long_as_the_recording() {
    let graph = Graph::new();
    let start = tokio::time::Instant::now();
    let list = graph
        .from_iter([0u64, 60, 3600])
        .pace(|x| Time::from(Duration::from_secs(*x)), 2.0)
        .map(move |x| (x, start.elapsed().as_secs()))
        .sink_to_list();
    graph.spawn().await.unwrap();
    assert_eq!(list.take(), [(0, 0), (60, 30), (3600, 1800)]);
}
