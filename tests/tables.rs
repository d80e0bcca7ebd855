//! Tables of points: which columns and rows there are, what is done with gaps, joins, times, print.

#![cfg(feature = "tables")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float32Array, Int64Array, LargeStringArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow_schema::{DataType, TimeUnit};
use chrono::{NaiveDate, TimeZone, Utc};
use headwater::timeseries::{
    Column, Duplicates, Moment, Point, PointValue, Table, TableError, TableSchema, TimeType, Why,
};

type Tested = Result<(), Box<dyn std::error::Error>>;

const NULL: PointValue = PointValue::Null;

fn points<V: Into<PointValue> + Clone>(metric: &str, values: &[(i64, V)]) -> Vec<Point> {
    let point = |(millis, value): &(i64, V)| Point::new(metric, *millis, value.clone());
    values.iter().map(point).collect()
}

/// The example of the original: `a` at 1, 2, 3, 5, and `b` at 2, 4.
fn example() -> Table {
    let mut all = points("a", &[(1, 10), (2, 20), (3, 30), (5, 50)]);
    all.extend(points("b", &[(2, 200), (4, 400)]));
    Table::of(all).unwrap()
}

/// The values of a row.
fn row(table: &Table, row: usize) -> Vec<PointValue> {
    let value = |name| table.value(row, name).unwrap();
    table.names().map(value).collect()
}

fn rows(table: &Table) -> Vec<(i64, Vec<PointValue>)> {
    let times = table.times().iter().enumerate();
    times.map(|(at, &time)| (time, row(table, at))).collect()
}

/// Rows of two integers, where 0 is a gap.
fn ints(rows: &[[i64; 3]]) -> Vec<(i64, Vec<PointValue>)> {
    let value = |int: i64| if int == 0 { NULL } else { int.into() };
    let row = |[time, a, b]: &[i64; 3]| (*time, vec![value(*a), value(*b)]);
    rows.iter().map(row).collect()
}

#[test]
fn metrics_are_joined_on_time_with_gaps_where_one_has_no_value() {
    let table = example();
    let want = [
        [1, 10, 0],
        [2, 20, 200],
        [3, 30, 0],
        [4, 0, 400],
        [5, 50, 0],
    ];
    assert_eq!(rows(&table), ints(&want));
    let batch = table.batch();
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(batch.schema().field(0).data_type(), &utc);
    assert!(!batch.schema().field(0).is_nullable());
    let times = batch.column(0).as_primitive::<TimestampMillisecondType>();
    assert_eq!(times.values()[..], [1, 2, 3, 4, 5]);
    let a = batch
        .column_by_name("a")
        .unwrap()
        .as_primitive::<Int64Type>();
    assert_eq!(
        a.iter().collect::<Vec<_>>(),
        [Some(10), Some(20), Some(30), None, Some(50)]
    );
}

#[test]
fn gaps_are_filled_in_the_order_of_time() -> Tested {
    let forward = [
        [1, 10, 0],
        [2, 20, 200],
        [3, 30, 200],
        [4, 30, 400],
        [5, 50, 400],
    ];
    let backward = [
        [1, 10, 200],
        [2, 20, 200],
        [3, 30, 400],
        [4, 50, 400],
        [5, 50, 0],
    ];
    assert_eq!(rows(&example().fill_forward()?), ints(&forward));
    assert_eq!(rows(&example().fill_backward()?), ints(&backward));
    // In whichever order the rows are.
    let reversed = |mut rows: Vec<(i64, Vec<PointValue>)>| {
        rows.reverse();
        rows
    };
    let descending = example().descending();
    assert!(descending.is_descending());
    assert_eq!(rows(&descending.fill_forward()?), reversed(ints(&forward)));
    assert_eq!(
        rows(&descending.fill_backward()?),
        reversed(ints(&backward))
    );
    Ok(())
}

