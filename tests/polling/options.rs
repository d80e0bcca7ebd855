//! Options of any size, and those that make no sense.

use std::time::Duration;

use headwater::timeseries::{Order, Polling, PollingError};

use super::{Tested, come, point, polling};
use crate::world::{World, secs};

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
