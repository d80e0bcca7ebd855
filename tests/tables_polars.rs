//! Tables as data frames of polars.

#![cfg(feature = "polars")]

use headwater::timeseries::{Point, Table, TimeType};
use polars_core::prelude::{DataFrame, DataType, TimeUnit, TimeZone};

type Tested = Result<(), Box<dyn std::error::Error>>;

#[test]
fn a_data_frame_has_the_same_times_values_and_gaps() -> Tested {
    let points = [
        Point::new("größe", 1_000, 1),
        Point::new("größe", 3_000, 3),
        Point::new("mean", 2_000, f64::NAN),
        Point::new("mean", 3_000, 0.5),
        Point::new("state", 2_000, "on"),
    ];
    let table = Table::builder().metrics(["silent"]).points(points)?;
    let frame = DataFrame::try_from(&table)?;
    assert_eq!(frame.shape(), (3, 5));
    let names: Vec<_> = frame
        .columns()
        .iter()
        .map(|column| column.name().as_str())
        .collect();
    assert_eq!(names, ["time", "silent", "größe", "mean", "state"]);
    let millis = TimeUnit::Milliseconds;
    assert_eq!(
        frame.column("time")?.dtype(),
        &DataType::Datetime(millis, Some(TimeZone::UTC))
    );
    let times = frame.column("time")?.cast(&DataType::Int64)?;
    let times: Vec<_> = times.i64()?.iter().collect();
    assert_eq!(times, [Some(1_000), Some(2_000), Some(3_000)]);
    let ints: Vec<_> = frame.column("größe")?.i64()?.iter().collect();
    assert_eq!(ints, [Some(1), None, Some(3)]);
    let floats: Vec<_> = frame.column("mean")?.f64()?.iter().collect();
    assert!(floats[0].is_none() && floats[1].is_some_and(f64::is_nan) && floats[2] == Some(0.5));
    let texts: Vec<_> = frame.column("state")?.str()?.iter().collect();
    assert_eq!(texts, [None, Some("on"), None]);
    assert_eq!(frame.column("silent")?.null_count(), 3);
    Ok(())
}

#[test]
fn times_are_of_the_type_that_the_table_has() -> Tested {
    let table = Table::of([Point::new("m", -1, 1)])?;
    let of = |time_type| {
        let frame = table.with_time_type(time_type).to_polars().unwrap();
        frame.column("time").unwrap().dtype().clone()
    };
    assert_eq!(
        of(TimeType::Naive),
        DataType::Datetime(TimeUnit::Milliseconds, None)
    );
    assert_eq!(of(TimeType::Millis), DataType::Int64);
    let none = Table::of(Vec::<Point>::new())?;
    assert_eq!(none.to_polars()?.shape(), (0, 1));
    Ok(())
}
