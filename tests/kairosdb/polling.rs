//! Queries that are polled.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use headwater::metrics::Tags;
use headwater::timeseries::kairosdb::{
    Aggregator, GroupBy, KairosStore, Query, QueryMetric, RangeAggregator, Relative,
};
use headwater::timeseries::{Point, PointValue, Range, Store};

use super::{Failed, THEN, Tested, client, everything, point, read, sorted, written};

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
