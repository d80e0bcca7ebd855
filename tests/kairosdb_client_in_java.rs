//! KairosDB's own client, in Java, and ours at one KairosDB: what either writes the other one reads back.

#![cfg(feature = "kairosdb")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use headwater::timeseries::kairosdb::{
    Aggregator, Answer, Group, GroupBy, KairosDb, Order, Query, QueryMetric, RangeAggregator,
    Relative,
};
use headwater::timeseries::{Point, PointValue, Polling};
use headwater_services::{KairosDbClient, or_skip};
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// Some time in 2023, at the beginning of a day.
const THEN: i64 = 1_700_006_400_000;
const DAY: i64 = 86_400_000;

const OURS: &str = "größe/\"x\" 温度 🦀";
const JAVAS: &str = "größe/\"y\" 温度 🦀";

/// It goes with this process.
static SERVER: LazyLock<Option<headwater_services::KairosDb>> =
    LazyLock::new(|| or_skip(headwater_services::KairosDb::start()));

/// Both clients of one server.
struct Both {
    ours: KairosDb,
    java: KairosDbClient,
}

impl Both {
    fn new() -> Option<Both> {
        let server = SERVER.as_ref()?;
        let java = or_skip(KairosDbClient::of(&server.url()))?;
        let ours = KairosDb::new(server.url()).expect("a URL");
        Some(Both { ours, java })
    }

