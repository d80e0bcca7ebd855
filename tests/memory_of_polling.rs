//! Of ten thousand polls nothing stays. Time is virtual. Alone in its process, whose memory it asks for.

mod resident;
mod world;

use headwater::timeseries::{Order, Point, Polling};
use resident::resident;
use world::{NOON, SECOND, World, secs, until};

const POLLS: i64 = 10_000;
const MIB: usize = 1 << 20;

async fn ten_thousand_polls(order: Order) {
    let world = World::new();
    let mut stream = Polling::new(world.clone())
        .wall_clock(world.wall())
        .every(secs(1))
        .buffer(secs(300))
        .order(order)
        .start()
        .unwrap();
    let control = stream.control();
    let (mut count, mut after_first, mut put) = (0, 0, 0);
    for poll in 0..POLLS {
        let now = NOON + poll * SECOND;
        for series in 0..10 {
            // Series come and go, and some points are late.
            let late = if series == 3 { 100 * SECOND } else { 0 };
            let pod = poll / 100 * 10 + series;
            world.put_at(
                now + late,
                Point::new("m", now, poll).tagged([("pod", pod)]),
            );
            put += 1;
        }
        count += until(&world, &mut stream, now + SECOND / 2).await.len();
        world.forget(now - 400 * SECOND);
        world.script().requests.clear();
        if poll == POLLS / 10 {
            after_first = resident();
        }
    }
    let grown = resident().saturating_sub(after_first);
    let stats = control.stats();
    eprintln!("{order:?}: memory grew by {grown} bytes; {stats:?}");
    assert!(grown <= MIB, "memory grew by {grown} bytes");
    assert!(stats.remembered <= 3400, "{stats:?}");
    count += until(&world, &mut stream, NOON + (POLLS + 500) * SECOND)
        .await
        .len();
    assert_eq!(count, put);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_polls_leave_nothing_behind() {
    ten_thousand_polls(Order::AsSeen).await;
    ten_thousand_polls(Order::Settled(secs(200))).await;
}
