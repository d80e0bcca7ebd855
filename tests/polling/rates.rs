//! How often the store is asked.

use std::time::Duration;

use futures::StreamExt;

use super::{Tested, point, polling};
use crate::world::{HOUR, NOON, SECOND, World, secs, until};

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