#[test]
fn only_rows_that_really_trail_are_dropped() -> Tested {
    let kept = example().drop_trailing_gaps();
    assert_eq!(kept.times(), [1, 2, 3, 4]);
    let descending = example().descending().drop_trailing_gaps();
    assert_eq!(descending.times(), [4, 3, 2, 1]);
    assert_eq!(example().drop_gaps().times(), [2]);
    // A column without any value does not count there.
    let silent = Table::builder().metrics(["a", "silent"]);
    let table = silent.points(points("a", &[(1, 1), (2, 2)]))?;
    assert_eq!(table.drop_trailing_gaps(), table);
    assert!(table.drop_gaps().is_empty());
    assert_eq!(table.drop_empty(), table);
    Ok(())
}

#[test]
fn a_table_may_be_empty_or_have_one_row_or_only_gaps() -> Tested {
    let none = Table::of(Vec::<Point>::new())?;
    assert_eq!((none.len(), none.names().len()), (0, 0));
    let silent = Table::builder()
        .metrics(["x", "y"])
        .points(Vec::<Point>::new())?;
    assert!(silent.names().eq(["x", "y"]));
    assert_eq!(silent.column("x")?.data_type(), &DataType::Float64);
    let one = Table::of(points("a", &[(7, 1)]))?;
    let gaps = Table::of([Point::new("a", 1, NULL), Point::new("a", 2, NULL)])?;
    assert_eq!(gaps.len(), 2);
    assert!(gaps.drop_empty().is_empty());
    assert_eq!(gaps.drop_trailing_gaps().len(), 2);
    for table in [&none, &silent, &one, &gaps] {
        assert_eq!(&table.fill_forward()?, table);
        assert_eq!(&table.fill_backward()?, table);
        assert_eq!(&table.descending().ascending(), table);
        assert_eq!(&table.between("1969-12-31".."1970-01-02")?, table);
        assert_eq!(table.between(8..)?.len(), 0);
        assert_eq!(table.join(&none)?.len(), table.len());
        assert_eq!(none.join(table)?.times(), table.times());
        assert_eq!(
            table.join_nearest(&silent, Duration::MAX)?.len(),
            table.len()
        );
        assert!(table.to_string().contains("; times in UTC\n"));
    }
    Ok(())
}

#[test]
fn a_column_holds_the_narrowest_type_that_its_values_have() -> Tested {
    let big = (1_i64 << 53) + 1;
    let mut all = points("ints", &[(1, big), (2, -1)]);
    all.extend([Point::new("mixed", 1, 3), Point::new("mixed", 2, 0.5)]);
    all.extend([Point::new("texts", 1, "x"), Point::new("texts", 2, "")]);
    all.extend([
        Point::new("all", 1, 3),
        Point::new("all", 2, 3.0),
        Point::new("all", 3, "drei"),
        Point::new("all", 4, NULL),
    ]);
    let table = Table::of(all)?;
    let types = table
        .names()
        .map(|name| table.column(name).unwrap().data_type().clone());
    let types: Vec<_> = types.collect();
    use DataType::{Float64, Int64, Utf8};
    assert_eq!(types, [Int64, Float64, Utf8, Utf8]);
    assert_eq!(table.value(0, "ints")?, big.into());
    let mixed = table.column("mixed")?.as_primitive::<Float64Type>();
    assert_eq!(mixed.value(0), 3.0);
    assert_eq!(table.value(1, "texts")?, "".into());
    let all: Vec<_> = (0..4).map(|row| table.value(row, "all").unwrap()).collect();
    assert_eq!(all, ["3".into(), "3.0".into(), "drei".into(), NULL]);
    Ok(())
}

