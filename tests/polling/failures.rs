//! Outages, failures, requests that never end, and panics.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use headwater::Retry;
use headwater::timeseries::{Fetched, PollError, PollState, Polling, Range, Store, StoreError};

use super::{Tested, point, polling, unplugged};
use crate::world::{HOUR, MINUTE, NOON, SECOND, World, ready, secs, unix, until};

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
