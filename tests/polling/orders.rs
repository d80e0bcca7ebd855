//! Points in the order in which they are seen, or of their times.

use futures::StreamExt;
use headwater::timeseries::{Order, Point, PollState, Polled};

use super::{Tested, come, point, polling};
use crate::world::{NOON, SECOND, World, ready, secs};

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