#[test]
fn a_nan_is_a_value_and_a_null_is_a_gap_that_gives_way() -> Tested {
    let table = Table::of([
        Point::new("a", 1, f64::NAN),
        Point::new("a", 1, NULL),
        Point::new("b", 2, NULL),
        Point::new("b", 2, 5),
    ])?;
    assert_eq!(
        rows(&table),
        [(1, vec![f64::NAN.into(), NULL]), (2, vec![NULL, 5.into()])]
    );
    assert_eq!(table.replaced(), 0);
    assert_eq!(table.fill_forward()?.drop_gaps().times(), [2]);
    assert_eq!(table.fill_forward()?.value(1, "a")?, f64::NAN.into());
    Ok(())
}

#[test]
fn of_several_values_at_one_time_one_holds_and_the_others_are_counted() -> Tested {
    let all = points("m", &[(2, 1), (1, 5), (2, 2), (2, 3)]);
    let last = Table::of(&all)?;
    assert_eq!(
        (rows(&last), last.replaced()),
        (vec![(1, vec![5.into()]), (2, vec![3.into()])], 2)
    );
    let first = Table::builder()
        .duplicates(Duplicates::First)
        .points(&all)?;
    assert_eq!((first.value(1, "m")?, first.replaced()), (1.into(), 2));
    let error = Table::builder()
        .duplicates(Duplicates::Fail)
        .points(&all)
        .unwrap_err();
    let column = "m".to_owned();
    assert_eq!(error, TableError::Duplicate { column, millis: 2 });
    assert_eq!(
        error.to_string(),
        "column \"m\" has two values at 2: let the first or the last one hold, or tell their series apart by tags"
    );
    Ok(())
}

#[test]
fn columns_are_metrics_groups_of_tags_or_series() -> Tested {
    let point = |host: &str, room: &str, millis| {
        Point::new("m", millis, millis).tagged([("host", host), ("room", room), ("plant", "ü")])
    };
    let mut all = vec![point("b", "1", 1), point("a", "1", 2), point("a", "2", 3)];
    all.push(Point::new("m", 4, 4));
    let table = |builder: headwater::timeseries::TableBuilder| builder.points(&all);
    assert!(table(Table::builder())?.names().eq(["m"]));
    let by_host = table(Table::builder().by_tags(["host", "none"]))?;
    assert!(by_host.names().eq(["m{host=b}", "m{host=a}", "m"]));
    assert_eq!(by_host.value(2, "m{host=a}")?, 3.into());
    let series = table(Table::builder().by_series())?;
    assert_eq!(series.names().next(), Some("m{host=b plant=ü room=1}"));
    assert_eq!(series.names().len(), 4);
    // Tags that all points of a column have are kept for who writes it.
    let back: Vec<_> = by_host
        .points()
        .filter(|p| p.millis() > 1 && p.millis() < 4)
        .collect();
    let tags: Vec<_> = back.iter().map(|point| point.tags().to_string()).collect();
    assert_eq!(tags, ["host=a plant=ü"; 2]);
    assert!(series.points().eq(all.iter().cloned()));
    Ok(())
}

#[test]
fn columns_of_one_name_are_told_apart() -> Tested {
    let table = Table::builder().by_tags(["n"]).points([
        Point::new("time", 1, 1),
        Point::new("m", 1, 2).tagged([("n", 1)]),
        Point::new("m", 1, 3).tagged([("n", "1")]),
        Point::new("m{n=1} (2)", 1, 4),
        Point::new("m{n=1}", 1, 5),
    ])?;
    let names = [
        "time (2)",
        "m{n=1}",
        "m{n=1} (2)",
        "m{n=1} (2) (2)",
        "m{n=1} (3)",
    ];
    assert!(
        table.names().eq(names),
        "{:?}",
        table.names().collect::<Vec<_>>()
    );
    // What was what is not forgotten.
    let metrics: Vec<_> = table
        .points()
        .map(|point| point.metric().to_owned())
        .collect();
    assert_eq!(metrics, ["time", "m", "m", "m{n=1} (2)", "m{n=1}"]);
    let doubled = example().join(&example())?;
    assert!(doubled.names().eq(["a", "b", "a (2)", "b (2)"]));
    let metrics: Vec<_> = doubled
        .points()
        .map(|point| point.metric().to_owned())
        .collect();
    assert_eq!(metrics.iter().filter(|metric| *metric == "a").count(), 8);
    assert!(doubled.rename("a (2)", "b").is_err());
    assert!(doubled.rename("a (2)", "time").is_err());
    let renamed = doubled.rename("a (2)", "größe")?;
    assert!(renamed.names().eq(["a", "b", "größe", "b (2)"]));
    assert_eq!(
        renamed
            .points()
            .filter(|point| point.metric() == "größe")
            .count(),
        4
    );
    Ok(())
}

