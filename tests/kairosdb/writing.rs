//! What is written is read back.

use std::time::Duration;

use headwater::metrics::Tags;
use headwater::timeseries::kairosdb::{GroupBy, Gzip, KairosDb, QueryMetric, Reason};
use headwater::timeseries::{Point, PointValue};

use super::{SERVER, THEN, Tested, client, everything, point, read, sorted, written};

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
