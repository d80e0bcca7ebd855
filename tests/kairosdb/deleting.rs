//! What is deleted, and what the store tells of itself.

use headwater::timeseries::Point;
use headwater::timeseries::kairosdb::{
    Aggregator, Comparison, Query, RangeAggregator, Relative, TimeUnit, Trim,
};

use super::{THEN, Tested, client, everything, point, read, written};

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