#[test]
fn times_have_the_type_that_is_asked_for() -> Tested {
    let types = [
        (
            TimeType::Utc,
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ),
        (
            TimeType::Naive,
            DataType::Timestamp(TimeUnit::Millisecond, None),
        ),
        (TimeType::Millis, DataType::Int64),
    ];
    for (time_type, data_type) in types {
        let builder = Table::builder().time_type(time_type).time_name("when");
        let table = builder.points(points("m", &[(-1, 1)]))?;
        assert_eq!(table.schema().field(0).data_type(), &data_type);
        assert_eq!((table.time_name(), table.time_type()), ("when", time_type));
        assert_eq!(table.with_time_type(TimeType::Utc).times(), [-1]);
        for other in [
            table.descending(),
            table.fill_forward()?,
            table.join(&table)?,
        ] {
            assert_eq!(other.schema().field(0), table.schema().field(0));
        }
    }
    Ok(())
}

#[test]
fn the_nearest_row_within_the_tolerance_is_joined() -> Tested {
    let left = Table::of(points("l", &[(0, 0), (10, 10), (20, 20), (30, 30)]))?;
    let right = Table::of(points("r", &[(-4, -4), (6, 6), (14, 14), (36, 36)]))?;
    let joined = |millis| {
        let joined = left
            .join_nearest(&right, Duration::from_millis(millis))
            .unwrap();
        let values = (0..4).map(|row| joined.value(row, "r").unwrap());
        values.collect::<Vec<_>>()
    };
    assert_eq!(joined(3), [NULL, NULL, NULL, NULL]);
    // 10 is as near to 6 as to 14: the earlier one.
    assert_eq!(joined(4), [(-4).into(), 6.into(), NULL, NULL]);
    assert_eq!(joined(6), [(-4).into(), 6.into(), 14.into(), 36.into()]);
    let backwards = left
        .descending()
        .join_nearest(&right.descending(), Duration::from_millis(4))?;
    assert_eq!(backwards.times(), [30, 20, 10, 0]);
    assert_eq!(backwards.value(2, "r")?, 6.into());
    // The ends of time.
    let ends = Table::of(points("e", &[(i64::MIN, 1), (i64::MAX, 2)]))?;
    let joined = ends.join_nearest(&left, Duration::MAX)?;
    assert_eq!(rows(&joined)[1], (i64::MAX, vec![2.into(), 30.into()]));
    let outer = ends.join(&left)?;
    assert_eq!((outer.len(), outer.times()[0]), (6, i64::MIN));
    assert!(ends.to_string().contains("9223372036854775807"));
    Ok(())
}

