//! How much is remembered, and asked for at once.

use std::time::Duration;

use futures::StreamExt;
use headwater::Retry;
use headwater::timeseries::{Fetched, PollError, Polling, Range, Store, StoreError};

use super::{Tested, come, point, polling};
use crate::world::{HOUR, MINUTE, NOON, SECOND, World, secs, until};

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
