//! Every aggregator, against what it should come to.

use std::time::Duration;

use headwater::metrics::Tags;
use headwater::timeseries::PointValue;
use headwater::timeseries::kairosdb::{
    Aggregator, Comparison, Deviation, KairosDb, Query, QueryMetric, RangeAggregator, Relative,
    Threshold, TimeUnit, Trim,
};
use serde_json::json;

use super::{Failed, Tested, client, everything, point, read, written};

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