#[test]
fn a_stretch_of_time_is_given_by_text_number_or_datetime() -> Tested {
    const HOUR: i64 = 3_600_000;
    let noon = Utc.with_ymd_and_hms(2024, 3, 1, 12, 0, 0).unwrap();
    let at = noon.timestamp_millis();
    let hours: Vec<Point> = (0..24).map(|h| Point::new("m", at + h * HOUR, h)).collect();
    let table = Table::of(&hours)?;
    let first = |table: Result<Table, TableError>| {
        let table = table.unwrap();
        (table.len(), table.value(0, "m").unwrap())
    };
    for table in [table.clone(), table.descending().descending()] {
        assert_eq!(
            first(table.between("2024-03-01 14:00".."2024-03-01T16:00:00Z")).0,
            2
        );
        assert_eq!(
            first(table.between("2024-03-01 14:00"..="2024-03-01T16:00:00Z")).0,
            3
        );
        assert_eq!(first(table.between("2024-03-01T15:00:00+01:00"..)).0, 22);
        assert_eq!(
            first(table.between(noon..noon + chrono::TimeDelta::hours(1))).0,
            1
        );
        assert_eq!(first(table.between(at..at + 2 * HOUR)).0, 2);
        assert_eq!(table.between(at + HOUR..at)?.len(), 0);
        assert_eq!(table.between::<i64>(..)?.len(), 24);
    }
    assert_eq!(first(table.between("2024-03-02"..)), (12, 12.into()));
    let day = NaiveDate::from_ymd_opt(2024, 3, 2).unwrap();
    assert_eq!(first(table.between(day..)).0, 12);
    let system: SystemTime = SystemTime::UNIX_EPOCH + Duration::from_millis(at as u64 + 1);
    assert_eq!(first(table.between(system..)).0, 23);
    let backwards = table
        .descending()
        .between("2024-03-01 14:00".."2024-03-01 16:00")?;
    assert_eq!(backwards.times(), [at + 3 * HOUR, at + 2 * HOUR]);
    let error = table.between("yesterday"..).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"yesterday\" is no time: write it like \"2024-03-01T12:00:00Z\" or \"2024-03-01 12:00\" (which is UTC)"
    );
    Ok(())
}

#[test]
fn times_are_read_in_many_forms() {
    let good = [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T00:00:01.5+00:00", 1_500),
        ("1970-01-01 00:00:01.0009", 1_000),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01 00:00 +0000", 0),
        ("1970-01-01+01:00", -3_600_000),
        (" 1970-01-02 ", 86_400_000),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1969-12-31T23:59:59.9995Z", -1),
    ];
    for (text, millis) in good {
        assert_eq!(text.moment(), Ok(millis), "{text}");
        assert_eq!(text.to_owned().moment(), Ok(millis));
    }
    for text in [
        "",
        "now",
        "1700000000000",
        "2024-13-01",
        "2024-02-30",
        "12:00",
        "2024-01-01T25:00Z",
    ] {
        assert_eq!(text.moment().unwrap_err().text(), text);
    }
    let before = SystemTime::UNIX_EPOCH - Duration::from_micros(1);
    assert_eq!(before.moment(), Ok(-1));
}

#[test]
fn columns_that_are_not_there_are_named() {
    let error = example().column("c").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no column \"c\": there are [\"a\", \"b\"]"
    );
    assert!(example().select(["a", "a"]).is_err());
    assert!(example().select(["b", "a"]).unwrap().names().eq(["b", "a"]));
    assert_eq!(example().select(Vec::<&str>::new()).unwrap().len(), 5);
}

#[test]
fn a_record_batch_of_any_order_and_types_becomes_a_table() -> Tested {
    let columns: [(&str, ArrayRef); 6] = [
        (
            "on",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "at",
            Arc::new(TimestampSecondArray::from(vec![2, -1, 1]).with_timezone("+01:00")),
        ),
        ("f", Arc::new(Float32Array::from(vec![0.5, 1.5, f32::NAN]))),
        ("u", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
        ("huge", Arc::new(UInt64Array::from(vec![1, 2, u64::MAX]))),
        (
            "s",
            Arc::new(LargeStringArray::from(vec![Some("x"), None, Some("ü")])),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true)))?;
    let table = Table::from_batch(&batch, "at")?;
    assert_eq!(table.times(), [-1_000, 1_000, 2_000]);
    assert_eq!(table.time_type(), TimeType::Utc);
    assert_eq!(
        row(&table, 0),
        [NULL, 1.5.into(), 2.into(), 2.0.into(), NULL]
    );
    assert_eq!(row(&table, 1)[3..], [(u64::MAX as f64).into(), "ü".into()]);
    assert_eq!(row(&table, 2)[0], 1.into());
    // A table's own batch is the same table.
    let again = Table::from_batch(example().descending().batch(), "time")?;
    assert_eq!(again, example().descending());
    Ok(())
}

