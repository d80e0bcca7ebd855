//! Polling streams of tables: one a poll that brought something, of a schema that is known before, each
//! acknowledged as a whole. Time is virtual.

#![cfg(feature = "tables")]

mod world;

use futures::StreamExt;
use headwater::prelude::*;
use headwater::timeseries::{
    Column, Order, Point, PointValue, Polling, Table, TableSchema, Tabled, TimeType, Why,
};
use headwater::{BoxError, Graph};
use world::{MINUTE, NOON, SECOND, World, ready, secs, until};

type Tested = Result<(), BoxError>;

fn polling(world: &World) -> Polling<World> {
    world::polling(world, world.clone())
}

fn point(metric: &str, second: i64, value: impl Into<PointValue>) -> Point {
    Point::new(metric, NOON + second * SECOND, value)
}

fn schema() -> TableSchema {
    TableSchema::new([Column::new("a").int(), Column::new("b")]).time_type(TimeType::Millis)
}

/// Seconds after noon, with the values of `a` and `b`.
fn rows(table: &Table) -> Vec<(i64, PointValue, PointValue)> {
    let row = |(at, time): (usize, &i64)| {
        let value = |name| table.value(at, name).unwrap();
        ((time - NOON) / SECOND, value("a"), value("b"))
    };
    table.times().iter().enumerate().map(row).collect()
}

const NULL: PointValue = PointValue::Null;

