//! Tables of what KairosDB answers, and tables that are written there.

#![cfg(all(feature = "tables", feature = "kairosdb"))]

use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use headwater::timeseries::kairosdb::{
    Answer, GroupBy, KairosDb, Order, Query, QueryMetric, RangeAggregator, Reason, Relative, Unfit,
    When,
};
use headwater::timeseries::{Duplicates, Point, PointValue, Table, TableError, TimeType};
use headwater_services::or_skip;

type Tested = Result<(), Box<dyn std::error::Error>>;

const NULL: PointValue = PointValue::Null;

fn answer(json: &str) -> Answer {
    json.parse().unwrap()
}

/// Before 1.3.0 and since: what the store answers for a metric without points.
const SILENT: [&str; 2] = [
    r#"{"sample_size": 0, "results": [{"name": "silent", "tags": {}, "values": []}]}"#,
    r#"{"sample_size": 0, "results": []}"#,
];

#[test]
fn a_metric_without_points_has_an_empty_column_in_whichever_form_that_is_answered() -> Tested {
    let query = Query::since(0).metric("silent").metric("m");
    let m = r#"{"sample_size": 1, "results": [{"name": "m", "tags": {"host": ["a"]},
        "group_by": [{"name": "type", "type": "number"}], "values": [[5, 1]]}]}"#;
    for silent in SILENT {
        let table = answer(&format!(r#"{{"queries": [{silent}, {m}]}}"#)).table(&query)?;
        assert!(table.names().eq(["silent", "m"]));
        assert_eq!(table.times(), [5]);
        assert_eq!(
            (table.value(0, "silent")?, table.value(0, "m")?),
            (NULL, 1.into())
        );
        let none = answer(&format!(r#"{{"queries": [{silent}, {silent}]}}"#)).table(&query)?;
        assert!(none.is_empty() && none.names().eq(["silent", "m"]));
    }
    let error = answer(r#"{"queries": []}"#).table(&query).unwrap_err();
    let (asked, answered) = (2, 0);
    assert_eq!(error, TableError::Mismatch { asked, answered });
    Ok(())
}

#[test]
fn groups_are_columns_and_kinds_of_values_are_not() -> Tested {
    let answer = answer(
        r#"{"queries": [{"sample_size": 6, "results": [
        {"name": "m", "group_by": [{"name": "tag", "tags": ["host", "room"], "group": {"host": "a", "room": ""}},
            {"name": "type", "type": "number"}],
            "tags": {"host": ["a"], "plant": ["x"]}, "values": [[1, 1], [2, 2.5]]},
        {"name": "m", "group_by": [{"name": "tag", "tags": ["host", "room"], "group": {"host": "a", "room": ""}},
            {"name": "type", "type": "text"}],
            "tags": {"host": ["a"], "plant": ["x"], "unit": ["u"]}, "values": [[3, "off"]]},
        {"name": "m", "group_by": [{"name": "time", "range_size": {"value": 1, "unit": "HOURS"},
            "group_count": 24, "group": {"group_number": 7}}, {"name": "type", "type": "number"}],
            "tags": {}, "values": [[2, 9], [2, 8]]}
        ]}, {"results": []}]}"#,
    );
    let query = Query::since(0).metric("m").metric("m");
    let table = answer.table(&query)?;
    assert!(table.names().eq(["m{host=a}", "m{time=7}", "m"]));
    let first = [0, 1, 2].map(|row| table.value(row, "m{host=a}").unwrap());
    assert_eq!(first, ["1".into(), "2.5".into(), "off".into()]);
    assert_eq!(
        (table.value(1, "m{time=7}")?, table.replaced()),
        (8.into(), 1)
    );
    let tags: Vec<_> = table
        .points()
        .map(|point| point.tags().to_string())
        .collect();
    assert_eq!(
        tags,
        ["host=a plant=x", "host=a plant=x", "host=a plant=x", ""]
    );
    let strict = Table::builder()
        .duplicates(Duplicates::Fail)
        .time_type(TimeType::Millis);
    assert!(matches!(
        answer.table_by(&strict, &query),
        Err(TableError::Duplicate { millis: 2, .. })
    ));
    Ok(())
}

#[tokio::test]
async fn a_table_that_cannot_be_stored_is_refused_before_anything_is_sent() -> Tested {
    let client = KairosDb::new("http://127.0.0.1:9")?;
    let written = |table: Table| {
        let client = client.clone();
        async move { client.write_table(&table).await.unwrap_err() }
    };
    let error = written(Table::of([Point::new("m", 1, 1)])?).await;
    assert!(matches!(
        error.error().reason(),
        Reason::Unfit {
            why: Unfit::NoTags,
            ..
        }
    ));
    let points = [Point::new("m", 1, 1), Point::new("n", 2, f64::NAN)];
    let error = written(Table::of(points)?.tagged([("host", "a")])).await;
    let Reason::Unfit { place, metric, why } = error.error().reason() else {
        panic!("{error}");
    };
    assert!(matches!(why, Unfit::NotFinite(_)));
    assert_eq!((*place, &**metric, error.queued().points), (1, "n", 0));
    Ok(())
}

#[tokio::test]
async fn a_whole_table_is_written_to_kairosdb_and_read_back_the_same() -> Tested {
    let started = tokio::task::spawn_blocking(headwater_services::KairosDb::start).await?;
    let Some(server) = or_skip(started) else {
        return Ok(());
    };
    let client = KairosDb::new(server.url())?;
    let begin = 1_700_000_000_000;
    let mut points = Vec::new();
    for minute in 0..500_i64 {
        let time = begin + minute * 60_000;
        let point = |metric: &str, host: &str, value: PointValue| {
            Point::new(metric, time, value).tagged([("host", host)])
        };
        points.push(point("load", "a", (minute as f64 / 3.0).into()));
        if minute % 3 == 0 {
            points.push(point("load", "ü b", minute.into()));
        }
        if minute % 100 == 0 {
            points.push(point("state", "a", format!("on {minute}").into()));
        }
    }
    let table = Table::builder().by_tags(["host"]).points(&points)?;
    let queued = client.write_table(&table).await?;
    assert_eq!(queued.points, points.len());

    let by_host = |metric| QueryMetric::new(metric).group_by(GroupBy::tags(["host"]));
    let query = Query::since(When::at("2023-11-14")?)
        .metric(by_host("load"))
        .metric(by_host("state"))
        .metric("silent");
    let end = Instant::now() + Duration::from_secs(60);
    let read = loop {
        let read = client.query_table(&query).await?;
        if read.points().count() == points.len() || Instant::now() > end {
            break read;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        read.names()
            .eq(["load{host=a}", "load{host=ü b}", "state{host=a}", "silent"])
    );
    assert_eq!(
        read.select(["load{host=a}", "load{host=ü b}", "state{host=a}"])?,
        table
    );

    // Aggregated, and in the other order of time.
    let hourly = QueryMetric::new("load")
        .tag("host", ["a"])
        .aggregate(RangeAggregator::count(Relative::hours(1)).align_start_time());
    let hours = client
        .query_table(&Query::since(begin).metric(hourly))
        .await?;
    let counts = hours.column("load")?.as_primitive::<Int64Type>();
    assert_eq!((hours.len(), counts.values().iter().sum::<i64>()), (9, 500));
    let latest = Query::since(begin).metric(by_host("load").order(Order::Descending).limit(5));
    let latest = client.query_table(&latest).await?;
    assert_eq!(latest.times().last(), Some(&(begin + 499 * 60_000)));
    assert_eq!(latest.drop_gaps().len(), 2);
    Ok(())
}
