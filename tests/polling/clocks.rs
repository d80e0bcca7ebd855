//! Clocks that are wrong, jump and are put back.

use headwater::timeseries::{Order, Point, PollClock, Polled};

use super::{Tested, come, point, polling, unplugged};
use crate::world;
use crate::world::{HOUR, MINUTE, NOON, SECOND, World, secs, until};

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
