//! What the stream does not emit goes to outlets.

use std::sync::{Arc, Mutex, OnceLock};

use futures::StreamExt;
use headwater::timeseries::{Point, PollControl, PollStats, Polled};

use super::{Tested, come, point, polling};
use crate::virtual_time::in_virtual_time;
use crate::watched::watched;
use crate::world::{NOON, SECOND, World, ready, until};

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
    // A deadlock would be one of real time: the virtual one stands still in it.
    let came = watched(|| {
        in_virtual_time(async {
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
            let came = revised.try_next();
            let seen: Vec<PollStats> = std::mem::take(&mut seen.lock().unwrap());
            assert_eq!(seen.len(), 1);
            assert_eq!(seen[0].polls, 2);
            came
        })
    });
    assert_eq!(came.unwrap().point, point(0, 2));
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
