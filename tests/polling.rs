//! Polling streams: each point once, however often polls overlap, whatever comes late, fails or jumps.
//! Time is virtual.

mod world;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use headwater::prelude::*;
use headwater::timeseries::{
    Cursor, CursorError, CursorFile, Fetched, MetricsStream, Order, Point, PollClock, PollControl,
    PollError, PollState, PollStats, Polled, Polling, PollingError, Range, Store, StoreError,
};
use headwater::{BoxError, Graph, Retry};
use world::{HOUR, MINUTE, NOON, SECOND, World, ready, secs, unix, until};

type Tested = Result<(), BoxError>;

fn polling(world: &World) -> Polling<World> {
    world::polling(world, world.clone())
}

fn point(seconds: i64, value: impl Into<headwater::timeseries::PointValue>) -> Point {
    Point::new("m", NOON + seconds * SECOND, value)
}

/// Seconds after noon, and whether it is late.
async fn come(stream: &mut MetricsStream) -> Vec<(i64, bool)> {
    let polled = ready(stream).await;
    let brief = |p: &Polled| ((p.point().millis() - NOON) / SECOND, p.is_late());
    polled.iter().map(brief).collect()
}

#[tokio::test(start_paused = true)]
async fn each_point_is_emitted_once_although_polls_overlap() -> Tested {
    let world = World::new();
    for second in -30..=0 {
        world.put(point(second, second));
    }
    let mut stream = polling(&world).start()?;
    let control = stream.control();
    let first = come(&mut stream).await;
    assert_eq!(first, (-30..=0).map(|s| (s, false)).collect::<Vec<_>>());
    world.put(point(5, 5));
    world.until(NOON + 10_500).await;
    assert_eq!(come(&mut stream).await, [(5, false)]);
    world.until(NOON + 30_500).await;
    assert_eq!(come(&mut stream).await, []);
    let stats = control.stats();
    assert_eq!((stats.polls, stats.requests, stats.emitted), (4, 4, 32));
    assert_eq!(stats.received, stats.emitted + stats.repeated);
    assert_eq!(stats.remembered, 32);
    assert_eq!(stats.horizon, Some(NOON + 5000 - MINUTE));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_unruly_is_the_same() -> Tested {
    let world = World::new();
    world.script().unruly = true;
    for second in -30..=0 {
        world.put(point(second, second));
    }
    let mut stream = polling(&world).start()?;
    let first = come(&mut stream).await;
    assert_eq!(first, (-30..=0).map(|s| (s, false)).collect::<Vec<_>>());
    world.until(NOON + 10_500).await;
    assert_eq!(come(&mut stream).await, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_late_point_is_emitted_at_once_and_flagged() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    world.put(Point::new("other", NOON - 20_000, 1));
    let mut stream = polling(&world).start()?;
    assert_eq!(come(&mut stream).await, [(-20, false), (0, false)]);
    world.put(point(-40, 1));
    world.put(Point::new("other", NOON - 10_000, 1));
    world.until(NOON + 10_500).await;
    // The other series is not late: late is what is late in its own series.
    assert_eq!(come(&mut stream).await, [(-40, true), (-10, false)]);
    assert_eq!(stream.control().stats().late, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn series_are_told_apart_by_their_tags() -> Tested {
    let world = World::new();
    world.put(point(0, 1).tagged([("room", "hall")]));
    let mut stream = polling(&world).start()?;
    assert_eq!(come(&mut stream).await.len(), 1);
    world.put(point(0, 1).tagged([("room", "attic")]));
    world.put(point(0, 1));
    world.until(NOON + 10_500).await;
    assert_eq!(come(&mut stream).await.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_value_of_a_seen_point_goes_to_the_outlet_for_revisions() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    let mut polling = polling(&world);
    let mut revised = polling.revised(10);
    let mut stream = polling.start()?;
    assert_eq!(come(&mut stream).await.len(), 1);
    world.remove(NOON);
    world.put(point(0, 2));
    world.until(NOON + 10_500).await;
    assert_eq!(come(&mut stream).await, []);
    let revision = revised.try_next().unwrap();
    assert_eq!(revision.point, point(0, 2));
    assert_eq!(revision.before, 1.into());
    let printed = format!("m 2 @ {NOON}, 1 before");
    assert_eq!(revision.to_string(), printed);
    // Once, although it is answered again.
    world.until(NOON + 20_500).await;
    assert!(ready(&mut revised).await.is_empty());
    // And back.
    world.remove(NOON);
    world.put(point(0, 1));
    world.until(NOON + 30_500).await;
    assert_eq!(ready(&mut revised).await[0].point, point(0, 1));
    let stats = stream.control().stats();
    assert_eq!(stats.revised, 2);
    let printed = stats.to_string();
    assert!(
        printed.contains("1 emitted, ") && printed.contains(", 2 revised; "),
        "{printed}"
    );
    Ok(())
}

/// Who waits for an outlet, and looks at the stream as it is woken.
struct Looks(PollControl, Arc<Mutex<Vec<PollStats>>>);

impl std::task::Wake for Looks {
    fn wake(self: Arc<Self>) {
        let stats = self.0.stats();
        let _ = self.0.cursor();
        self.1.lock().unwrap().push(stats);
    }
}

#[test]
fn who_is_woken_by_an_outlet_may_look_at_the_stream() {
    let (tell, told) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let world = World::new();
            world.put(point(0, 1));
            // So may the clock that it is given.
            let control = Arc::<OnceLock<PollControl>>::default();
            let (wall, looked_at) = (world.wall(), control.clone());
            let mut polling = polling(&world).wall_clock(move || {
                looked_at.get().map(PollControl::stats);
                wall()
            });
            let mut revised = polling.revised(10);
            let mut stream = polling.start().unwrap();
            control.set(stream.control()).unwrap();
            assert_eq!(come(&mut stream).await.len(), 1);
            let seen = Arc::default();
            let looks = Looks(stream.control(), Arc::clone(&seen));
            let waker = std::task::Waker::from(Arc::new(looks));
            let mut context = std::task::Context::from_waker(&waker);
            assert!(revised.poll_next_unpin(&mut context).is_pending());
            world.remove(NOON);
            world.put(point(0, 2));
            world.until(NOON + 10_500).await;
            tell.send(revised.try_next()).unwrap();
            let seen: Vec<PollStats> = std::mem::take(&mut seen.lock().unwrap());
            assert_eq!(seen.len(), 1);
            assert_eq!(seen[0].polls, 2);
        });
    });
    // A deadlock of real time: the virtual one stands still in it.
    let came = told.recv_timeout(secs(30)).expect("nobody hangs");
    assert_eq!(came.unwrap().point, point(0, 2));
    worker.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn several_values_of_one_time_are_stable() -> Tested {
    let world = World::new();
    world.put(point(0, 2.5));
    world.put(point(0, 1));
    world.put(point(0, "text"));
    world.put(point(0, 1.0)); // The same number.
    let mut polling = polling(&world);
    let mut revised = polling.revised(10);
    let mut stream = polling.start()?;
    let first = ready(&mut stream).await;
    assert_eq!(first.len(), 1);
    assert_eq!(*first[0].point(), point(0, 1));
    let others: Vec<_> = ready(&mut revised).await;
    let others: Vec<_> = others.into_iter().map(|revised| revised.point).collect();
    assert_eq!(others, [point(0, 2.5), point(0, "text")]);
    world.until(NOON + 30_500).await;
    assert_eq!(come(&mut stream).await, []);
    assert!(ready(&mut revised).await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_point_that_drops_out_and_comes_back_is_not_new() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    world.put(point(1, 1));
    world.put(point(1, 2));
    let mut polling = polling(&world);
    let mut revised = polling.revised(10);
    let mut stream = polling.start()?;
    assert_eq!(come(&mut stream).await, [(0, false)]);
    world.until(NOON + 10_500).await;
    assert_eq!(come(&mut stream).await, [(1, false)]);
    assert_eq!(ready(&mut revised).await.len(), 1);
    // All of one time is gone, and of the other one of two values; then they are back.
    world.remove(NOON);
    world.remove(NOON + SECOND);
    world.put(point(1, 2));
    world.until(NOON + 20_500).await;
    assert_eq!(come(&mut stream).await, []);
    world.put(point(0, 1));
    world.put(point(1, 1));
    world.until(NOON + 30_500).await;
    assert_eq!(come(&mut stream).await, []);
    assert!(ready(&mut revised).await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_later_than_the_buffer_is_counted_once_and_has_an_outlet() -> Tested {
    let world = World::new();
    let mut polling = polling(&world);
    let mut too_late = polling.too_late(10);
    let mut stream = polling.start()?;
    for second in 0..100 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let all = until(&world, &mut stream, NOON + 100_500).await;
    // The last poll saw 99, so the horizon is at 39 seconds, and what is noticed begins at 9.
    assert_eq!(all.len(), 100);
    let half = |second: i64| Point::new("m", NOON + second * SECOND + 500, 0);
    world.put(half(39));
    world.put(half(38));
    world.put(half(9));
    world.put(half(8));
    world.until(NOON + 130_500).await;
    let late: Vec<_> = ready(&mut stream).await;
    let late: Vec<_> = late.into_iter().map(Polled::into_point).collect();
    assert_eq!(late, [half(39)]);
    assert_eq!(ready(&mut too_late).await, [half(9), half(38)]);
    assert_eq!(stream.control().stats().too_late, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_outlet_that_is_full_counts_what_it_loses() -> Tested {
    let world = World::new();
    for value in 0..10 {
        world.put(point(0, value));
    }
    let mut polling = polling(&world);
    let mut revised = polling.revised(4);
    let mut stream = polling.start()?;
    assert_eq!(come(&mut stream).await.len(), 1);
    assert_eq!(ready(&mut revised).await.len(), 4);
    let stats = stream.control().stats();
    assert_eq!((stats.revised, stats.overflowed), (9, 5));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn points_settle_in_the_order_of_time_and_later_ones_are_overdue() -> Tested {
    let world = World::new();
    let mut polling = polling(&world).order(Order::Settled(secs(30)));
    let mut overdue = polling.overdue(10);
    let mut stream = polling.start()?;
    for second in [0, 7, 3, 12] {
        world.put_at(NOON + 12 * SECOND, point(second, second));
    }
    world.put_at(
        NOON + 25 * SECOND,
        Point::new("other", NOON + 5 * SECOND, 1),
    );
    world.until(NOON + 40_500).await;
    // At 40 the point of 12, seen at 20, tells that it is 32 at least: what is of 2 or before has settled.
    assert_eq!(come(&mut stream).await, [(0, false)]);
    world.until(NOON + 50_500).await;
    let settled = [(3, false), (5, false), (7, false), (12, false)];
    assert_eq!(come(&mut stream).await, settled);
    world.put(point(11, 1));
    world.put(point(13, 1));
    world.until(NOON + 80_500).await;
    assert_eq!(come(&mut stream).await, [(13, false)]);
    assert_eq!(ready(&mut overdue).await, [point(11, 1)]);
    let stats = stream.control().stats();
    assert_eq!((stats.overdue, stats.held, stats.late), (1, 0, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_comes_late_and_settles_in_its_order_is_counted_as_late() -> Tested {
    let world = World::new();
    let mut stream = polling(&world).order(Order::Settled(secs(30))).start()?;
    let control = stream.control();
    world.put_at(NOON + 5 * SECOND, point(5, 1));
    // Seen by the poll after the one that has seen the other.
    world.put_at(NOON + 15 * SECOND, point(3, 1));
    world.until(NOON + 25_500).await;
    let stats = control.stats();
    assert_eq!((stats.late, stats.held, stats.emitted), (1, 2, 0));
    world.until(NOON + 60_500).await;
    assert_eq!(come(&mut stream).await, [(3, false), (5, false)]);
    assert_eq!(control.stats().late, 1);

    // What still waits at the end is emitted, and waits no more.
    world.put(point(60, 1));
    world.until(NOON + 71_000).await;
    assert_eq!(control.stats().held, 1);
    control.stop();
    assert_eq!(come(&mut stream).await, [(60, false)]);
    assert_eq!((control.stats().held, control.stats().emitted), (0, 3));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_stopped_emits_what_it_holds() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    let mut stream = polling(&world).order(Order::Settled(secs(30))).start()?;
    assert_eq!(come(&mut stream).await, []);
    let control = stream.control();
    assert_eq!(control.stats().held, 1);
    control.stop();
    let rest: Vec<_> = stream.map(Polled::into_point).collect().await;
    assert_eq!(rest, [point(0, 1)]);
    assert!(matches!(control.state(), PollState::Ended { error: None }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn polls_come_at_a_fixed_rate_and_never_two_at_once() -> Tested {
    let world = World::new();
    world.script().latency = Duration::from_millis(2500);
    let mut stream = polling(&world).every(secs(1)).start()?;
    let control = stream.control();
    assert_eq!(
        tokio::time::timeout(secs(8), stream.next()).await.ok(),
        None
    );
    let times = |world: &World| {
        let requests = world.script().requests.clone();
        requests.iter().map(|(at, _)| at - NOON).collect::<Vec<_>>()
    };
    // Those of 1 and 2, 4 and 5 were skipped.
    assert_eq!(times(&world), [0, 3000, 6000]);
    assert_eq!(control.stats().skipped, 4);
    // From 6 on every four seconds.
    control.change_interval(secs(4))?;
    assert_eq!(
        tokio::time::timeout(secs(11), stream.next()).await.ok(),
        None
    );
    assert_eq!(times(&world), [0, 3000, 6000, 10_000, 14_000, 18_000]);
    assert_eq!(
        control
            .change_interval(Duration::ZERO)
            .unwrap_err()
            .to_string(),
        "`every` is 0ns, and points have times in milliseconds: let it be 1 ms at least"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_shorter_interval_begins_at_once_and_nothing_was_skipped() -> Tested {
    let world = World::new();
    let stream = polling(&world).every(secs(60)).start()?;
    let control = stream.control();
    world.until(NOON + 110_500).await;
    control.change_interval(secs(1))?;
    world.until(NOON + 113_700).await;
    let requests = world.script().requests.clone();
    let times: Vec<i64> = requests.iter().map(|(at, _)| at - NOON).collect();
    assert_eq!(times, [0, 60_000, 110_500, 111_500, 112_500, 113_500]);
    let stats = control.stats();
    assert_eq!((stats.polls, stats.skipped), (6, 0));
    // A longer one is counted from the last poll, and so is a shorter one that is not past.
    control.change_interval(secs(20))?;
    world.until(NOON + 114_000).await;
    control.change_interval(secs(5))?;
    world.until(NOON + 124_000).await;
    let requests = world.script().requests.clone();
    let times: Vec<i64> = requests[6..].iter().map(|(at, _)| at - NOON).collect();
    assert_eq!(times, [118_500, 123_500]);
    assert_eq!(control.stats().skipped, 0);
    drop(stream);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn jitter_puts_polls_off_and_leaves_the_rate() -> Tested {
    let world = World::new();
    let mut stream = polling(&world).jitter(secs(5), 7).start()?;
    assert_eq!(
        tokio::time::timeout(secs(1000), stream.next()).await.ok(),
        None
    );
    let requests = world.script().requests.clone();
    let off = |n: usize| requests[n].0 - NOON - 10 * SECOND * n as i64;
    let off: Vec<_> = (1..requests.len()).map(off).collect();
    assert_eq!(off.len(), 99);
    assert!(
        off.iter().all(|off| (0..=5 * SECOND).contains(off)),
        "{off:?}"
    );
    assert!(off.iter().any(|off| *off < SECOND) && off.iter().any(|off| *off > 4 * SECOND));
    assert_eq!(stream.control().stats().skipped, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_polls_while_nobody_takes_the_points() -> Tested {
    let world = World::new();
    for second in 0..3600 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let mut stream = polling(&world).start()?;
    world.until(NOON + HOUR).await;
    // One answer waits, and one for that one to be taken.
    assert_eq!(stream.control().stats().polls, 2);
    assert_eq!(stream.control().stats().remembered, 11);
    // What came in the meantime is asked for now.
    let all = until(&world, &mut stream, NOON + HOUR + 20 * SECOND).await;
    assert_eq!(all.len(), 3600);
    Ok(())
}

fn unplugged() -> StoreError {
    StoreError::retry("unplugged")
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_gap_is_filled_in_chunks_from_the_oldest_on() -> Tested {
    let world = World::new();
    for second in 0..3 * 3600 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let mut stream = polling(&world)
        .chunk(secs(600))
        .retry(Retry::attempts(3).fixed(secs(1)))
        .retry_slowly(secs(60))
        .start()?;
    let mut all = until(&world, &mut stream, NOON + 60_500).await;
    assert_eq!(all.len(), 61);
    world.fail(|_| Some(unplugged()));
    world.until(NOON + 2 * HOUR).await;
    assert!(stream.control().state().is_down());
    assert_eq!(ready(&mut stream).await, []);
    world.heal();
    let before = world.script().requests.len();
    all.extend(until(&world, &mut stream, NOON + 2 * HOUR + MINUTE).await);
    assert!(stream.control().state().is_healthy());
    let requests = world.script().requests[before..].to_vec();
    assert!(requests.len() >= 12, "{requests:?}");
    assert!(requests.iter().all(|(_, range)| range.len() <= 600_000));
    assert!(requests[..12].is_sorted_by_key(|(_, range)| range.from));
    let times: Vec<_> = all.iter().map(|p| p.point().millis()).collect();
    let expected = (0..times.len() as i64).map(|second| NOON + second * SECOND);
    assert_eq!(times, expected.collect::<Vec<_>>());
    assert!(times.len() > 2 * 3600);
    assert!(all.iter().all(|polled| !polled.is_late()));
    // The memory was bounded meanwhile, too.
    assert!(stream.control().stats().remembered < 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn failures_are_repeated_with_growing_delays_and_shown() -> Tested {
    let world = World::new();
    world.fail(|_| Some(unplugged()));
    let mut stream = polling(&world)
        .retry(Retry::attempts(4).exponential(secs(1)))
        .retry_slowly(secs(100))
        .start()?;
    let control = stream.control();
    assert!(matches!(control.state(), PollState::Starting));
    assert_eq!(control.state().to_string(), "starting");
    world.until(NOON + 2000).await;
    let state = control.state();
    let Some(PollError::Store {
        store,
        range,
        error,
    }) = state.last_error()
    else {
        panic!("{state:?}");
    };
    assert_eq!((store.as_str(), range.to), ("World", NOON + 1000));
    assert!(error.can_retry());
    assert_eq!(
        state.last_error().unwrap().to_string(),
        format!("World did not answer for {range}: unplugged")
    );
    assert_eq!(
        state.to_string(),
        format!("degraded after 2 failures: World did not answer for {range}: unplugged")
    );
    assert_eq!(state.failing(), Some((unix(NOON), 2)));
    assert!(!state.is_down());
    world.until(NOON + 8000).await;
    assert!(control.state().is_down());
    world.until(NOON + 300_000).await;
    let times: Vec<_> = world
        .script()
        .requests
        .iter()
        .map(|(at, _)| at - NOON)
        .collect();
    assert_eq!(times, [0, 1000, 3000, 7000, 107_000, 207_000]);
    world.heal();
    let mut watch = control.watch();
    watch.wait_for(PollState::is_healthy).await?;
    assert_eq!(control.state().to_string(), "healthy");
    assert_eq!(world.now() - NOON, 307_000);
    // Back at its rate.
    assert_eq!(
        tokio::time::timeout(secs(15), stream.next()).await.ok(),
        None
    );
    assert_eq!(world.script().requests.last().unwrap().0 - NOON, 320_000);
    let stats = control.stats();
    assert_eq!((stats.failures, stats.polls), (6, 3));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_asks_to_be_left_alone_is_left_alone() -> Tested {
    let world = World::new();
    let mut asked = [40_500, 36_000_000].map(Duration::from_millis).into_iter();
    world.fail(move |_| asked.next().map(|after| unplugged().after(after)));
    let _stream = polling(&world).every(secs(1)).start()?;
    world.until(NOON + 2 * HOUR).await;
    let mut times: Vec<_> = world
        .script()
        .requests
        .iter()
        .map(|(at, _)| at - NOON)
        .collect();
    times.dedup();
    // The second one is obeyed for an hour.
    assert_eq!(times[..4], [0, 40_500, 3_640_500, 3_641_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_helped_is_repeated_slowly_or_ends_the_stream() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    world.fail(|_| Some(StoreError::fatal("no such metric")));
    let mut slow = polling(&world).start()?;
    assert_eq!(ready(&mut slow).await, []);
    assert!(slow.control().state().is_down());
    world.until(NOON + 50_000).await;
    assert_eq!(world.script().requests.len(), 1);
    // It can be helped after all: somebody made the metric.
    world.heal();
    world.until(NOON + 60_500).await;
    assert_eq!(ready(&mut slow).await.len(), 1);
    drop(slow);

    world.fail(|_| Some(StoreError::fatal("no such metric")));
    let mut ends = polling(&world).end_on_fatal().start()?;
    assert_eq!(ends.next().await, None);
    assert_eq!(ends.next().await, None);
    let state = ends.control().state();
    assert!(state.is_ended());
    assert!(
        state
            .last_error()
            .unwrap()
            .to_string()
            .contains("no such metric")
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_given_up() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    world.script().latency = secs(1_000_000);
    let mut stream = polling(&world).timeout(secs(5)).start()?;
    let control = stream.control();
    world.until(NOON + 5500).await;
    let state = control.state();
    assert!(
        matches!(state.last_error(), Some(PollError::TimedOut { .. })),
        "{state:?}"
    );
    world.script().latency = Duration::ZERO;
    assert_eq!(stream.next().await.unwrap().into_point(), point(0, 1));
    assert!(control.state().is_healthy());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn more_points_than_may_be_remembered_fail_the_poll_and_none_is_lost() -> Tested {
    let world = World::new();
    for second in 0..10 {
        world.put(point(second - 10, second));
    }
    let mut stream = polling(&world).max_points(15).start()?;
    let control = stream.control();
    assert_eq!(come(&mut stream).await.len(), 10);
    for second in 0..6 {
        world.put(point(second, second));
    }
    // What there is room for is taken, by asking for less at once.
    let some = until(&world, &mut stream, NOON + 10_500).await.len();
    let state = control.state();
    assert!(state.is_down());
    let error = state.last_error().unwrap().to_string();
    assert!(
        error.contains("16 points would be remembered, and 15 may be"),
        "{error}"
    );
    assert_eq!(control.stats().remembered, 10 + some);
    assert!(some < 6);
    // One fewer, and it goes on: nothing was lost.
    world.remove(NOON + 5 * SECOND);
    world.until(NOON + 80_500).await;
    assert_eq!(some + come(&mut stream).await.len(), 5);
    assert!(control.state().is_healthy());
    Ok(())
}

/// Answers for so many milliseconds at once.
struct Quota(World, u64);

impl Store for Quota {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        match range.len() > self.1 {
            true => Err(StoreError::too_much("beyond the quota")),
            false => self.0.fetch(range).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_asked_for_too_much_is_asked_for_less() -> Tested {
    let world = World::new();
    world.put(point(0, 0));
    let quota = |millis| {
        let polling = Polling::new(Quota(world.clone(), millis)).wall_clock(world.wall());
        polling.buffer(secs(60)).margin(secs(30))
    };
    let mut stream = quota(600_000).start()?;
    assert_eq!(come(&mut stream).await, [(0, false)]);
    let cursor = stream.control().cursor();
    drop(stream);
    // Three hours later.
    for minute in 1..=180 {
        world.put(point(minute * 60, minute));
    }
    world.until(NOON + 3 * HOUR).await;
    let mut stream = quota(600_000).resume(cursor.clone()).start()?;
    let control = stream.control();
    let came = until(&world, &mut stream, NOON + 3 * HOUR + SECOND).await;
    assert_eq!(came.len(), 180);
    assert!(control.state().is_healthy());
    assert_eq!(
        control.stats().failures,
        3,
        "an hour was too much, and its half, and that of it"
    );

    // Where it does not answer for as much as has to be asked, that is said.
    let mut stream = quota(5_000).resume(cursor).start()?;
    let control = stream.control();
    assert_eq!(
        until(&world, &mut stream, NOON + 3 * HOUR + 30 * SECOND)
            .await
            .len(),
        0
    );
    assert!(control.state().is_down());
    let error = control.state().last_error().unwrap().to_string();
    assert!(error.contains("beyond the quota"), "{error}");
    Ok(())
}

/// A store that takes a second for each hundred of what it is asked for.
struct Slow(World);

impl Store for Slow {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        tokio::time::sleep(Duration::from_millis(range.len() / 100)).await;
        self.0.fetch(range).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_too_long_is_asked_for_less_and_then_for_more_again() -> Tested {
    let world = World::new();
    world.put(point(0, 0));
    let slow = || {
        let polling = Polling::new(Slow(world.clone())).wall_clock(world.wall());
        let polling = polling.buffer(secs(60)).margin(secs(30)).timeout(secs(10));
        polling
            .retry(Retry::attempts(2).fixed(secs(1)))
            .retry_slowly(secs(20))
    };
    let mut stream = slow().start()?;
    assert_eq!(until(&world, &mut stream, NOON + 5_000).await.len(), 1);
    let cursor = stream.control().cursor();
    drop(stream);
    // For three hours, of which a chunk of an hour takes 36 seconds, and a quarter of it 9.
    for minute in 1..=180 {
        world.put(point(minute * 60, minute));
    }
    world.until(NOON + 3 * HOUR).await;
    let mut stream = slow().resume(cursor).start()?;
    let control = stream.control();
    let came = until(&world, &mut stream, NOON + 3 * HOUR + 4 * MINUTE).await;
    assert_eq!(came.len(), 180);
    assert!(control.state().is_healthy());
    assert_eq!(
        control.stats().failures,
        2,
        "an hour was too long, and its half"
    );
    let requests = world.script().requests.clone();
    let longest = requests.iter().map(|(_, range)| range.len()).max();
    assert_eq!(longest, Some(15 * MINUTE as u64));
    drop(stream);
    world.script().requests.clear();

    // What took long once is asked for as a whole again after some polls.
    let mut stream = slow().start()?;
    let control = stream.control();
    world.script().latency = secs(11);
    until(&world, &mut stream, world.now() + 30_000).await;
    assert!(control.state().is_down());
    world.script().latency = Duration::ZERO;
    world.script().requests.clear();
    until(&world, &mut stream, world.now() + 5 * MINUTE).await;
    let requests = world.script().requests.clone();
    let begin = requests.first().expect("a request").1.len();
    assert!(begin < 20_000, "a part: {begin}");
    let end = requests.last().expect("a request").1.len();
    assert!(end > 60_000, "all of the buffer: {end}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_makes_room_again() -> Tested {
    let world = World::new();
    for second in 0..1000 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let polling = polling(&world).max_points(300).retry_slowly(secs(20));
    let mut stream = polling.start()?.acked();
    let control = stream.control();
    let (_, first) = stream.next().await.unwrap();
    let mut came = 1;
    for (_, ack) in until(&world, &mut stream, NOON + 500 * SECOND).await {
        ack.acknowledge();
        came += 1;
    }
    // What is newer than the first one is remembered until that is acknowledged.
    assert!(control.state().is_down());
    assert!(matches!(
        control.state().last_error(),
        Some(PollError::TooManyPoints { max: 300, .. })
    ));
    first.acknowledge();
    for step in 51..=110 {
        for (_, ack) in until(&world, &mut stream, NOON + step * 10 * SECOND).await {
            ack.acknowledge();
            came += 1;
        }
    }
    assert!(control.state().is_healthy());
    assert_eq!(came, 1000);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lengths_without_end_are_no_trouble() -> Tested {
    let world = World::new();
    world.put(point(0, 1));
    let polling = polling(&world)
        .buffer(Duration::MAX)
        .margin(Duration::MAX)
        .timeout(Duration::MAX)
        .every(Duration::MAX);
    let mut stream = polling.start()?;
    assert_eq!(come(&mut stream).await, [(0, false)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_store_is_followed_where_it_tells_the_time() -> Tested {
    let world = World::new();
    world.script().tells_time = true;
    world.script().ahead = -5 * HOUR; // Ours is slow,
    world.put(point(-30, 1));
    let mut stream = polling(&world).start()?;
    assert_eq!(come(&mut stream).await, [(-30, false)]);
    let ahead = stream.control().stats().clock_ahead.unwrap();
    assert!((ahead - 5 * HOUR).abs() <= 1000, "{ahead}");
    world.script().ahead = 3 * HOUR; // and then it is put forward.
    world.put(point(5, 1));
    world.until(NOON + 10_500).await;
    assert_eq!(come(&mut stream).await, [(5, false)]);
    let last = world.script().requests.last().unwrap().1;
    assert!((last.to - world.now()).abs() < 2000, "{last}");
    drop(stream);

    // Whoever wants our own has it.
    let _ours = polling(&world).clock(PollClock::Local).start()?;
    tokio::time::sleep(secs(1)).await;
    let last = world.script().requests.last().unwrap().1;
    assert!(last.to > world.now() + 2 * HOUR);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_tells_a_wrong_time_changes_nothing() -> Tested {
    for wrong in [20 * HOUR, 90_000 * HOUR, -20 * HOUR] {
        let world = World::new();
        world.script().tells_time = true;
        // Somebody's clock is wrong, too: a point of tomorrow.
        world.put(point(10 * 3600, 0));
        world.put(point(0, 0));
        let mut stream = polling(&world).start()?;
        assert_eq!(come(&mut stream).await, [(0, false)]);
        world.script().tells_ahead = wrong;
        world.until(NOON + 10_500).await;
        world.script().tells_ahead = 0;
        for second in 20..200 {
            world.put_at(NOON + second * SECOND, point(second, second));
        }
        let seen = until(&world, &mut stream, NOON + 230_500).await;
        let seen = seen.iter().map(|p| (p.point().millis() - NOON) / SECOND);
        assert!(seen.eq(20..200), "told {wrong} ms too much");
        let stats = stream.control().stats();
        assert!(stats.requests <= stats.polls + 1, "{stats:?}");
        assert_eq!((stats.too_late, stats.clock_ahead.unwrap() / 1500), (0, 0));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_took_long_tells_no_wrong_time() -> Tested {
    let world = World::new();
    world.script().tells_time = true;
    let mut stream = polling(&world).start()?;
    assert_eq!(come(&mut stream).await, []);
    // The time is told at the end of half a minute.
    world.script().latency = secs(30);
    world.until(NOON + 100_500).await;
    assert_eq!(come(&mut stream).await, []);
    let ahead = stream.control().stats().clock_ahead.unwrap();
    assert!(ahead.abs() <= 1000, "{ahead}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_loses_nothing_and_repeats_nothing() -> Tested {
    for jump in [-24 * HOUR, -HOUR, -MINUTE, MINUTE, HOUR, 24 * HOUR] {
        let world = World::new();
        let begun = world.now();
        for second in 0..3000 {
            let at = begun + second * SECOND;
            // Each third one is 50 seconds late.
            let late = if second % 3 == 0 { 50 * SECOND } else { 0 };
            world.put_at(at + late, Point::new("m", at, second));
        }
        let mut stream = polling(&world).start()?;
        let mut all = Vec::new();
        for (until, ahead) in [(500, jump), (2000, 0), (3100, 0)] {
            all.extend(world::until(&world, &mut stream, begun + until * SECOND).await);
            world.script().ahead = ahead;
        }
        let mut times: Vec<_> = all.iter().map(|p| p.point().millis()).collect();
        times.sort_unstable();
        let expected = (0..3000).map(|second| begun + second * SECOND);
        assert_eq!(times, expected.collect::<Vec<_>>(), "jump by {jump} ms");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_back_does_not_stop_the_points() -> Tested {
    let world = World::new();
    world.put(point(0, 0));
    let mut stream = polling(&world).start()?;
    assert_eq!(come(&mut stream).await.len(), 1);
    world.script().ahead = -24 * HOUR;
    for second in 1..100 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let come = until(&world, &mut stream, NOON + 100 * SECOND).await;
    assert!(come.len() > 90, "{}", come.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_asked_little_and_its_gap_is_filled_when_it_is_back() -> Tested {
    let world = World::new();
    world.put(point(0, 0));
    let mut stream = polling(&world).chunk(secs(600)).start()?;
    assert_eq!(come(&mut stream).await.len(), 1);
    world.until(NOON + 10 * HOUR).await;
    let before = world.script().requests.len();
    world.until(NOON + 10 * HOUR + 100 * SECOND).await;
    // The last minute, and one chunk of the silence, in turn.
    let requests = world.script().requests[before..].to_vec();
    assert_eq!(requests.len(), 20, "{requests:?}");
    // The device has kept its points, and sends the old ones and the new ones at once.
    for second in 1..=36_100 {
        world.put_at(world.now(), point(second, second));
    }
    world.until(NOON + 10 * HOUR + 130 * SECOND).await;
    assert_eq!(come(&mut stream).await.len(), 36_100);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_cursor_moves_only_by_acknowledgement() -> Tested {
    let world = World::new();
    for second in 0..5 {
        world.put(point(second - 5, second));
    }
    let mut stream = polling(&world).start()?.acked();
    let control = stream.control();
    let mut items = Vec::new();
    for _ in 0..5 {
        items.push(stream.next().await.unwrap());
    }
    assert_eq!(control.cursor().len(), 0);
    let mut acks: Vec<_> = items.into_iter().map(|(_, ack)| ack).collect();
    acks.remove(3).acknowledge();
    acks.remove(0).settle(Ok(()));
    acks.remove(0).settle(Err(headwater::Lost::Failed));
    acks.remove(0).give_up();
    drop(acks);
    let cursor = control.cursor();
    assert_eq!(cursor.len(), 3);
    assert_eq!(cursor.horizon(), Some(NOON - MINUTE));
    let stats = control.stats();
    assert_eq!((stats.unacknowledged, stats.given_up), (2, 1));
    drop(stream);

    let mut again = polling(&world).resume(cursor).start()?;
    assert_eq!(come(&mut again).await, [(-4, true), (-1, false)]);
    assert_eq!(again.control().stats().unacknowledged, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_plain_stream_acknowledges_a_point_when_the_next_is_asked_for() -> Tested {
    let world = World::new();
    for second in 0..3 {
        world.put(point(second - 5, second));
    }
    let mut stream = polling(&world).start()?;
    let control = stream.control();
    stream.next().await;
    stream.next().await;
    assert_eq!(control.cursor().len(), 1);
    assert!(stream.next().now_or_never().is_some());
    assert_eq!(control.cursor().len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_asked_for_although_the_horizon_has_passed_it() -> Tested {
    let world = World::new();
    for second in 0..1000 {
        world.put_at(NOON + second * SECOND, point(second, second));
    }
    let mut stream = polling(&world).start()?.acked();
    let control = stream.control();
    let mut acks = Vec::new();
    while world.now() < NOON + 900 * SECOND {
        let (polled, ack) = stream.next().await.unwrap();
        match polled.point().millis() == NOON + 100 * SECOND {
            true => acks.push(ack),
            false => ack.acknowledge(),
        }
    }
    let cursor = control.cursor();
    assert_eq!(cursor.horizon(), Some(NOON + 100 * SECOND));
    let kept = control.stats().remembered;
    drop(stream);
    let mut again = polling(&world).resume(cursor).start()?;
    assert_eq!(come(&mut again).await[0], (100, true));
    let seen = again.control().stats().emitted;
    assert!(seen < 20, "{seen}");
    drop(again);
    // And what was remembered for it is forgotten once it is acknowledged.
    assert!(kept >= 790, "{kept}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cursor_survives_bytes_and_damage_is_noticed() -> Tested {
    let world = World::new();
    world.put(point(-3, 1).tagged([("raum", "Küche|:\\"), ("b", "")]));
    world.put(point(-2, -1.5));
    world.put(point(-2, f64::NAN));
    world.put(point(-1, "text"));
    world.put(point(0, headwater::timeseries::PointValue::Null));
    world.put(point(0, i64::MIN));
    let stream = polling(&world).start()?;
    let control = stream.control();
    let mut stream = stream;
    ready(&mut stream).await;
    let cursor = control.cursor();
    assert_eq!(cursor.len(), 6);
    let bytes = cursor.to_bytes();
    let back = Cursor::from_bytes(&bytes)?;
    assert_eq!(back, cursor);
    assert_eq!(back.to_bytes(), bytes);
    drop(stream);
    let mut again = polling(&world).resume(back).start()?;
    assert_eq!(come(&mut again).await, []);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(
                Cursor::from_bytes(&damaged).is_err(),
                "byte {at}, bit {bit}"
            );
        }
        assert!(Cursor::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(matches!(
        Cursor::from_bytes(b"{}"),
        Err(CursorError::NoCursor)
    ));
    let mut later = bytes[..bytes.len() - 4].to_vec();
    later[4] = 9;
    later.extend(crc32fast::hash(&later).to_le_bytes());
    let error = Cursor::from_bytes(&later).unwrap_err();
    assert!(matches!(error, CursorError::Version(9)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_keeps_the_cursor() -> Tested {
    let directory = std::env::temp_dir().join(format!("headwater-cursor-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let file = CursorFile::new(directory.join("cursor"));
    assert!(file.load()?.is_none());
    let world = World::new();
    world.put(point(-1, 1));
    world.put(point(0, 1));
    let mut stream = polling(&world).resume(file.load()?).start()?;
    come(&mut stream).await;
    file.save(&stream.control().cursor())?;
    file.save(&stream.control().cursor())?;
    drop(stream);
    let mut again = polling(&world).resume(file.load()?).start()?;
    assert_eq!(come(&mut again).await, []);
    std::fs::write(file.path(), b"HWPC damaged")?;
    let error = file.load().unwrap_err();
    assert!(matches!(error, CursorError::File { .. }), "{error}");
    let nowhere = CursorFile::new(directory.join("no/such/directory"));
    let saved = nowhere.save(&again.control().cursor());
    assert!(matches!(saved, Err(CursorError::Io { .. })));
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_graph_acknowledges_what_has_arrived_and_not_what_was_lost() -> Tested {
    let world = World::new();
    for second in 0..6 {
        world.put(point(second - 6, second));
    }
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| ()));
    let stream = polling(&world).start()?;
    let control = stream.control();
    let batches = stream
        .flow(&graph)
        .try_map(
            |polled: Polled| match polled.point().number().unwrap() == 2.into() {
                true => Err("a two".into()),
                false => Ok(polled.into_point()),
            },
        )
        .partition(2)
        .sink_to_list();
    let driver = graph.spawn();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(batches.take().len(), 2);
    // One failed, and the fifth waits for a sixth.
    assert_eq!(control.stats().unacknowledged, 2);
    assert_eq!(control.cursor().len(), 4);
    world.put(point(1, 6));
    tokio::time::sleep(secs(10)).await;
    assert_eq!(batches.take().len(), 1);
    assert_eq!(control.cursor().len(), 6);
    graph.shutdown().await?;
    drop(driver);
    let mut again = polling(&world).resume(control.cursor()).start()?;
    assert_eq!(come(&mut again).await, [(-4, true)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_the_cursor_knows_all_that_was_delivered() -> Tested {
    let world = World::new();
    for second in 0..6 {
        world.put(point(second - 6, second));
    }
    let graph = Graph::new();
    let stream = polling(&world).start()?;
    let control = stream.control();
    let counts = stream
        .flow(&graph)
        .fold_window(secs(60), Count)
        .sink_to_list();
    let driver = graph.spawn();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(control.stats().unacknowledged, 6);
    let report = graph.shutdown().await?;
    // At once: who saves the cursor now saves that the window was delivered.
    assert_eq!(control.stats().unacknowledged, 0);
    assert_eq!((counts.take(), report.complete), (vec![6], true));
    driver.await?;
    let mut again = polling(&world).resume(control.cursor()).start()?;
    assert_eq!(come(&mut again).await, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_left_open_without_a_shutdown_comes_again_whole() -> Tested {
    let world = World::new();
    // A quarter of a minute, and then the half of the next.
    for second in -75..30 {
        world.put(point(second - 30, second));
    }
    let windows = async |resume: Option<Cursor>| -> Result<_, BoxError> {
        let graph = Graph::new();
        let stream = polling(&world).buffer(secs(120)).resume(resume).start()?;
        let control = stream.control();
        let counts = stream
            .flow(&graph)
            .lead_clock(Polled::time)
            .fold_window(secs(60), Count)
            .sink_to_list();
        let driver = graph.spawn();
        tokio::time::sleep(secs(1)).await;
        drop((driver, graph));
        Ok((counts.take(), control.cursor()))
    };
    let (first, cursor) = windows(None).await?;
    assert_eq!(first, [45]);
    assert_eq!(cursor.len(), 45);
    for second in 30..90 {
        world.put(point(second - 30, second));
    }
    world.until(NOON + 61_000).await;
    let (second, _) = windows(Some(cursor)).await?;
    assert_eq!(second, [60]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn back_filled_points_fall_into_the_right_windows_of_a_graph_they_lead() -> Tested {
    let world = World::new();
    for second in 0..1200 {
        world.put_at(NOON + second * SECOND, point(second, 1));
    }
    // Nobody answers from the 5th to the 15th minute.
    let graph = Graph::new();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let counted = counts.clone();
    polling(&world)
        .order(Order::Settled(secs(10)))
        .start()?
        .flow(&graph)
        .lead_clock(Polled::time)
        .fold_window(secs(60), Count)
        .sink(move |count| counted.lock().unwrap().push(count));
    let _driver = graph.spawn();
    world.until(NOON + 5 * MINUTE).await;
    world.fail(|_| Some(unplugged()));
    world.until(NOON + 15 * MINUTE).await;
    world.heal();
    world.until(NOON + 20 * MINUTE).await;
    let counts = counts.lock().unwrap().clone();
    // Sixty of each minute, those of the outage too.
    assert!(counts.len() >= 18, "{counts:?}");
    assert!(counts.iter().all(|count| *count == 60), "{counts:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_store_goes_on_where_the_points_are_asked_for() -> Tested {
    struct Panics;
    impl Store for Panics {
        async fn fetch(&self, _: Range) -> Result<Fetched, StoreError> {
            panic!("out of ink")
        }
    }
    let mut stream = Polling::new(Panics).start()?;
    let control = stream.control();
    let asked = std::panic::AssertUnwindSafe(stream.next())
        .catch_unwind()
        .await;
    assert_eq!(asked.unwrap_err().downcast_ref(), Some(&"out of ink"));
    assert!(control.state().is_ended());
    assert_eq!(stream.next().await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn points_that_were_not_asked_for_are_passed_over() -> Tested {
    struct Blunt;
    impl Store for Blunt {
        async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
            let times = [range.from - 1, range.from, range.to, range.to + 1];
            Ok(Fetched::new(times.map(|time| Point::new("m", time, 1))))
        }
    }
    let mut stream = Polling::new(Blunt).start()?;
    assert_eq!(ready(&mut stream).await.len(), 2);
    assert_eq!(stream.control().stats().unasked, 2);
    Ok(())
}

#[test]
fn what_makes_no_sense_is_said_before_it_starts() {
    let world = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async { World::new() })
    };
    let said = |polling: Polling<World>| polling.start().unwrap_err().to_string();
    let world = world();
    assert_eq!(
        said(polling(&world)),
        "the stream polls in a task of tokio, and there is no runtime here: start it within one"
    );
    assert_eq!(
        said(polling(&world).buffer(Duration::from_micros(10))),
        "`buffer` is 10µs, and points have times in milliseconds: let it be 1 ms at least"
    );
    assert_eq!(
        said(polling(&world).order(Order::Settled(secs(61)))),
        "points would be held for 61s to bring them in order, and after 60s they are too late anyway: \
         hold them for as long as the buffer at most"
    );
    assert_eq!(
        said(polling(&world).jitter(secs(10), 1)),
        "a jitter of up to 10s would put a poll off beyond the next one, which is due after 10s: let it \
         be shorter"
    );
    assert_eq!(
        polling(&world).max_points(0).start().unwrap_err(),
        PollingError::NoPoints
    );
    let mut without_room = polling(&world);
    let _outlet = (without_room.revised(1), without_room.too_late(0));
    assert_eq!(
        said(without_room),
        "`too_late(0)` is an outlet that would lose all points: let it have room for 1 at least"
    );
}

/// Two days in which the clock is put forward and back for summer time by somebody who sets the time of
/// day, a day changes twice, the clock jumps by a day and back, and the store is away for three hours.
#[tokio::test(start_paused = true)]
async fn two_days_with_all_that_clocks_do() -> Tested {
    let world = World::new();
    let mut stream = polling(&world)
        .buffer(secs(600))
        .order(Order::AsSeen)
        .start()?;
    let control = stream.control();
    let ahead = |hour: i64| match hour {
        14..20 => HOUR,      // Summer time by the clock's hand,
        26..28 => 24 * HOUR, // a day too far,
        30..33 => -HOUR,     // winter time,
        40 => -24 * HOUR,    // a day too little,
        _ => 0,              // and as it should be.
    };
    let (mut expected, mut seen) = (Vec::new(), Vec::new());
    for hour in 0..48 {
        world.script().ahead = ahead(hour);
        match (5..8).contains(&hour) {
            true => world.fail(|_| Some(unplugged())),
            false => world.heal(),
        }
        for step in 0..360 {
            let now = NOON + hour * HOUR + step * 10 * SECOND;
            // Of two metrics one comes up to eight minutes late.
            let late = (step * 7919 + hour) % 480 * SECOND;
            for (metric, after) in [("prompt", 0), ("late", late)] {
                let point = Point::new(metric, now, step);
                world.put_at(now + after, point.clone());
                expected.push(point);
            }
        }
        let end = NOON + (hour + 1) * HOUR;
        seen.extend(until(&world, &mut stream, end).await);
        world.forget(end - 5 * HOUR);
    }
    seen.extend(until(&world, &mut stream, NOON + 49 * HOUR).await);
    let mut seen: Vec<_> = seen.into_iter().map(Polled::into_point).collect();
    seen.sort();
    expected.sort();
    let missing: Vec<_> = expected
        .iter()
        .filter(|p| seen.binary_search(p).is_err())
        .collect();
    assert!(missing.is_empty(), "{}: {:?}", missing.len(), &missing[..9]);
    assert_eq!(seen, expected);
    let stats = control.stats();
    assert_eq!((stats.too_late, stats.revised), (0, 0));
    assert!(stats.remembered < 500, "{stats:?}");
    Ok(())
}