    /// What Java reads, once there are so many points.
    async fn java_reads(&mut self, query: &Value, points: usize) -> Result<Vec<Value>, Failed> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let results = self.java.tell(query)?;
            let results = results.as_array().ok_or("a list")?.clone();
            let size = |result: &Value| result["points"].as_array().map_or(0, Vec::len);
            let read: usize = results.iter().map(size).sum();
            if read >= points || Instant::now() > end {
                assert_eq!(read, points, "{results:?}");
                return Ok(results);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What we read, once there are so many points.
    async fn we_read(&self, query: &Query, points: u64) -> Result<Answer, Failed> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.ours.query(query).await?;
            let read: u64 = answer.queries.iter().filter_map(|q| q.sample_size).sum();
            if read >= points || Instant::now() > end {
                assert_eq!(read, points, "{answer:?}");
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What there is to ask of Java: all of a metric in a day, and more.
fn asking(metric: &str, more: Value) -> Value {
    let mut asked = json!({"do": "query", "metric": metric, "from": THEN - 1, "to": THEN + DAY});
    let fields = asked.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    asked
}

/// The same day.
fn day(metric: QueryMetric) -> Query {
    Query::since(THEN - 1).until(THEN + DAY).metric(metric)
}

/// Times and values of the results with a group of this type; numbers as they are compared in JSON.
fn values(results: &[Value], kind: &str) -> Vec<(i64, Value)> {
    let of_kind = results.iter().filter(|result| {
        let groups = result["groups"].as_array().expect("groups");
        groups.contains(&json!(["type", kind]))
    });
    let pairs = of_kind.flat_map(|result| result["points"].as_array().expect("points"));
    pairs
        .map(|pair| (pair[0].as_i64().expect("a time"), pair[1].clone()))
        .collect()
}

const FLOATS: [f64; 10] = [
    1.5,
    3.0,
    -2.0,
    1e16,
    1e300,
    -1e-300,
    5e-324,
    f64::MAX,
    0.1 + 0.2,
    123_456_789.123_456_79,
];
const INTS: [i64; 5] = [0, -1, 9_007_199_254_740_993, i64::MAX, i64::MIN];
const TEXTS: [&str; 4] = ["12", "1.5", "tex\"t\\ ü 🦀", " "];

#[tokio::test(flavor = "multi_thread")]
async fn what_we_write_java_reads_back() -> Tested {
    let Some(mut both) = Both::new() else {
        return Ok(());
    };
    let tags = [("stadt", "Köln \"Süd\""), ("温度", "α, {β}=γ")];
    let point = |at: usize, value: PointValue| {
        Point::new(OURS, THEN + 1000 * at as i64, value).tagged(tags)
    };
    let mut points = Vec::new();
    points.extend(
        FLOATS
            .iter()
            .enumerate()
            .map(|(at, float)| point(at, (*float).into())),
    );
    points.extend(
        INTS.iter()
            .enumerate()
            .map(|(at, int)| point(100 + at, (*int).into())),
    );
    points.extend(
        TEXTS
            .iter()
            .enumerate()
            .map(|(at, text)| point(200 + at, (*text).into())),
    );
    both.ours.write(&points).await?;

    let results = both
        .java_reads(&asking(OURS, json!({})), points.len())
        .await?;
    assert!(results.iter().all(|result| result["name"] == OURS));
    let expected: BTreeMap<_, _> = tags.map(|(name, value)| (name, [value])).into();
    for result in &results {
        assert_eq!(result["tags"], json!(expected));
    }
    let numbers = values(&results, "number");
    for (at, float) in FLOATS.iter().enumerate() {
        let (time, read) = &numbers[at];
        assert_eq!(*time, THEN + 1000 * at as i64);
        // The store cuts `.0` off, so that Java takes 3.0 for an integer: the number is the same.
        let read = read.as_f64().ok_or("a number")?;
        assert_eq!(
            read.to_bits(),
            float.to_bits(),
            "{float} was read as {read}"
        );
    }
    let ints: Vec<_> = numbers[FLOATS.len()..]
        .iter()
        .map(|(_, read)| read.as_i64())
        .collect();
    assert_eq!(ints, INTS.map(Some));
    let texts: Vec<_> = values(&results, "text")
        .into_iter()
        .map(|(_, read)| read)
        .collect();
    assert_eq!(json!(texts), json!(TEXTS));

    // Found by a tag, from the latest on.
    let some = asking(
        OURS,
        json!({"tag": [["stadt", "Köln \"Süd\""]], "limit": 2}),
    );
    let some = both.java_reads(&some, 4).await?;
    assert_eq!(values(&some, "number")[0].1, json!(i64::MIN));
    let names = both.java.tell(&json!({"do": "names"}))?;
    assert!(
        names.as_array().ok_or("a list")?.contains(&json!(OURS)),
        "{names}"
    );
    let tags_of = json!({"do": "tags", "metric": OURS, "from": THEN - 1});
    assert_eq!(both.java.tell(&tags_of)?[0], json!(expected));
    // And what it deletes is gone. It can't do that with names that a URL has no letters for.
    both.ours
        .write(&[Point::new("plain", THEN, 1).tagged([("n", 1)])])
        .await?;
    both.java_reads(&asking("plain", json!({})), 1).await?;
    both.java
        .tell(&json!({"do": "delete", "metric": "plain"}))?;
    assert!(
        !both
            .ours
            .metric_names()
            .await?
            .contains(&"plain".to_owned())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_java_writes_we_read_back_and_poll() -> Tested {
    let Some(mut both) = Both::new() else {
        return Ok(());
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_secs())? * 1000;
    let at = |place: usize| now - 1000 * place as i64;
    let tags = json!({"stadt": "Köln \"Süd\"", "温度": "α, {β}=γ"});
    let floats = FLOATS
        .iter()
        .enumerate()
        .map(|(place, float)| json!([at(place), float]));
    let ints = INTS
        .iter()
        .enumerate()
        .map(|(place, int)| json!([at(100 + place), int]));
    let texts = TEXTS
        .iter()
        .enumerate()
        .map(|(place, text)| json!([at(200 + place), text]));
    let numbers: Vec<_> = floats.chain(ints).collect();
    let write = json!({"do": "write", "metric": JAVAS, "tags": tags, "points": numbers});
    both.java.tell(&write)?;
    let write = json!({
        "do": "write", "metric": JAVAS, "type": "string", "tags": tags, "points": texts.collect::<Vec<_>>()
    });
    both.java.tell(&write)?;

    let point = |place: usize, value: PointValue| {
        let tags = [("stadt", "Köln \"Süd\""), ("温度", "α, {β}=γ")];
        Point::new(JAVAS, at(place), value).tagged(tags)
    };
    let mut points = BTreeSet::new();
    points.extend(
        FLOATS
            .iter()
            .enumerate()
            .map(|(n, float)| point(n, (*float).into())),
    );
    points.extend(
        INTS.iter()
            .enumerate()
            .map(|(n, int)| point(100 + n, (*int).into())),
    );
    points.extend(
        TEXTS
            .iter()
            .enumerate()
            .map(|(n, text)| point(200 + n, (*text).into())),
    );
    let all = Query::since(0).metric(JAVAS);
    let answer = both.we_read(&all, points.len() as u64).await?;
    assert_eq!(answer.points().collect::<BTreeSet<_>>(), points);

    let mut stream = Polling::new(both.ours.store(all))
        .every(Duration::from_millis(20))
        .start()?;
    let mut came = BTreeSet::new();
    let late = point(50, 7.into());
    while came.len() < points.len() {
        let polled = tokio::time::timeout(Duration::from_secs(60), stream.next()).await?;
        assert!(
            came.insert(polled.ok_or("it ended")?.into_point()),
            "came twice"
        );
    }
    assert_eq!(came, points);
    let write = json!({"do": "write", "metric": JAVAS, "tags": tags, "points": [[at(50), 7], [at(100), 0]]});
    both.java.tell(&write)?;
    let polled = tokio::time::timeout(Duration::from_secs(60), stream.next()).await?;
    assert_eq!(polled.ok_or("it ended")?.into_point(), late);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ask_alike_for_groups_and_aggregates() -> Tested {
    let Some(mut both) = Both::new() else {
        return Ok(());
    };
    let mut points = Vec::new();
    for second in 0..120_i64 {
        let city = if second % 3 == 0 { "Köln" } else { "Bonn" };
        let value = (second * 37 % 100) as f64 / 4.0;
        let tags = [("stadt", city), ("one", "1")];
        points.push(Point::new("groups", THEN + second * 1000, value).tagged(tags));
    }
    both.ours.write(&points).await?;
    both.java_reads(&asking("groups", json!({})), points.len())
        .await?;

    let minute = || Relative::seconds(60);
    let metric = || QueryMetric::new("groups");
    let cases = [
        (
            json!({"group_by": [["tag", "stadt"]]}),
            metric().group_by(GroupBy::tags(["stadt"])),
        ),
        (
            json!({"group_by": [["value", 10]]}),
            metric().group_by(GroupBy::value(10)),
        ),
        (
            json!({"group_by": [["bin", 5.0, 20.0]]}),
            metric().group_by(GroupBy::bins([5.0, 20.0])),
        ),
        (
            json!({"group_by": [["time", 30, 4]]}),
            metric().group_by(GroupBy::time(Relative::seconds(30), 4)),
        ),
        (
            json!({"group_by": [["tag", "stadt"], ["value", 10]]}),
            metric()
                .group_by(GroupBy::tags(["stadt"]))
                .group_by(GroupBy::value(10)),
        ),
        (
            json!({"aggregators": [["avg", 60]]}),
            metric().aggregate(RangeAggregator::avg(minute())),
        ),
        (
            json!({"aggregators": [["sum", 60]]}),
            metric().aggregate(RangeAggregator::sum(minute())),
        ),
        (
            json!({"aggregators": [["count", 60]]}),
            metric().aggregate(RangeAggregator::count(minute())),
        ),
        (
            json!({"aggregators": [["max", 60]]}),
            metric().aggregate(RangeAggregator::max(minute())),
        ),
        (
            json!({"aggregators": [["dev", 60]]}),
            metric().aggregate(RangeAggregator::dev(minute())),
        ),
        (
            json!({"aggregators": [["percentile", 60]]}),
            metric().aggregate(RangeAggregator::percentile(minute(), 0.5)),
        ),
        (
            json!({"aggregators": [["scale", 2.5]]}),
            metric().aggregate(Aggregator::scale(2.5)),
        ),
        (
            json!({"aggregators": [["diff"]]}),
            metric().aggregate(Aggregator::diff()),
        ),
        (
            json!({"group_by": [["tag", "stadt"]], "aggregators": [["avg", 60], ["scale", 2.0]]}),
            metric()
                .group_by(GroupBy::tags(["stadt"]))
                .aggregate(RangeAggregator::avg(minute()))
                .aggregate(Aggregator::scale(2.0)),
        ),
        (
            json!({"tag": [["stadt", "Köln"]]}),
            metric().tag("stadt", ["Köln"]),
        ),
        (
            json!({"limit": 7}),
            metric().limit(7).order(Order::Descending),
        ),
    ];
    for (asked, metric) in cases {
        let ours = both.ours.query(&day(metric)).await?;
        let ours: BTreeMap<String, _> = ours.series().map(of_ours).collect();
        let theirs = both.java.tell(&asking("groups", asked.clone()))?;
        let theirs = theirs
            .as_array()
            .ok_or("a list")?
            .iter()
            .map(of_java)
            .collect();
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs, "{asked}");
    }
    Ok(())
}

type Numbers = Vec<(i64, f64)>;

/// A result's groups, in words, and its points.
fn of_ours(series: &headwater::timeseries::kairosdb::Series) -> (String, Numbers) {
    let groups = series.group_by.iter().map(|group| match group {
        Group::Type(kind) => json!(["type", kind]),
        Group::Tags(tags) => json!(["tag", tags]),
        Group::Value { number, .. } => json!(["value", number]),
        Group::Time { number, .. } => json!(["time", number]),
        Group::Bin { number, .. } => json!(["bin", number]),
        other => json!(format!("{other:?}")),
    });
    let groups: BTreeSet<String> = groups.map(|group| group.to_string()).collect();
    let points = series.points();
    let number = |point: Point| (point.millis(), point.number().expect("a number").as_f64());
    (format!("{groups:?}"), points.map(number).collect())
}

fn of_java(result: &Value) -> (String, Numbers) {
    let groups = result["groups"].as_array().expect("groups");
    let groups: BTreeSet<String> = groups.iter().map(Value::to_string).collect();
    let points = result["points"].as_array().expect("points").iter();
    let number = |pair: &Value| {
        let time = pair[0].as_i64().expect("a time");
        (time, pair[1].as_f64().expect("a number"))
    };
    (format!("{groups:?}"), points.map(number).collect())
}