#[test]
fn times_of_a_record_batch_may_come_twice_in_small_units() -> Tested {
    let times = TimestampMicrosecondArray::from(vec![1_999, -1, 1_000, 5_000]);
    let values = Int64Array::from(vec![Some(1), Some(2), Some(3), None]);
    let columns: [(&str, ArrayRef); 2] = [("t", Arc::new(times)), ("v", Arc::new(values))];
    let table = Table::from_batch(&RecordBatch::try_from_iter(columns)?, "t")?;
    assert_eq!(
        rows(&table),
        [(-1, vec![2.into()]), (1, vec![3.into()]), (5, vec![NULL])]
    );
    assert_eq!((table.replaced(), table.time_type()), (1, TimeType::Naive));
    let days: [(&str, ArrayRef); 1] = [("day", Arc::new(Date32Array::from(vec![1, -1])))];
    let table = Table::from_batch(&RecordBatch::try_from_iter(days)?, "day")?;
    assert_eq!(
        (table.times(), table.is_descending()),
        (&[86_400_000, -86_400_000][..], true)
    );
    Ok(())
}

#[test]
fn what_is_no_table_is_told() -> Tested {
    let batch = |column: ArrayRef| RecordBatch::try_from_iter([("t", column)]).unwrap();
    let told = |column: ArrayRef, time: &str| {
        Table::from_batch(&batch(column), time)
            .unwrap_err()
            .to_string()
    };
    let ints = || Arc::new(Int64Array::from(vec![Some(1), None]));
    assert_eq!(
        told(ints(), "time"),
        "there is no column \"time\": there are [\"t\"]"
    );
    assert_eq!(told(ints(), "t"), "row 1 has no time: leave it out");
    let seconds = Arc::new(TimestampSecondArray::from(vec![0, i64::MAX]));
    assert_eq!(
        told(seconds, "t"),
        "the time of row 1 has no place in 64 bits of milliseconds"
    );
    let texts = Arc::new(StringArray::from(vec!["2024-01-01"]));
    assert!(told(texts, "t").starts_with("column \"t\" holds no times, but Utf8"));
    let lists = arrow_array::ListArray::new_null(
        Arc::new(arrow_schema::Field::new("item", DataType::Int8, true)),
        1,
    );
    let columns: [(&str, ArrayRef); 2] = [
        ("t", Arc::new(Int64Array::from(vec![1]))),
        ("l", Arc::new(lists)),
    ];
    let error = Table::from_batch(&RecordBatch::try_from_iter(columns)?, "t").unwrap_err();
    assert!(matches!(error, TableError::Unsupported { column, .. } if column == "l"));
    Ok(())
}

