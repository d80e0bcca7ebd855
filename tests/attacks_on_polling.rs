//! Attacks on polling streams: clocks that lie, consumers that stop, streams that are dropped or turned into
//! others at odd moments. Time is virtual.

mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use headwater::BoxError;
use headwater::timeseries::{
    Fetched, Order, Point, PollClock, Polled, Polling, PollingError, Range, Store, StoreError,
};
use world::{HOUR, MINUTE, NOON, SECOND, World, ready, secs, until};

type Tested = Result<(), BoxError>;

const YEAR: i64 = 365 * 24 * HOUR;

fn polling(world: &World) -> Polling<World> {
    of(world, world.clone())
}

fn of<S: Store>(world: &World, store: S) -> Polling<S> {
    Polling::new(store)
        .wall_clock(world.wall())
        .every(secs(10))
        .buffer(secs(60))
        .margin(secs(30))
}

fn point(second: i64) -> Point {
    Point::new("m", NOON + second * SECOND, second)
}

/// A point a second, each there at its time.
fn a_point_a_second(world: &World, seconds: std::ops::Range<i64>) {
    for second in seconds {
        world.put_at(NOON + second * SECOND, point(second));
    }
}

fn seconds(polled: &[Polled]) -> Vec<i64> {
    let second = |p: &Polled| (p.point().millis() - NOON) / SECOND;
    polled.iter().map(second).collect()
}

#[tokio::test(start_paused = true)]
async fn what_came_in_time_is_not_overdue_because_the_consumer_rested() -> Tested {
    let world = World::new();
    a_point_a_second(&world, 0..2000);
    let mut stream = polling(&world).order(Order::Settled(secs(30))).start()?;
    let mut all = until(&world, &mut stream, NOON + 300 * SECOND).await;
    // Nobody takes anything for twenty minutes.
    world.until(NOON + 1500 * SECOND).await;
    all.extend(until(&world, &mut stream, NOON + 2100 * SECOND).await);
    assert_eq!(stream.control().stats().overdue, 0);
    assert_eq!(seconds(&all), (0..2000).collect::<Vec<_>>());
    Ok(())
}

/// A store whose first answers tell a time that is far off.
struct Lying {
    world: World,
    answers: AtomicUsize,
    lies: usize,
    by: i64,
}

