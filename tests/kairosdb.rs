//! The client of KairosDB against KairosDB itself: every call, every aggregator, what goes wrong.
//!
//! One server is started for all of these tests; each has metrics of its own.

#![cfg(feature = "kairosdb")]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use headwater::metrics::Tags;
use headwater::timeseries::kairosdb::{
    Aggregator, Answer, Comparison, Deviation, Group, GroupBy, Gzip, KairosDb, KairosStore, Order,
    Query, QueryMetric, RangeAggregator, Reason, Relative, Threshold, TimeUnit, Trim, When,
};
use headwater::timeseries::{Point, PointValue, Range, Store};
use headwater_services::or_skip;
use serde_json::json;

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// It goes with this process.
static SERVER: LazyLock<Option<headwater_services::KairosDb>> =
    LazyLock::new(|| or_skip(headwater_services::KairosDb::start()));

/// A client of the server, unless the machine has none.
async fn client() -> Option<KairosDb> {
    let server = tokio::task::spawn_blocking(|| SERVER.as_ref()).await;
    let server = server.expect("starting it does not panic")?;
    Some(KairosDb::new(server.url()).expect("a URL"))
}

macro_rules! client {
    () => {
        match client().await {
            Some(client) => client,
            None => return Ok(()),
        }
    };
}

/// Some time in 2023.
const THEN: i64 = 1_700_000_000_000;

/// A point of a host `a`.
fn point(metric: &str, millis: i64, value: impl Into<PointValue>) -> Point {
    Point::new(metric, millis, value).tagged([("host", "a")])
}

fn everything(metric: impl Into<QueryMetric>) -> Query {
    Query::since(-THEN).metric(metric)
}

