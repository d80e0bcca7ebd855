//! Each point is emitted once, whatever answers are like.

use headwater::timeseries::{Fetched, Point, Polling, Range, Store, StoreError};

use super::{Tested, come, point, polling};
use crate::world::{MINUTE, NOON, SECOND, World, ready};

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
