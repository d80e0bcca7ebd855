//! Times, metrics, groups and tags that are asked for.

use std::time::{Duration, SystemTime};

use headwater::timeseries::kairosdb::{Group, GroupBy, Order, Query, QueryMetric, Relative, When};
use headwater::timeseries::{Point, PointValue};
use serde_json::json;

use super::{Failed, THEN, Tested, client, everything, point, written};

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