#[test]
fn a_schema_is_known_before_the_points_and_what_does_not_fit_is_handed_back() {
    let schema = TableSchema::new([
        Column::new("m").tag("host", "a").named("of a"),
        Column::new("m").int(),
        Column::new("state").text(),
        Column::new("time"),
    ])
    .time_type(TimeType::Millis);
    let empty = schema.table([]);
    assert_eq!(empty.table.schema(), *schema.arrow());
    let m = |millis, value: PointValue| Point::new("m", millis, value).tagged([("host", "a")]);
    let tabled = schema.table([
        m(2, 2.0.into()),
        m(1, 0.5.into()),
        Point::new("m", 2, 7),
        Point::new("state", 1, "on"),
        Point::new("state", 3, 5),
        Point::new("state", 4, NULL),
        Point::new("time", 2, "late"),
        Point::new("other", 2, 1),
    ]);
    assert_eq!(tabled.table.schema(), *schema.arrow());
    assert!(tabled.table.names().eq(["of a", "m", "state", "time (2)"]));
    assert_eq!(
        rows(&tabled.table),
        [
            (1, vec![0.5.into(), NULL, "on".into(), NULL]),
            (2, vec![2.0.into(), 7.into(), NULL, NULL]),
            (3, vec![NULL, NULL, "5".into(), NULL]),
            (4, vec![NULL, NULL, NULL, NULL]),
        ]
    );
    let unplaced: Vec<_> = tabled.unplaced.iter().map(ToString::to_string).collect();
    assert_eq!(
        unplaced,
        [
            "m{host=a} 2.0 @ 2 has no place in the table: column \"m\" has a later one of that time",
            "m{host=a} 0.5 @ 1 has no place in the table: column \"m\" holds another type",
            "time \"late\" @ 2 has no place in the table: column \"time (2)\" holds another type",
            "other 1 @ 2 has no place in the table: there is no column for it",
        ]
    );
    assert_eq!(tabled.unplaced[3].why, Why::NoColumn);
}

#[test]
fn a_table_prints_in_columns() -> Tested {
    let mut all = points(
        "größe",
        &[
            (1_700_000_000_000, 30.200_000_000_000_003),
            (1_700_000_060_000, -0.5),
        ],
    );
    all.push(Point::new("温度", 1_700_000_000_000, 7));
    all.push(Point::new("log", 1_700_000_060_000, "two\nlines"));
    all.push(Point::new("tiny", 1_700_000_060_000, 1e-300));
    let table = Table::of(all)?;
    let want = "\
time                 größe  温度  log           tiny
───────────────────  ─────  ────  ──────────  ──────
2023-11-14 22:13:20   30.2     7  ·                ·
2023-11-14 22:14:20   -0.5     ·  two\\nlines  1e-300
2 rows, 4 columns; times in UTC
";
    assert_eq!(table.to_string(), want);
    // However long a text is, and however narrow its letters.
    let long = [
        "x".repeat(1_000_000),
        "\u{301}".repeat(1_000_000),
        "長".repeat(1_000),
    ];
    let long = Table::of((0..).zip(long).map(|(t, text)| Point::new("t", t, text)))?;
    let cut: Vec<_> = long
        .to_string()
        .lines()
        .skip(2)
        .map(str::to_owned)
        .collect();
    assert!(
        cut[0].ends_with(&format!("  {}…", "x".repeat(31))),
        "{}",
        cut[0]
    );
    assert!(cut[1].len() < 300 && cut[1].ends_with('…'));
    assert!(
        cut[2].ends_with(&format!("  {}…", "長".repeat(15))),
        "{}",
        cut[2]
    );
    assert!(format!("{table:#}").contains("30.200000000000003"));
    Ok(())
}

#[test]
fn a_long_and_wide_table_is_cut_in_the_middle_and_says_so() -> Tested {
    let all = (0..1000).flat_map(|n| {
        let metric = move |m| Point::new(format!("metric_{m}"), n * 60_000, n * m);
        (0..50).map(metric)
    });
    let table = Table::of(all)?;
    let text = format!("{table:60.4}");
    let want = "\
time                 metric_0  metric_1  …  metric_49
───────────────────  ────────  ────────  ─  ─────────
1970-01-01 00:00:00         0         0  …          0
1970-01-01 00:01:00         0         1  …         49
…                           …         …  …          …
1970-01-01 16:38:00         0       998  …      48902
1970-01-01 16:39:00         0       999  …      48951
1000 rows (4 shown), 50 columns (3 shown); times in UTC
";
    assert_eq!(text, want);
    assert_eq!(table.to_string().lines().count(), 20 + 4);
    assert!(
        table
            .to_string()
            .lines()
            .all(|line| line.chars().count() <= 100)
    );
    assert_eq!(format!("{table:#}").lines().count(), 1003);
    assert_eq!(format!("{table:10.0}").lines().count(), 4);
    Ok(())
}