impl Store for Lying {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        let lies = self.answers.fetch_add(1, Ordering::Relaxed) < self.lies;
        let mut fetched = self.world.fetch(range).await?;
        let told = self.world.now() + if lies { self.by } else { 0 };
        fetched.server_time = Some(world::unix(told / SECOND * SECOND));
        Ok(fetched)
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_answer_that_is_of_next_year_does_not_stop_the_points_until_then() -> Tested {
    for lies in [1, 2, 5] {
        let world = World::new();
        a_point_a_second(&world, -60..600);
        let store = Lying {
            world: world.clone(),
            answers: AtomicUsize::new(0),
            lies,
            by: YEAR,
        };
        let mut stream = of(&world, store).start()?;
        let come = until(&world, &mut stream, NOON + 700 * SECOND).await;
        let come = seconds(&come);
        // It begins when the time is known: with the buffer before that.
        let begun = come.first().copied().unwrap_or(i64::MAX);
        assert!(begun < 100, "{lies} lies: {come:?}");
        assert_eq!(come, (begun..600).collect::<Vec<_>>(), "{lies} lies");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_resumes_on_a_computer_that_has_lost_the_time_goes_on() -> Tested {
    for tells_time in [false, true] {
        let world = World::new();
        world.script().tells_time = tells_time;
        a_point_a_second(&world, 0..600);
        let mut stream = polling(&world).start()?;
        let mut all = until(&world, &mut stream, NOON + 100 * SECOND).await;
        // Asking for the next one acknowledges the last.
        all.extend(ready(&mut stream).await);
        let cursor = stream.control().cursor();
        drop(stream);

        // No battery: the clock begins where it was left long ago.
        world.script().ahead = -YEAR;
        world.until(NOON + 200 * SECOND).await;
        let mut stream = polling(&world).resume(cursor).start()?;
        // Where nobody tells the time, it is behind by as long as it was away.
        all.extend(until(&world, &mut stream, NOON + 900 * SECOND).await);
        assert_eq!(
            seconds(&all),
            (0..600).collect::<Vec<_>>(),
            "told: {tells_time}"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_horizon_of_next_year_is_not_waited_for_where_nothing_was_seen() -> Tested {
    let world = World::new();
    world.script().tells_time = true;
    world.script().ahead = YEAR;
    world.fail(|_| Some(StoreError::retry("unplugged")));
    let stream = polling(&world).start()?;
    world.until(NOON + 30 * SECOND).await;
    let cursor = stream.control().cursor();
    drop(stream);

    world.script().ahead = 0;
    world.heal();
    a_point_a_second(&world, 0..300);
    let mut stream = polling(&world).resume(cursor).start()?;
    let come = until(&world, &mut stream, NOON + 400 * SECOND).await;
    assert_eq!(seconds(&come), (0..300).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_stretch_that_ends_before_it_begins_is_asked_for_when_clocks_go_back() -> Tested {
    let world = World::new();
    world.put(point(0));
    let mut stream = polling(&world)
        .clock(PollClock::Local)
        .chunk(secs(300))
        .start()?;
    until(&world, &mut stream, NOON + 25 * SECOND).await;
    world.script().ahead = 24 * HOUR;
    until(&world, &mut stream, NOON + 20 * MINUTE).await;
    world.script().ahead = 0;
    until(&world, &mut stream, NOON + HOUR).await;
    let asked = world.script().requests.clone();
    let upside_down = asked.iter().find(|(_, range)| range.is_empty());
    assert_eq!(upside_down, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_runs_a_day_ahead_makes_nothing_overdue_and_nothing_wait() -> Tested {
    for (chunk, hold) in [(3600, 30), (300, 60), (50, 60)] {
        let world = World::new();
        // A minute of points, a silence, and again, each point as late as it may be.
        for second in (0..3000).filter(|second| second / 60 % 10 == 0) {
            let at = NOON + second * SECOND;
            let late = if second % 3 == 0 { hold * SECOND } else { 0 };
            world.put_at(at + late, point(second));
        }
        let mut polling = polling(&world)
            .clock(PollClock::Local)
            .chunk(secs(chunk))
            .order(Order::Settled(secs(hold as u64)));
        let mut overdue = polling.overdue(10);
        let mut stream = polling.start()?;
        let mut come = until(&world, &mut stream, NOON + 30 * SECOND).await;
        world.script().ahead = 24 * HOUR;
        come.extend(until(&world, &mut stream, NOON + 3600 * SECOND).await);
        assert_eq!(ready(&mut overdue).await, [], "chunks of {chunk} s");
        let all = (0..3000).filter(|second| second / 60 % 10 == 0);
        assert_eq!(seconds(&come), all.collect::<Vec<_>>());
        drop(stream);

        // As seen, each is there with the poll that comes next.
        world.script().ahead = 0;
        let mut stream = of(&world, world.clone())
            .clock(PollClock::Local)
            .chunk(secs(chunk))
            .start()?;
        let begun = world.now();
        for second in 0..600 {
            let at = begun + second * SECOND;
            world.put_at(at, Point::new("n", at, second));
        }
        until(&world, &mut stream, begun + 15 * SECOND).await;
        world.script().ahead = 24 * HOUR;
        for _ in 0..62 {
            let now = world.now();
            let come = until(&world, &mut stream, now + 10 * SECOND).await;
            let latest = come.iter().map(|p| now + 10 * SECOND - p.point().millis());
            assert!(latest.max().unwrap_or(0) <= 21 * SECOND, "{come:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_before_its_first_poll_has_ended() -> Tested {
    let world = World::new();
    let stream = polling(&world).start()?;
    let control = stream.control();
    let mut states = control.watch();
    drop(stream);
    let ended = states.wait_for(|state| state.is_ended());
    tokio::time::timeout(secs(1), ended).await??;
    assert!(control.state().is_ended());
    assert_eq!(control.stats().polls, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_point_that_was_taken_before_the_stream_became_another_is_acknowledged() -> Tested {
    let world = World::new();
    a_point_a_second(&world, -3..1);
    let mut stream = polling(&world).start()?;
    assert!(stream.next().await.is_some());
    let mut acked = stream.acked();
    let control = acked.control();
    assert_eq!(control.stats().unacknowledged, 4);
    // As ever: when the next one is asked for.
    let (_, ack) = acked.next().await.ok_or("no point")?;
    assert_eq!(control.stats().unacknowledged, 3);
    ack.acknowledge();
    for (_, ack) in ready(&mut acked).await {
        ack.acknowledge();
    }
    assert_eq!(control.stats().unacknowledged, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_interval_that_is_shorter_than_the_jitter_is_refused_later_too() -> Tested {
    let world = World::new();
    let stream = polling(&world).jitter(secs(5), 7).start()?;
    let control = stream.control();
    assert_eq!(
        control.change_interval(secs(5)),
        Err(PollingError::JitterBeyondInterval {
            jitter: secs(5),
            interval: secs(5)
        })
    );
    control.change_interval(secs(6))?;
    world.until(NOON + 61 * SECOND).await;
    assert_eq!(control.stats().skipped, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn points_that_an_answer_has_twice_count_once_where_few_may_be_remembered() -> Tested {
    let world = World::new();
    world.script().unruly = true;
    a_point_a_second(&world, -7..1);
    let mut stream = polling(&world).max_points(8).start()?;
    assert_eq!(
        seconds(&ready(&mut stream).await),
        (-7..1).collect::<Vec<_>>()
    );
    assert_eq!(stream.control().stats().failures, 0);
    Ok(())
}
