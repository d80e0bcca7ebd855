//! Streams that flow into a graph.

use std::sync::{Arc, Mutex};

use headwater::prelude::*;
use headwater::timeseries::{Cursor, Order, Polled};
use headwater::{BoxError, Graph};

use super::{Tested, come, point, polling, unplugged};
use crate::world::{MINUTE, NOON, SECOND, World, secs};

#[tokio::test(start_paused = true)]
async fn a_graph_acknowledges_what_has_arrived_and_not_what_was_lost() -> Tested {
    let world = World::new();
    for second in 0..6 {
        world.put(point(second - 6, second));
    }
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| ()));
    let stream = polling(&world).start()?;
    let control = stream.control();
    let batches = stream
        .flow(&graph)
        .try_map(
            |polled: Polled| match polled.point().number().unwrap() == 2.into() {
                true => Err("a two".into()),
                false => Ok(polled.into_point()),
            },
        )
        .partition(2)
        .sink_to_list();
    let driver = graph.spawn();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(batches.take().len(), 2);
    // One failed, and the fifth waits for a sixth.
    assert_eq!(control.stats().unacknowledged, 2);
    assert_eq!(control.cursor().len(), 4);
    world.put(point(1, 6));
    tokio::time::sleep(secs(10)).await;
    assert_eq!(batches.take().len(), 1);
    assert_eq!(control.cursor().len(), 6);
    graph.shutdown().await?;
    drop(driver);
    let mut again = polling(&world).resume(control.cursor()).start()?;
    assert_eq!(come(&mut again).await, [(-4, true)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_the_cursor_knows_all_that_was_delivered() -> Tested {
    let world = World::new();
    for second in 0..6 {
        world.put(point(second - 6, second));
    }
    let graph = Graph::new();
    let stream = polling(&world).start()?;
    let control = stream.control();
    let counts = stream
        .flow(&graph)
        .fold_window(secs(60), Count)
        .sink_to_list();
    let driver = graph.spawn();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(control.stats().unacknowledged, 6);
    let report = graph.shutdown().await?;
    // At once: who saves the cursor now saves that the window was delivered.
    assert_eq!(control.stats().unacknowledged, 0);
    assert_eq!((counts.take(), report.complete), (vec![6], true));
    driver.await?;
    let mut again = polling(&world).resume(control.cursor()).start()?;
    assert_eq!(come(&mut again).await, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_left_open_without_a_shutdown_comes_again_whole() -> Tested {
    let world = World::new();
    // A quarter of a minute, and then the half of the next.
    for second in -75..30 {
        world.put(point(second - 30, second));
    }
    let windows = async |resume: Option<Cursor>| -> Result<_, BoxError> {
        let graph = Graph::new();
        let stream = polling(&world).buffer(secs(120)).resume(resume).start()?;
        let control = stream.control();
        let counts = stream
            .flow(&graph)
            .lead_clock(Polled::time)
            .fold_window(secs(60), Count)
            .sink_to_list();
        let driver = graph.spawn();
        tokio::time::sleep(secs(1)).await;
        drop((driver, graph));
        Ok((counts.take(), control.cursor()))
    };
    let (first, cursor) = windows(None).await?;
    assert_eq!(first, [45]);
    assert_eq!(cursor.len(), 45);
    for second in 30..90 {
        world.put(point(second - 30, second));
    }
    world.until(NOON + 61_000).await;
    let (second, _) = windows(Some(cursor)).await?;
    assert_eq!(second, [60]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn back_filled_points_fall_into_the_right_windows_of_a_graph_they_lead() -> Tested {
    let world = World::new();
    for second in 0..1200 {
        world.put_at(NOON + second * SECOND, point(second, 1));
    }
    // Nobody answers from the 5th to the 15th minute.
    let graph = Graph::new();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let counted = counts.clone();
    polling(&world)
        .order(Order::Settled(secs(10)))
        .start()?
        .flow(&graph)
        .lead_clock(Polled::time)
        .fold_window(secs(60), Count)
        .sink(move |count| counted.lock().unwrap().push(count));
    let _driver = graph.spawn();
    world.until(NOON + 5 * MINUTE).await;
    world.fail(|_| Some(unplugged()));
    world.until(NOON + 15 * MINUTE).await;
    world.heal();
    world.until(NOON + 20 * MINUTE).await;
    let counts = counts.lock().unwrap().clone();
    // Sixty of each minute, those of the outage too.
    assert!(counts.len() >= 18, "{counts:?}");
    assert!(counts.iter().all(|count| *count == 60), "{counts:?}");
    Ok(())
}