#[tokio::test(start_paused = true)]
async fn each_poll_that_brought_something_is_a_table_of_what_is_new() -> Tested {
    let world = World::new();
    for second in [-20, -10] {
        world.put(point("a", second, second));
        world.put(point("b", second, 0.5));
    }
    let stream = polling(&world).start()?;
    let mut tables = stream.tables(schema());
    let arrow = schema().arrow().clone();
    assert_eq!(*tables.schema(), arrow);
    let first = ready(&mut tables).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].table.schema(), arrow);
    assert_eq!(
        rows(&first[0].table),
        [
            (-20, (-20).into(), 0.5.into()),
            (-10, (-10).into(), 0.5.into())
        ]
    );
    // A poll that brings nothing is none; a late value comes in a row of its own.
    world.until(NOON + 15_000).await;
    assert_eq!(ready(&mut tables).await, []);
    world.put(point("a", 16, 16));
    world.put(point("b", -15, 1.5));
    world.until(NOON + 25_000).await;
    world.put(point("b", 16, 2.5));
    let second = until(&world, &mut tables, NOON + 45_000).await;
    let second: Vec<_> = second.iter().map(|tabled| rows(&tabled.table)).collect();
    assert_eq!(
        second,
        [
            vec![(-15, NULL, 1.5.into()), (16, 16.into(), NULL)],
            vec![(16, NULL, 2.5.into())],
        ]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn points_without_a_place_come_beside_the_table_and_are_counted() -> Tested {
    let world = World::new();
    world.put(point("a", -9, "text"));
    world.put(point("c", -8, 1));
    let stream = polling(&world).start()?;
    let control = stream.control();
    let mut tables = stream.tables(schema());
    let tabled = tables.next().await.unwrap();
    assert!(tabled.table.is_empty());
    let why: Vec<_> = tabled
        .unplaced
        .iter()
        .map(|u| (u.point.metric(), u.why))
        .collect();
    assert_eq!(why, [("a", Why::WrongType), ("c", Why::NoColumn)]);
    let stats = control.stats();
    assert_eq!(
        (stats.emitted, stats.unplaced, stats.unacknowledged),
        (2, 2, 2)
    );
    assert!(ready(&mut tables).await.is_empty());
    assert_eq!(control.stats().unacknowledged, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_stands_for_all_points_of_its_table() -> Tested {
    let world = World::new();
    for second in [-20, -10] {
        world.put(point("a", second, second));
        world.put(point("b", second, 0.5));
    }
    world.put(point("c", -10, 1));
    let mut tables = polling(&world).start()?.tables(schema()).acked();
    let control = tables.control();
    let (_, first) = tables.next().await.unwrap();
    world.put(point("a", 5, 5));
    world.until(NOON + 15_000).await;
    let (_, second) = tables.next().await.unwrap();
    assert_eq!(control.stats().unacknowledged, 6);
    // Nothing of the first table is acknowledged: all of it comes again, and what was later does not.
    second.acknowledge();
    assert_eq!(control.stats().unacknowledged, 5);
    let cursor = control.cursor();
    let mut again = polling(&world).resume(cursor).start()?.tables(schema());
    let repeated = ready(&mut again).await;
    assert_eq!(repeated.len(), 1);
    assert_eq!(
        (repeated[0].table.len(), repeated[0].unplaced.len()),
        (2, 1)
    );
    first.acknowledge();
    assert_eq!(control.stats().unacknowledged, 0);
    let mut none = polling(&world)
        .resume(control.cursor())
        .start()?
        .tables(schema());
    assert_eq!(ready(&mut none).await, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_given_up_counts_its_points() -> Tested {
    let world = World::new();
    world.put(point("a", -20, 1));
    world.put(point("b", -20, 1));
    let mut tables = polling(&world).start()?.tables(schema()).acked();
    let control = tables.control();
    let (_, ack) = tables.next().await.unwrap();
    ack.give_up();
    let stats = control.stats();
    assert_eq!((stats.given_up, stats.unacknowledged), (2, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_point_by_point_comes_as_a_table() -> Tested {
    let world = World::new();
    for second in [-30, -20, -10] {
        world.put(point("a", second, second));
    }
    let mut points = polling(&world).start()?;
    let control = points.control();
    assert_eq!(
        points.next().await.unwrap().point().millis(),
        NOON - 30 * SECOND
    );
    let mut tables = points.tables(schema());
    // The point that was taken is acknowledged when the table is asked for, as always.
    assert_eq!(control.stats().unacknowledged, 3);
    let tabled = tables.next().await.unwrap();
    assert_eq!(
        tabled.table.times(),
        [NOON - 20 * SECOND, NOON - 10 * SECOND]
    );
    assert_eq!(control.stats().unacknowledged, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_graph_acknowledges_a_table_when_all_of_it_has_arrived() -> Tested {
    let world = World::new();
    for second in -60..600 {
        let value: PointValue = match second {
            100 => "broken".into(),
            _ => second.into(),
        };
        world.put_at(NOON + second * SECOND, point("a", second, value));
    }
    let graph = Graph::new();
    let stream = polling(&world).order(Order::Settled(secs(5))).start()?;
    let control = stream.control();
    let tables = stream.tables(schema()).flow(&graph);
    let whole = |tabled: Tabled| match tabled.unplaced.is_empty() {
        true => Ok(tabled.table.len()),
        false => Err(BoxError::from("a point has no place")),
    };
    let lengths = tables.try_map(whole).sink_to_list();
    let driver = graph.spawn();
    world.until(NOON + 90 * SECOND).await;
    let cursor = control.cursor();
    assert!(cursor.horizon() > Some(NOON));
    let stats = control.stats();
    assert_eq!(stats.unacknowledged, stats.held);
    // What failed stays in front of the cursor, and comes again.
    world.until(NOON + 10 * MINUTE).await;
    let stats = control.stats();
    let lost = stats.unacknowledged - stats.held;
    assert!((1..=11).contains(&lost), "{stats:?}");
    let taken: usize = lengths.take().into_iter().sum();
    assert_eq!(taken + lost, stats.emitted as usize);
    let mut again = polling(&world)
        .resume(control.cursor())
        .start()?
        .tables(schema());
    let again = again.next().await.unwrap();
    assert_eq!(again.unplaced[0].point.value(), &"broken".into());
    drop(driver);
    Ok(())
}