/// Asks until so many points can be read: they are queued first.
async fn read(client: &KairosDb, query: &Query, points: u64) -> Result<Answer, Failed> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = client.query(query).await?;
        let sizes = answer.queries.iter().filter_map(|query| query.sample_size);
        let read: u64 = sizes.sum();
        if read >= points || Instant::now() > end {
            assert_eq!(read, points, "{answer:?}");
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes points, and waits until they can be read.
async fn written(client: &KairosDb, points: &[Point]) -> Tested {
    let queued = client.write(points).await?;
    assert_eq!(queued.points, points.len());
    let mut metrics: BTreeMap<&str, u64> = BTreeMap::new();
    for point in points {
        *metrics.entry(point.metric()).or_default() += 1;
    }
    for (metric, count) in metrics {
        read(client, &everything(metric), count).await?;
    }
    Ok(())
}

fn sorted(points: impl IntoIterator<Item = Point>) -> Vec<Point> {
    let mut points: Vec<Point> = points.into_iter().collect();
    points.sort();
    points
}

#[tokio::test]
async fn numbers_and_texts_are_read_back_as_they_were_written() -> Tested {
    let client = client!();
    let numbers = [
        1e300,
        -1e-300,
        5e-324,
        f64::MAX,
        0.1 + 0.2,
        1e16,
        123_456_789.123_456_79,
        -0.0,
    ];
    let mut points = Vec::new();
    for (at, number) in numbers.into_iter().enumerate() {
        points.push(point("kinds", at as i64 - 3, number));
    }
    for (at, int) in [i64::MIN, i64::MAX, 0, 9_007_199_254_740_993]
        .into_iter()
        .enumerate()
    {
        points.push(point("kinds", THEN + at as i64, int));
    }
    // Texts that look like numbers stay texts; and a text may be at the time of a number.
    for (at, text) in ["12", "1.5", "tex\"t\\ \n ü 🦀", " "]
        .into_iter()
        .enumerate()
    {
        points.push(point("kinds", THEN + at as i64, text));
    }
    written(&client, &points).await?;
    let answer = client.query(&everything("kinds")).await?;
    let read: Vec<Point> = answer.points().collect();
    assert_eq!(sorted(read.clone()), sorted(points.clone()));
    let bits = |points: &[Point]| -> Vec<u64> {
        let floats = points.iter().filter(|point| point.millis() < THEN);
        floats
            .map(|point| point.number().unwrap().as_f64().to_bits())
            .collect()
    };
    assert_eq!(bits(&read), bits(&points));
    let kinds: Vec<_> = answer.series().map(|series| series.kind()).collect();
    assert_eq!(kinds, [Some("number"), Some("text")]);
    Ok(())
}

#[tokio::test]
async fn the_store_takes_floats_for_doubles_and_integers_for_longs() -> Tested {
    let client = client!();
    // Of two types, they are two points; of one type, the later one holds.
    let points = [
        point("types", THEN, 3),
        point("types", THEN, 3.0),
        point("types", THEN, 4),
        point("types", THEN, 5.0),
    ];
    client.write(&points).await?;
    let answer = read(&client, &everything("types"), 2).await?;
    let values: Vec<_> = sorted(answer.points())
        .iter()
        .map(|point| point.number())
        .collect();
    assert_eq!(values, [Some(4.into()), Some(5.0.into())]);
    Ok(())
}

#[tokio::test]
async fn names_and_tags_are_of_all_scripts() -> Tested {
    let client = client!();
    let name = "größe/\"x\" ?&%20#\\ 温度 🦀";
    let tags = [("stadt", "Köln \"Süd\""), ("温度", "=, {}"), ("n", "1")];
    let written_points = [Point::new(name, THEN, 1.5).tagged(tags)];
    written(&client, &written_points).await?;
    let query = everything(QueryMetric::new(name).tag("stadt", ["Köln \"Süd\"", "Bonn"]));
    let answer = client.query(&query).await?;
    assert_eq!(answer.points().collect::<Vec<_>>(), written_points);
    assert_eq!(client.metric_names_with("größe/\"x\" ?&").await?, [name]);
    assert!(client.metric_names().await?.contains(&name.to_owned()));
    client.delete_metric(name).await?;
    assert!(!client.metric_names().await?.contains(&name.to_owned()));
    Ok(())
}

#[tokio::test]
async fn tags_that_are_no_texts_become_texts_and_the_clients_own_are_on_each_point() -> Tested {
    let Some(server) = tokio::task::spawn_blocking(|| SERVER.as_ref()).await? else {
        return Ok(());
    };
    let builder = KairosDb::builder(server.url())
        .tag("uuid", "u-7")
        .tag("plant", 7);
    let client = builder.build()?;
    let tags: Tags = [("on", true)].into();
    let points = [
        Point::new("tagged", THEN, 1).tagged(tags.with("uuid", "mine").with("load", 0.5)),
        Point::new("tagged", THEN, 2),
    ];
    client.write(&points).await?;
    read(&client, &everything("tagged"), 2).await?;
    let query = everything(QueryMetric::new("tagged").group_by(GroupBy::tags(["on"])));
    let answer = client.query(&query).await?;
    let read = sorted(answer.points());
    let own: Tags = [("uuid", "u-7"), ("plant", "7")].into();
    let expected = [
        Point::new("tagged", THEN, 1).tagged(own.with("on", "true").with("load", "0.5")),
        Point::new("tagged", THEN, 2).tagged(&own),
    ];
    assert_eq!(read, expected);
    Ok(())
}

#[tokio::test]
async fn a_hundred_thousand_points_are_read_back_equal() -> Tested {
    let client = client!();
    let hosts: Vec<Tags> = (0..7).map(|n| [("host", format!("h{n}"))].into()).collect();
    let point = |n: i64| {
        // Integers and doubles, and times that many hosts share.
        let (millis, tags) = (THEN + n / 3, &hosts[n as usize % hosts.len()]);
        match n % 2 {
            0 => Point::new("many", millis, n).tagged(tags),
            _ => Point::new("many", millis, n as f64 / 7.0).tagged(tags),
        }
    };
    let points: Vec<Point> = (0..100_000).map(point).collect();
    let queued = client.write_iter((0..100_000).map(point)).await?;
    assert_eq!(queued.points, 100_000);
    assert!(queued.requests >= 10, "{queued:?}");
    let query = everything(QueryMetric::new("many").group_by(GroupBy::tags(["host"])));
    let answer = read(&client, &query, 100_000).await?;
    assert_eq!(answer.series().count(), 7);
    assert!(sorted(answer.points()) == sorted(points));
    Ok(())
}

#[tokio::test]
async fn points_go_compressed_either_way() -> Tested {
    let Some(server) = tokio::task::spawn_blocking(|| SERVER.as_ref()).await? else {
        return Ok(());
    };
    for (metric, gzip) in [
        ("gzip.encoding", Gzip::ContentEncoding),
        ("gzip.type", Gzip::ContentType),
    ] {
        let client = KairosDb::builder(server.url()).gzip(gzip).build()?;
        let points: Vec<Point> = (0..1000).map(|n| point(metric, THEN + n, n)).collect();
        client.write(&points).await?;
        let exchange = client.last_exchange().expect("there was one");
        assert!(
            exchange.sent_bytes * 2 < exchange.payload.len(),
            "{exchange:?}"
        );
        let answer = read(&client, &everything(metric), 1000).await?;
        assert_eq!(sorted(answer.points()), points);
    }
    Ok(())
}

#[tokio::test]
async fn points_expire() -> Tested {
    let client = client!();
    // H2 knows no time to live; that the store takes it is what can be seen.
    let points = [point("expiring", THEN, 1)];
    client
        .write_expiring(&points, Duration::from_millis(1500))
        .await?;
    let payload = client
        .last_exchange()
        .expect("there was one")
        .payload
        .text();
    assert!(payload.contains(r#""ttl":2"#), "{payload}");
    read(&client, &everything("expiring"), 1).await?;
    Ok(())
}

#[tokio::test]
async fn times_may_be_absolute_and_relative_in_every_unit() -> Tested {
    let client = client!();
    let now = SystemTime::now();
    let When::At(millis) = When::from(now) else {
        unreachable!()
    };
    const HOUR: i64 = 3_600_000;
    let ago = [
        (Relative::milliseconds(600_000), 9 * HOUR / 60),
        (Relative::seconds(3_000), 49 * HOUR / 60),
        (Relative::minutes(90), 89 * HOUR / 60),
        (Relative::hours(5), 4 * HOUR),
        (Relative::days(3), 71 * HOUR),
        (Relative::weeks(2), 13 * 24 * HOUR),
        (Relative::months(2), 58 * 24 * HOUR),
        (Relative::years(1), 364 * 24 * HOUR),
    ];
    let points = ago.map(|(_, ago)| point("ago", millis - ago, ago));
    written(&client, &points).await?;
    for (at, (relative, _)) in ago.into_iter().enumerate() {
        let answer = client.query(&Query::since(relative).metric("ago")).await?;
        assert_eq!(answer.points().count(), at + 1, "{relative}");
        let answer = client
            .query(&Query::between(0, relative).metric("ago"))
            .await?;
        assert_eq!(
            answer.points().count(),
            ago.len() - at - 1,
            "until {relative}"
        );
    }
    // Both ends are included, and without an end the future is too.
    written(&client, &[point("future", millis + HOUR, 1)]).await?;
    let future = |query: Query| {
        let client = client.clone();
        async move { Ok::<_, Failed>(client.query(&query).await?.points().count()) }
    };
    assert_eq!(future(Query::since(now).metric("future")).await?, 1);
    assert_eq!(
        future(Query::between(0, millis + HOUR).metric("future")).await?,
        1
    );
    assert_eq!(
        future(Query::between(millis + HOUR, millis + 2 * HOUR).metric("future")).await?,
        1
    );
    assert_eq!(
        future(Query::between(0, millis + HOUR - 1).metric("future")).await?,
        0
    );
    assert_eq!(
        future(Query::between(0, Duration::ZERO).metric("future")).await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn many_metrics_are_answered_in_their_order_by_one_request() -> Tested {
    let client = client!();
    let mut points = Vec::new();
    for n in 0..10 {
        points.extend([point("one", THEN + n, n), point("two", THEN + n, -n)]);
        points.push(Point::new("two", THEN + n, 100 + n).tagged([("host", "b"), ("dc", "x")]));
    }
    written(&client, &points).await?;
    let two = |hosts: &[&str]| QueryMetric::new("two").tag("host", hosts.iter().copied());
    let query = Query::since(THEN)
        .cache_time(Duration::from_secs(1))
        .metric("one")
        .metric(two(&["a", "b"]).limit(3).order(Order::Descending))
        .metrics([
            two(&["b"]).tag("dc", ["x", "y"]).exclude_tags(),
            two(&["b"]).tag("dc", ["y"]),
        ]);
    let answer = client.query(&query).await?;
    let exchange = client.last_exchange().expect("there was one");
    assert_eq!(exchange.attempts, 1);
    let [one, limited, excluded, none] = &answer.queries[..] else {
        panic!("{answer:?}")
    };
    assert_eq!(one.sample_size, Some(10));
    assert_eq!(one.results[0].name, "one");
    let values =
        |n: usize| -> Vec<(i64, PointValue)> { answer.queries[n].results[0].values.clone() };
    assert_eq!(values(0)[2], (THEN + 2, 2.into()));
    // Three of each stored set of tags are read, and three of these answered.
    assert_eq!(limited.sample_size, Some(6));
    let mut times: Vec<i64> = values(1).iter().map(|(millis, _)| millis - THEN).collect();
    times.dedup();
    assert_eq!((times, values(1).len()), (vec![9, 8], 3));
    assert_eq!(values(2).len(), 10);
    assert!(excluded.results[0].tags.is_empty());
    assert_eq!(
        (none.sample_size, none.results[0].values.len()),
        (Some(0), 0)
    );
    let all = client.query(&Query::since(THEN).metric("two")).await?;
    assert_eq!(all.queries[0].results[0].tags["host"], ["a", "b"]);
    Ok(())
}

#[tokio::test]
async fn points_are_grouped_by_tag_time_value_and_bin() -> Tested {
    let client = client!();
    let mut points: Vec<Point> = (0..8).map(|n| point("groups", n, n)).collect();
    points.push(Point::new("groups", 8, 8).tagged([("host", "b"), ("dc", "x")]));
    written(&client, &points).await?;
    let grouped = |by: GroupBy| {
        let metric = QueryMetric::new("groups").group_by(by);
        let query = Query::between(0, 10).metric(metric);
        let client = client.clone();
        async move {
            let answer = client.query(&query).await?;
            let group = |series: &headwater::timeseries::kairosdb::Series| {
                let times: Vec<i64> = series.values.iter().map(|(millis, _)| *millis).collect();
                (series.group_by[0].clone(), times)
            };
            Ok::<_, Failed>(answer.series().map(group).collect::<Vec<_>>())
        }
    };
    let tags = |host: &str, dc: &str| {
        let pairs = [("host", host), ("dc", dc)].map(|(name, value)| (name.into(), value.into()));
        Group::Tags(pairs.into())
    };
    let by_tags = grouped(GroupBy::tags(["host", "dc"])).await?;
    let expected = [(tags("a", ""), (0..8).collect()), (tags("b", "x"), vec![8])];
    assert_eq!(by_tags, expected);

    let time = |number| Group::Time {
        range_size: Relative::milliseconds(2),
        group_count: 3,
        number,
    };
    let by_time = grouped(GroupBy::time(Relative::milliseconds(2), 3)).await?;
    let expected = [
        (time(0), vec![0, 1, 6, 7]),
        (time(1), vec![2, 3, 8]),
        (time(2), vec![4, 5]),
    ];
    assert_eq!(by_time, expected);

    let value = |number| Group::Value {
        range_size: 5,
        number,
    };
    let by_value = grouped(GroupBy::value(5)).await?;
    assert_eq!(
        by_value,
        [
            (value(0), vec![0, 1, 2, 3, 4]),
            (value(1), vec![5, 6, 7, 8])
        ]
    );

    let bin = |number| Group::Bin {
        bins: vec![2.0, 6.0],
        number,
    };
    let by_bin = grouped(GroupBy::bins([2.0, 6.0])).await?;
    let expected = [
        (bin(0), vec![0, 1]),
        (bin(1), vec![2, 3, 4, 5]),
        (bin(2), vec![6, 7, 8]),
    ];
    assert_eq!(by_bin, expected);
    let raw = GroupBy::Raw(json!({"name": "bin", "bins": [2, 6]}));
    assert_eq!(grouped(raw).await?, expected);
    Ok(())
}

/// What an aggregator makes of these points.
const SAMPLES: [(i64, i64); 6] = [
    (1000, 1),
    (1500, 2),
    (2100, 4),
    (2900, 8),
    (5000, 16),
    (5001, 3),
];

async fn samples(client: &KairosDb, metric: &str) -> Tested {
    let points = SAMPLES.map(|(millis, value)| point(metric, millis, value));
    written(client, &points).await
}

async fn aggregated(
    client: &KairosDb,
    metric: &str,
    aggregator: impl Into<Aggregator>,
) -> Result<Vec<(i64, PointValue)>, Failed> {
    let metric = QueryMetric::new(metric).aggregate(aggregator);
    let query = Query::between(0, 9_999).metric(metric);
    let mut answer = client.query(&query).await?;
    Ok(std::mem::take(&mut answer.queries[0].results[0].values))
}

/// Times and values, which differ by rounding at most.
#[track_caller]
fn assert_values<V: Into<PointValue> + Copy>(got: &[(i64, PointValue)], expected: &[(i64, V)]) {
    let same = |(got, expected): (&(i64, PointValue), &(i64, V))| {
        let (PointValue::Number(value), PointValue::Number(wanted)) = (&got.1, expected.1.into())
        else {
            return false;
        };
        let difference = (value.as_f64() - wanted.as_f64()).abs();
        got.0 == expected.0 && difference <= 1e-12 * wanted.as_f64().abs()
    };
    let all = got.len() == expected.len() && got.iter().zip(expected).all(same);
    let expected: Vec<_> = expected
        .iter()
        .map(|&(at, value)| (at, value.into()))
        .collect();
    assert!(all, "{got:?} is not {expected:?}");
}

#[tokio::test]
async fn aggregators_of_ranges_come_to_what_they_should() -> Tested {
    let client = client!();
    samples(&client, "ranges").await?;
    let of = |aggregator: RangeAggregator| aggregated(&client, "ranges", aggregator);
    let second = Relative::seconds(1);
    let sum = RangeAggregator::sum(second);
    assert_values(
        &of(sum.clone()).await?,
        &[(1000, 3), (2100, 12), (5000, 19)],
    );
    assert_values(
        &of(sum.clone().align_start_time()).await?,
        &[(1000, 3), (2000, 12), (5000, 19)],
    );
    assert_values(
        &of(sum.clone().align_end_time()).await?,
        &[(2000, 3), (3000, 12), (6000, 19)],
    );
    let min = RangeAggregator::min(second);
    assert_values(&of(min).await?, &[(1000, 1), (2100, 4), (5000, 3)]);
    let max = RangeAggregator::max(Duration::from_secs(1));
    assert_values(&of(max).await?, &[(1000, 2), (2100, 8), (5000, 16)]);
    let avg = RangeAggregator::avg(second);
    assert_values(&of(avg).await?, &[(1000, 1.5), (2100, 6.0), (5000, 9.5)]);
    let count = RangeAggregator::count(Relative::seconds(4));
    assert_values(&of(count).await?, &[(1000, 4), (5000, 2)]);
    let first = RangeAggregator::first(second);
    assert_values(&of(first).await?, &[(1000, 1), (2100, 4), (5000, 16)]);
    let last = RangeAggregator::last(second);
    assert_values(&of(last.clone()).await?, &[(1500, 2), (2900, 8), (5001, 3)]);
    assert_values(
        &of(last.align_start_time()).await?,
        &[(1000, 2), (2000, 8), (5000, 3)],
    );
    // n − 1: the halves of 1², 4² and 13², and their roots.
    let [one, two, three] = [0.5_f64.sqrt(), 8_f64.sqrt(), 84.5_f64.sqrt()];
    let dev = RangeAggregator::dev(second);
    assert_values(&of(dev).await?, &[(1000, one), (2100, two), (5000, three)]);
    let value = RangeAggregator::dev_with(second, Deviation::Value, 1);
    assert_values(
        &of(value).await?,
        &[(1000, one), (2100, two), (5000, three)],
    );
    let above = RangeAggregator::dev_with(second, Deviation::Above, 2);
    let expected = [
        (1000, 1.5 + 2.0 * one),
        (2100, 6.0 + 2.0 * two),
        (5000, 9.5 + 2.0 * three),
    ];
    assert_values(&of(above).await?, &expected);
    let below = RangeAggregator::dev_with(second, Deviation::Below, 1);
    let expected = [(1000, 1.5 - one), (2100, 6.0 - two), (5000, 9.5 - three)];
    assert_values(&of(below).await?, &expected);
    // At position 0.5 · 7 of 1, 2, 3, 4, 8, 16.
    let median = RangeAggregator::percentile(Relative::minutes(1), 0.5);
    assert_values(&of(median).await?, &[(1000, 3.5)]);
    let lines = RangeAggregator::least_squares(Relative::seconds(4));
    // The best line through the first four points, at the times of the first and the last.
    let (times, values) = ([1000.0, 1500.0, 2100.0, 2900.0], [1.0, 2.0, 4.0, 8.0]);
    let mean = |all: [f64; 4]| all.iter().sum::<f64>() / 4.0;
    let (time, value) = (mean(times), mean(values));
    let moments: f64 = times
        .iter()
        .zip(values)
        .map(|(t, v)| (t - time) * (v - value))
        .sum();
    let slope = moments / times.iter().map(|t| (t - time).powi(2)).sum::<f64>();
    let line = |at: f64| value + slope * (at - time);
    let got = of(lines).await?;
    let expected = [
        (1000, line(1000.0)),
        (2900, line(2900.0)),
        (5000, 16.0),
        (5001, 3.0),
    ];
    assert_eq!(got.len(), 4);
    for ((at, got), (expected_at, expected)) in got.iter().zip(expected) {
        let PointValue::Number(got) = got else {
            panic!("{got:?}")
        };
        assert!(
            (got.as_f64() - expected).abs() < 1e-6 && *at == expected_at,
            "{got} {expected}"
        );
    }
    let gaps = of(RangeAggregator::gaps(Relative::seconds(2))).await?;
    let mut expected: Vec<(i64, PointValue)> = SAMPLES.map(|(at, value)| (at, value.into())).into();
    expected.extend([(6000, PointValue::Null), (8000, PointValue::Null)]);
    assert_eq!(gaps, expected);
    let raw = RangeAggregator::raw("sum", second).with("align_end_time", true);
    assert_values(&of(raw).await?, &[(2000, 3), (3000, 12), (6000, 19)]);
    Ok(())
}

#[tokio::test]
async fn ranges_are_aligned_as_it_is_asked_for() -> Tested {
    let client = client!();
    samples(&client, "aligned").await?;
    let sum = |sampling: Relative| RangeAggregator::sum(sampling).align_start_time();
    let of = |aggregator: RangeAggregator, from: i64| {
        let metric = QueryMetric::new("aligned").aggregate(aggregator);
        let query = Query::between(from, 9_999).metric(metric);
        let client = client.clone();
        async move {
            let mut answer = client.query(&query).await?;
            Ok::<_, Failed>(std::mem::take(&mut answer.queries[0].results[0].values))
        }
    };
    let second = Relative::seconds(1);
    // To the second, or to the query's beginning.
    assert_values(
        &of(sum(second), 500).await?,
        &[(1000, 3), (2000, 12), (5000, 19)],
    );
    let own = [(500, 1), (1500, 6), (2500, 8), (4500, 19)];
    assert_values(&of(sum(second).from_start(), 500).await?, &own);
    assert_values(
        &of(sum(second).from_start().start_time(500), 0).await?,
        &own,
    );
    assert_values(
        &of(sum(second).align_sampling(true), 500).await?,
        &[(1000, 3), (2000, 12), (5000, 19)],
    );
    // 1970 began on a Thursday.
    const DAY: i64 = 86_400_000;
    assert_values(&of(sum(Relative::weeks(1)), 0).await?, &[(-3 * DAY, 34)]);
    assert_values(&of(sum(Relative::days(1)), 0).await?, &[(0, 34)]);
    assert_values(&of(sum(Relative::months(1)), 0).await?, &[(0, 34)]);
    assert_values(&of(sum(Relative::years(1)), 0).await?, &[(0, 34)]);
    let berlin = sum(Relative::years(1)).time_zone("Europe/Berlin");
    assert_values(&of(berlin, 0).await?, &[(-3_600_000, 34)]);
    let metric = QueryMetric::new("aligned").aggregate(sum(Relative::days(1)));
    let query = Query::between(0, 9_999)
        .time_zone("Europe/Berlin")
        .metric(metric);
    let answer = client.query(&query).await?;
    assert_values(&answer.queries[0].results[0].values, &[(-3_600_000, 34)]);
    // What is empty before the first point and behind the last is left out.
    let mut between: Vec<(i64, PointValue)> = SAMPLES.map(|(at, value)| (at, value.into())).into();
    between.splice(4..4, [(3000, PointValue::Null), (4000, PointValue::Null)]);
    assert_eq!(of(RangeAggregator::gaps(second).trim(), 0).await?, between);
    Ok(())
}

#[tokio::test]
async fn aggregators_of_points_come_to_what_they_should() -> Tested {
    let client = client!();
    samples(&client, "pointwise").await?;
    let of = |aggregator: Aggregator| aggregated(&client, "pointwise", aggregator);
    let diff = [(1500, 1), (2100, 2), (2900, 4), (5000, 8), (5001, -13)];
    assert_values(&of(Aggregator::diff()).await?, &diff);
    let rate = diff.map(|(at, difference)| {
        let before = SAMPLES.iter().rev().find(|(time, _)| *time < at).unwrap().0;
        (at, difference as f64 * 1000.0 / (at - before) as f64)
    });
    assert_values(&of(Aggregator::rate(TimeUnit::Seconds)).await?, &rate);
    let tenfold = rate.map(|(at, rate)| (at, rate * 10.0));
    assert_values(
        &of(Aggregator::rate_per(Relative::seconds(10))).await?,
        &tenfold,
    );
    let sampler = [
        (1500, 4.0),
        (2100, 4.0 / 0.6),
        (2900, 10.0),
        (5000, 16.0 / 2.1),
        (5001, 3000.0),
    ];
    assert_values(&of(Aggregator::sampler(TimeUnit::Seconds)).await?, &sampler);
    let scaled = |factor: f64| SAMPLES.map(|(at, value)| (at, value as f64 * factor));
    assert_values(&of(Aggregator::div(4.0)).await?, &scaled(0.25));
    assert_values(&of(Aggregator::scale(-0.5)).await?, &scaled(-0.5));
    let sma = [
        (2100, 7.0 / 3.0),
        (2900, 14.0 / 3.0),
        (5000, 28.0 / 3.0),
        (5001, 9.0),
    ];
    assert_values(&of(Aggregator::sma(3)).await?, &sma);
    assert_values(&of(Aggregator::trim(Trim::First)).await?, &SAMPLES[1..]);
    assert_values(&of(Aggregator::trim(Trim::Last)).await?, &SAMPLES[..5]);
    assert_values(&of(Aggregator::trim(Trim::Both)).await?, &SAMPLES[1..5]);
    let without = |gone: fn(&i64) -> bool| -> Vec<(i64, i64)> {
        SAMPLES
            .into_iter()
            .filter(|(_, value)| !gone(value))
            .collect()
    };
    let filter = |comparison| of(Aggregator::filter(comparison, 4.0));
    assert_values(
        &filter(Comparison::Less).await?,
        &without(|value| *value < 4),
    );
    assert_values(
        &filter(Comparison::LessOrEqual).await?,
        &without(|value| *value <= 4),
    );
    assert_values(
        &filter(Comparison::Greater).await?,
        &without(|value| *value > 4),
    );
    assert_values(
        &filter(Comparison::GreaterOrEqual).await?,
        &without(|value| *value >= 4),
    );
    assert_values(
        &filter(Comparison::Equal).await?,
        &without(|value| *value == 4),
    );
    assert_values(
        &filter(Comparison::NotEqual).await?,
        &without(|value| *value != 4),
    );
    let steps = [(3.0, false), (8.0, true)].map(|(value, included)| Threshold { value, included });
    // 1, 2, 4, 8, 16, 3: 3 is not yet above the first step, and 8 is above the second.
    let scores = [
        (1000, 0),
        (1500, 0),
        (2100, 1),
        (2900, 2),
        (5000, 2),
        (5001, 0),
    ];
    assert_values(&of(Aggregator::score(steps)).await?, &scores);
    let [low, high] = steps;
    let scores = [
        (1000, 2),
        (1500, 2),
        (2100, 1),
        (2900, 0),
        (5000, 0),
        (5001, 2),
    ];
    assert_values(
        &of(Aggregator::score_descending([high, low])).await?,
        &scores,
    );
    assert_values(
        &of(Aggregator::raw("scale", json!({"factor": 2}))).await?,
        &scaled(2.0),
    );
    Ok(())
}

#[tokio::test]
async fn what_an_aggregator_saves_is_another_metric() -> Tested {
    let client = client!();
    samples(&client, "unsaved").await?;
    aggregated(&client, "unsaved", Aggregator::save_as("saved")).await?;
    let answer = read(&client, &everything("saved"), 6).await?;
    assert_values(&answer.queries[0].results[0].values, &SAMPLES);
    let tags = Tags::from([("saved_from", "unsaved")]);
    assert_eq!(answer.queries[0].results[0].common_tags(), tags);
    let save = Aggregator::save_as_with("saved.too", [("x", 1)], Some(3600), false);
    aggregated(&client, "unsaved", save).await?;
    let answer = read(&client, &everything("saved.too"), 6).await?;
    assert_eq!(
        answer.queries[0].results[0].common_tags(),
        [("x", "1")].into()
    );
    Ok(())
}

#[tokio::test]
async fn aggregators_are_applied_one_after_the_other() -> Tested {
    let client = client!();
    samples(&client, "chained").await?;
    let metric = QueryMetric::new("chained")
        .aggregate(RangeAggregator::sum(Relative::seconds(1)).align_start_time())
        .aggregate(Aggregator::diff())
        .aggregate(Aggregator::scale(2.0));
    let answer = client
        .query(&Query::between(0, 9_999).metric(metric))
        .await?;
    assert_values(
        &answer.queries[0].results[0].values,
        &[(2000, 18), (5000, 14)],
    );
    Ok(())
}

#[tokio::test]
async fn tags_can_be_asked_for_without_points() -> Tested {
    let client = client!();
    let tagged = |host: &str, dc: &str| {
        Point::new("tags.only", THEN, 1).tagged([("host", host), ("dc", dc)])
    };
    written(
        &client,
        &[tagged("a", "x"), tagged("b", "x"), tagged("c", "y")],
    )
    .await?;
    let query = everything("tags.only");
    let answer = client.query_tags(&query).await?;
    assert_eq!(answer.queries[0].sample_size, None);
    assert_eq!(answer.queries[0].results[0].tags["dc"], ["x", "y"]);
    assert_eq!(client.tag_names(&query).await?, ["dc", "host"]);
    assert_eq!(client.tag_values(&query, "host").await?, ["a", "b", "c"]);
    assert!(client.tag_values(&query, "none").await?.is_empty());
    let of_x = everything(QueryMetric::new("tags.only").tag("dc", ["x"]));
    assert_eq!(client.tag_values(&of_x, "host").await?, ["a", "b"]);
    Ok(())
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_the_rest_stays() -> Tested {
    let client = client!();
    let points: Vec<Point> = (0..10).map(|n| point("deleted", THEN + n, n)).collect();
    written(&client, &points).await?;
    client
        .delete(&Query::between(THEN + 2, THEN + 4).metric("deleted"))
        .await?;
    let answer = read(&client, &everything("deleted"), 7).await?;
    let left: Vec<i64> = answer.points().map(|point| point.millis() - THEN).collect();
    assert_eq!(left, [0, 1, 5, 6, 7, 8, 9]);
    client.delete_metric("deleted").await?;
    assert_eq!(
        client.query(&everything("deleted")).await?.points().count(),
        0
    );
    client.delete_metric("there is no such metric").await?;
    Ok(())
}

#[tokio::test]
async fn a_metric_without_points_has_no_series() -> Tested {
    let client = client!();
    let answer = client.query(&everything("nothing at all")).await?;
    assert_eq!(answer.queries[0].sample_size, Some(0));
    assert_eq!(
        answer.queries[0].results.len(),
        1,
        "this version answers one without values"
    );
    assert_eq!((answer.series().count(), answer.points().count()), (0, 0));
    let none = client.query(&Query::since(0)).await?;
    assert!(none.queries.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_store_tells_its_version_health_and_features() -> Tested {
    let client = client!();
    let version = client.version().await?;
    assert!(version.starts_with("KairosDB 1.3"), "{version}");
    client.health_check().await?;
    let health = client.health_status().await?;
    assert!(
        health.iter().any(|part| part.name == "Datastore-Query"),
        "{health:?}"
    );
    assert!(health.iter().all(|part| part.ok), "{health:?}");
    let features = client.features().await?;
    assert!(features.as_array().is_some_and(|kinds| kinds.len() >= 2));
    let aggregators = client.feature("aggregators").await?;
    // All that the server lists can be made here.
    let mut names: Vec<String> = Vec::new();
    for aggregator in aggregators.as_array().expect("a list") {
        names.push(aggregator["name"].as_str().expect("a name").to_owned());
    }
    names.sort();
    let second = Relative::seconds(1);
    let ours: Vec<Aggregator> = vec![
        RangeAggregator::avg(second).into(),
        RangeAggregator::count(second).into(),
        RangeAggregator::dev(second).into(),
        Aggregator::diff(),
        Aggregator::div(1.0),
        Aggregator::filter(Comparison::Equal, 0.0),
        RangeAggregator::first(second).into(),
        RangeAggregator::gaps(second).into(),
        RangeAggregator::last(second).into(),
        RangeAggregator::least_squares(second).into(),
        RangeAggregator::max(second).into(),
        RangeAggregator::min(second).into(),
        RangeAggregator::percentile(second, 0.5).into(),
        Aggregator::rate(TimeUnit::Seconds),
        Aggregator::sampler(TimeUnit::Seconds),
        Aggregator::save_as("x"),
        Aggregator::scale(1.0),
        Aggregator::score([]),
        Aggregator::sma(2),
        RangeAggregator::sum(second).into(),
        Aggregator::trim(Trim::Both),
    ];
    let mut ours: Vec<String> = ours
        .iter()
        .map(|aggregator| {
            aggregator.to_json()["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect();
    ours.sort();
    assert_eq!(names, ours);
    let unknown = client.feature("nonsense").await.unwrap_err();
    assert_eq!(unknown.status(), Some(404));
    assert_eq!(unknown.messages(), ["Unknown feature 'nonsense'"]);
    assert!(!unknown.can_retry());
    Ok(())
}

#[tokio::test]
async fn errors_are_the_stores_own_words() -> Tested {
    let client = client!();
    let query = Query::since(0);
    let cases = [
        (
            query
                .clone()
                .metric(QueryMetric::new("m").aggregate(Aggregator::raw("bogus", json!({})))),
            "query.metric[0].aggregators[0].bogus invalid aggregators name",
        ),
        (
            Query::between(100, 0).metric("m"),
            "query.metric[0].end_time must be greater than the start time",
        ),
        (
            query.clone().metric(""),
            "query.metric[0].name may not be empty.",
        ),
        (
            query
                .clone()
                .metric(QueryMetric::new("m").with("order", "sideways")),
            "query.metric[0].order must be either 'asc' or 'desc'",
        ),
        (
            query
                .clone()
                .metric(QueryMetric::new("m").aggregate(Aggregator::div(0.0))),
            "query.metric[0].aggregators[0].m_divisor may not be zero",
        ),
        (
            query
                .clone()
                .metric(QueryMetric::new("m").tag("host", [""])),
            "query.metric[0].tags[0].host value must not be null or empty",
        ),
    ];
    for (query, message) in cases {
        let error = client.query(&query).await.expect_err(message);
        assert_eq!(error.status(), Some(400));
        let said = error
            .messages()
            .iter()
            .any(|said| said.trim_end_matches('.') == message.trim_end_matches('.'));
        assert!(said, "{message}: {error}");
        assert_eq!(error.attempts(), 1, "it is not asked again");
        assert!(!error.can_retry());
        assert_eq!(error.asked(), "POST /api/v1/datapoints/query");
        assert!(
            error
                .to_string()
                .starts_with("POST /api/v1/datapoints/query: status 400: ")
        );
    }
    let zone = query.clone().time_zone("Mars/Olympus").metric("m");
    let error = client.query(&zone).await.unwrap_err();
    assert!(error.messages()[0].starts_with("query.Mars/Olympus is not a valid time zone"));
    let quick = KairosDb::builder(client.url()).attempts(1).build()?;
    let bad = [
        ("{", 400),
        ("nonsense", 500),
        ("[]", 500),
        (r#"{"metrics": [{"name": "m"}]}"#, 400),
    ];
    for (bad, status) in bad {
        let error = quick.query_raw(bad).await.expect_err(bad);
        assert_eq!(error.status(), Some(status), "{bad}: {error}");
        assert!(!error.messages().is_empty(), "{bad}");
    }
    let answer = client
        .query_raw(r#"{"start_absolute": 0, "metrics": []}"#)
        .await?;
    assert!(answer.queries.is_empty());
    // A float that JSON has no number for is found before anything is sent.
    let nan = query.metric(QueryMetric::new("m").aggregate(Aggregator::scale(f64::NAN)));
    let error = client.query(&nan).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::BadQuery(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("query.metrics[0].aggregators[0].factor"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_rate_at_one_time_fails_for_good_after_all_attempts() -> Tested {
    let Some(server) = tokio::task::spawn_blocking(|| SERVER.as_ref()).await? else {
        return Ok(());
    };
    let builder = KairosDb::builder(server.url()).attempts(2);
    let client = builder
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .build()?;
    written(
        &client,
        &[point("twice", THEN, 1), point("twice", THEN, 2.0)],
    )
    .await?;
    let metric = QueryMetric::new("twice").aggregate(Aggregator::rate(TimeUnit::Hours));
    let error = client.query(&everything(metric)).await.unwrap_err();
    assert_eq!((error.status(), error.attempts()), (Some(500), 2));
    assert!(error.messages()[0].starts_with("The rate aggregator cannot compute rate"));
    assert!(error.to_string().ends_with("(tried 2 times)"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_refused_write_may_have_stored_a_part() -> Tested {
    let client = client!();
    let body = json!([
        {"name": "part.1", "tags": {"host": "a"}, "datapoints": [[THEN, 1], [THEN + 1, [2]]]},
        {"name": "part.2", "tags": {}, "datapoints": [[THEN, 1]]},
        {"name": "part.3", "tags": {"host": "a"}, "datapoints": [[THEN, 1]]},
    ]);
    let error = client.write_raw(body.to_string()).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    let expected = [
        "metric[0](name=part.1) value is an invalid type",
        "metric[1](name=part.2).tags count must be greater than or equal to 1.",
    ];
    assert_eq!(error.messages(), expected);
    // All that is right was taken nevertheless.
    read(&client, &everything("part.1"), 1).await?;
    read(&client, &everything("part.3"), 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_query_can_be_polled_and_each_point_has_its_own_tags() -> Tested {
    let client = client!();
    let points = vec![
        Point::new("polled", THEN, 1).tagged([("host", "a")]),
        Point::new("polled", THEN, 2).tagged([("host", "b"), ("dc", "x")]),
        Point::new("polled", THEN + 1, 3).tagged([("dc", "x")]),
        Point::new("polled", THEN + 2, "text").tagged([("host", "a")]),
        Point::new("polled.too", THEN + 2, 0.5).tagged([("host", "a")]),
    ];
    written(&client, &points).await?;
    let store = client.store(Query::since(0).metric("polled").metric("polled.too"));
    let all = Range {
        from: THEN,
        to: THEN + 2,
    };
    for _ in 0..2 {
        let fetched = store.fetch(all).await?;
        assert_eq!(sorted(fetched.points), sorted(points.clone()));
        let time = fetched.server_time.expect("the server has a clock");
        let apart = time
            .duration_since(SystemTime::now())
            .unwrap_or_else(|early| early.duration());
        assert!(apart < Duration::from_secs(3600), "{apart:?}");
    }
    // A tag that was never seen.
    let later = Point::new("polled", THEN + 3, 9).tagged([("host", "a"), ("rack", "7")]);
    let other = Point::new("polled", THEN + 3, 9).tagged([("host", "a"), ("rack", "8")]);
    client.write(&[later.clone(), other.clone()]).await?;
    read(&client, &everything("polled"), 6).await?;
    let new = Range {
        from: THEN + 3,
        to: THEN + 3,
    };
    assert_eq!(sorted(store.fetch(new).await?.points), [later, other]);
    let part = Range {
        from: THEN + 1,
        to: THEN + 1,
    };
    assert_eq!(store.fetch(part).await?.points, [points[2].clone()]);
    let none = Range { from: 1, to: 0 };
    assert!(store.fetch(none).await?.points.is_empty());
    let count = QueryMetric::new("polled").aggregate(RangeAggregator::count(Relative::hours(1)));
    let store = client.store(Query::since(0).metric(count));
    let counted = store.fetch(all).await?.points;
    let counts: i64 = counted
        .iter()
        .filter_map(|point| point.number()?.as_i64())
        .sum();
    assert_eq!(
        (counted.len(), counts),
        (2, 6),
        "numbers and texts of the whole hour: {counted:?}"
    );
    let wrong = client.store(Query::since(0).metric(""));
    let error = wrong.fetch(all).await.unwrap_err();
    assert!(!error.can_retry());
    Ok(())
}

/// What is asked for at once, and what is asked for piece by piece, all pieces of this length.
async fn whole_and_in_pieces(
    store: &KairosStore,
    range: Range,
    length: i64,
) -> Result<(Vec<Point>, Vec<Point>), Failed> {
    let whole = sorted(store.fetch(range).await?.points);
    let mut pieces = Vec::new();
    let mut from = range.from;
    while from <= range.to {
        let to = range.to.min(from + length - 1);
        pieces.append(&mut store.fetch(Range { from, to }).await?.points);
        from = to + 1;
    }
    Ok((whole, sorted(pieces)))
}

#[tokio::test]
async fn aggregates_are_the_same_in_whichever_pieces_they_are_polled() -> Tested {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 1_440 * MINUTE;
    let client = client!();
    // Past midnight, and past the end of summer time.
    let fine: Vec<Point> = (0..2_000)
        .map(|n| point("pieces.fine", THEN + n * 7_000, n))
        .collect();
    let coarse: Vec<Point> = (0..500)
        .map(|n| point("pieces.coarse", THEN - 60 * DAY + n * 300 * MINUTE, 1))
        .collect();
    written(&client, &fine).await?;
    written(&client, &coarse).await?;

    let minutes = Relative::minutes;
    let fives = RangeAggregator::sum(minutes(5));
    let of_fine: [Aggregator; 9] = [
        fives.clone().align_start_time().into(),
        fives.clone().align_end_time().into(),
        fives.clone().from_start().align_start_time().into(),
        RangeAggregator::avg(minutes(7)).align_start_time().into(),
        fives
            .clone()
            .start_time(THEN - DAY)
            .align_start_time()
            .into(),
        RangeAggregator::gaps(minutes(5)).into(),
        RangeAggregator::max(minutes(11)).into(),
        RangeAggregator::last(Relative::seconds(13)).into(),
        RangeAggregator::count(Relative::milliseconds(90_001))
            .align_end_time()
            .into(),
    ];
    let range = Range {
        from: THEN - 30 * MINUTE,
        to: THEN + 270 * MINUTE,
    };
    for aggregator in of_fine {
        let metric = QueryMetric::new("pieces.fine").aggregate(aggregator.clone());
        let store = client.store(Query::since(0).metric(metric));
        let (whole, pieces) = whole_and_in_pieces(&store, range, 17 * MINUTE + 1).await?;
        assert!(whole.len() > 20, "{aggregator:?}: {whole:?}");
        assert_eq!(pieces, whole, "{aggregator:?}");
    }
    let berlin = |aggregator: RangeAggregator| aggregator.time_zone("Europe/Berlin");
    let of_coarse: [Aggregator; 5] = [
        berlin(RangeAggregator::sum(Relative::days(2)))
            .align_start_time()
            .into(),
        berlin(RangeAggregator::sum(Relative::hours(7)))
            .align_start_time()
            .into(),
        berlin(RangeAggregator::sum(Relative::weeks(1)))
            .align_end_time()
            .into(),
        berlin(RangeAggregator::sum(Relative::months(1)))
            .align_start_time()
            .into(),
        RangeAggregator::sum(Relative::years(1))
            .align_start_time()
            .into(),
    ];
    let range = Range {
        from: THEN - 1_000 * DAY,
        to: THEN + 500 * DAY,
    };
    for aggregator in of_coarse {
        let metric = QueryMetric::new("pieces.coarse").aggregate(aggregator.clone());
        let store = client.store(Query::since(0).metric(metric));
        let (whole, pieces) = whole_and_in_pieces(&store, range, 13 * DAY + 1).await?;
        let sum: i64 = whole
            .iter()
            .filter_map(|point| point.number()?.as_i64())
            .sum();
        assert_eq!(sum, 500, "{aggregator:?}: {whole:?}");
        assert_eq!(pieces, whole, "{aggregator:?}");
    }

    // By hand; metrics without aggregators beside them are as ever.
    let query = Query::since(0)
        .metric(QueryMetric::new("pieces.fine").aggregate(fives.align_start_time()))
        .metric("pieces.coarse");
    let range = Range {
        from: THEN + MINUTE,
        to: THEN + 100 * MINUTE,
    };
    let mut sums = BTreeMap::new();
    for (n, point) in (0..).zip(&fine) {
        let begin = point.millis() - point.millis().rem_euclid(5 * MINUTE);
        *sums.entry(begin).or_insert(0) += n;
    }
    let within = |millis: i64| (range.from..=range.to).contains(&millis);
    let by_hand = sums.into_iter().filter(|(begin, _)| within(*begin));
    let by_hand = by_hand.map(|(begin, sum)| Point::new("pieces.fine", begin, sum));
    let raw = coarse
        .iter()
        .filter(|point| within(point.millis()))
        .cloned();
    let fetched = client.store(query).fetch(range).await?;
    assert_eq!(sorted(fetched.points), sorted(by_hand.chain(raw)));
    Ok(())
}

#[tokio::test]
async fn an_aggregate_that_is_polled_has_the_same_tags_whoever_else_there_is() -> Tested {
    let client = client!();
    let of =
        |host: &str, millis| Point::new("company", millis, 1).tagged([("host", host), ("dc", "x")]);
    written(&client, &[of("a", THEN)]).await?;
    let count =
        || QueryMetric::new("company").aggregate(RangeAggregator::count(Relative::hours(1)));
    let all = client.store(Query::since(0).metric(count()));
    let of_a = client.store(Query::since(0).metric(count().tag("host", ["a"])));
    let grouped = count().group_by(GroupBy::tags(["host"]));
    let grouped = client.store(Query::since(0).metric(grouped));
    let range = Range {
        from: THEN - 1,
        to: THEN + 1_000,
    };
    let tagged = |tags: &[(&str, &str)]| {
        let tags: Vec<(String, String)> = tags
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect();
        Point::new("company", THEN, 1).tagged(tags.into_iter().collect::<Tags>())
    };
    let a = tagged(&[("host", "a")]);
    assert_eq!(all.fetch(range).await?.points, [tagged(&[])]);
    assert_eq!(of_a.fetch(range).await?.points, std::slice::from_ref(&a));
    assert_eq!(grouped.fetch(range).await?.points, std::slice::from_ref(&a));
    client.write(&[of("b", THEN + 500)]).await?;
    read(&client, &everything("company"), 2).await?;
    let two = Point::new("company", THEN, 2);
    assert_eq!(all.fetch(range).await?.points, [two]);
    assert_eq!(of_a.fetch(range).await?.points, std::slice::from_ref(&a));
    let b = Point::new("company", THEN + 500, 1).tagged([("host", "b")]);
    assert_eq!(sorted(grouped.fetch(range).await?.points), [a, b]);
    Ok(())
}

#[tokio::test]
async fn a_point_that_cannot_be_stored_is_refused_before_anything_is_sent() -> Tested {
    let client = client!();
    let good = point("unfit", THEN, 1);
    let bad = [
        (point("unfit", THEN, f64::NAN), "NaN"),
        (point("unfit", THEN, f64::NEG_INFINITY), "-inf"),
        (point("unfit", THEN, ""), "empty text"),
        (point("unfit", THEN, PointValue::Null), "no value"),
        (point("", THEN, 1), "empty name"),
        (Point::new("unfit", THEN, 1), "one tag at least"),
        (point("unfit", THEN, 1).tagged([("", "x")]), "empty name"),
        (
            point("unfit", THEN, 1).tagged([("x", "")]),
            "\"x\" is empty",
        ),
    ];
    for (bad, why) in bad {
        let error = client
            .write(&[good.clone(), bad.clone()])
            .await
            .expect_err(why);
        let Reason::Unfit { place: 1, .. } = error.error().reason() else {
            panic!("{error}")
        };
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert_eq!((error.queued().points, error.uncertain()), (0, 0..0));
        assert_eq!(error.error().attempts(), 0);
        assert!(!error.error().can_retry());
    }
    assert_eq!(client.last_exchange().map(|exchange| exchange.asked), None);
    Ok(())
}

#[tokio::test]
async fn aggregates_of_one_time_that_are_polled_are_told_apart() -> Tested {
    let client = client!();
    let of = |value: PointValue, millis| Point::new("sorts", millis, value).tagged([("host", "a")]);
    let low = of(5.into(), THEN);
    let high = of(250.into(), THEN + 1);
    let text = of("five".into(), THEN + 2);
    written(&client, &[low, high, text]).await?;
    let count = || {
        let hours = RangeAggregator::count(Relative::hours(1)).align_start_time();
        QueryMetric::new("sorts").aggregate(hours)
    };
    let range = Range {
        from: THEN - 7_200_000,
        to: THEN + 7_200_000,
    };
    let polled = async |metric| {
        let store = client.store(Query::since(0).metric(metric));
        let points = store.fetch(range).await?.points;
        let all = points
            .iter()
            .map(|point| (point.millis(), point.tags().to_string()));
        let mut all: Vec<_> = all.collect();
        all.sort();
        Ok::<_, Failed>(all)
    };
    let hour = THEN - THEN % 3_600_000;
    let expected = |tags: &[&str]| {
        tags.iter()
            .map(|tag| (hour, tag.to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(polled(count()).await?, expected(&["", "type=text"]));
    let by_value = count().group_by(GroupBy::value(100));
    assert_eq!(
        polled(by_value).await?,
        expected(&["type=text value_group=-1", "value_group=0", "value_group=2"])
    );
    let by_bin = count().group_by(GroupBy::bins([10.0]));
    assert_eq!(
        polled(by_bin).await?,
        expected(&["bin=-1 type=text", "bin=0", "bin=1"])
    );

    let by_time = count().group_by(GroupBy::time(Relative::hours(1), 24));
    let store = client.store(Query::since(0).metric(by_time));
    let error = store.fetch(range).await.unwrap_err();
    assert!(
        !error.can_retry() && error.to_string().contains("`sorts`"),
        "{error}"
    );
    Ok(())
}
