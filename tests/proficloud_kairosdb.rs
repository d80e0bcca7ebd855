//! The clients of Proficloud's services against KairosDB itself, behind a gateway of the tests that checks tokens: TSD
//! and EWIMA are KairosDB there, and so is what proficloud.io answers from.

#![cfg(feature = "proficloud")]

mod http_front;
mod proficloud_front;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures::StreamExt;
use headwater::timeseries::kairosdb::{
    Answer, GroupBy, KairosDb, KairosDbBuilder, Query, QueryMetric, RangeAggregator, Reason,
    Relative,
};
use headwater::timeseries::proficloud::{Ewima, IoQuery, Millis, ProficloudIo, Token, Tsd};
use headwater::timeseries::{Point, PointValue, Polling};
use headwater_services::or_skip;
use http_front::{Asked, Front, Reply};
use proficloud_front::{Cloud, PASSWORD, Shared, USER, form, later, parameters};
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// It goes with this process.
static SERVER: LazyLock<Option<headwater_services::KairosDb>> =
    LazyLock::new(|| or_skip(headwater_services::KairosDb::start()));

async fn server() -> Option<&'static headwater_services::KairosDb> {
    let server = tokio::task::spawn_blocking(|| SERVER.as_ref()).await;
    server.expect("starting it does not panic")
}

/// The gateway of TSD and EWIMA: passes on queries, and points, of those who have one of these tokens.
async fn gateway(server: &headwater_services::KairosDb, tokens: &[&Token]) -> Front {
    let good: Vec<String> = tokens
        .iter()
        .map(|token| format!("Basic {}", token.expose()))
        .collect();
    let (url, http) = (server.url(), reqwest::Client::new());
    Front::waiting(move |_, asked| {
        let known = asked
            .header("authorization")
            .is_some_and(|token| good.iter().any(|one| one == token));
        let path = match asked.path.strip_prefix("/ds/v1/kairos/api/v1/") {
            Some("datapoints/query/") => Some("datapoints/query"),
            Some("datapoints/write") => Some("datapoints"),
            _ => None,
        };
        let (url, http, body) = (url.clone(), http.clone(), asked.body.clone());
        async move {
            let Some(path) = path.filter(|_| known) else {
                let status = if known { 404 } else { 401 };
                return Reply::status(status, r#"{"message":"Unauthorized"}"#);
            };
            let asked = http.post(format!("{url}/api/v1/{path}")).body(body);
            let answer = asked
                .header("content-type", "application/json")
                .send()
                .await
                .unwrap();
            let status = answer.status().as_u16();
            Reply::status(status, answer.text().await.unwrap())
        }
    })
    .await
}

fn quick(builder: KairosDbBuilder) -> KairosDb {
    builder.build().unwrap()
}

/// Asks until there are so many points: they are queued first.
async fn read(client: &KairosDb, query: &Query, points: usize) -> Result<Answer, Failed> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = client.query(query).await?;
        let found = answer.points().count();
        if found >= points || Instant::now() > end {
            assert_eq!(found, points, "{answer:?}");
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const THEN: i64 = 1_700_000_000_000;

#[tokio::test]
async fn what_ewima_is_given_tsd_answers() -> Tested {
    let Some(server) = server().await else {
        return Ok(());
    };
    let (meter, account) = (
        Token::new("4f6c1d", "pass:word")?,
        Token::new("account", "secret")?,
    );
    let front = gateway(server, &[&meter, &account]).await;
    let url = format!("{}/ds/v1/kairos", front.url());
    let ewima = quick(Ewima::at(&url, &meter));
    let tsd = quick(Tsd::at(&url, &account));
    let energy: Vec<Point> = (0..500)
        .map(|n| Point::new("prof.energy", THEN + n * 1000, n as f64))
        .collect();
    let mut points = energy.clone();
    points.push(Point::new("prof.state", THEN, "läuft").tagged([("floor", 2)]));
    let queued = ewima.write(&points).await?;
    assert_eq!((queued.points, queued.requests), (501, 1));

    let query = Query::between(
        "2023-11-14 22:13:20".parse::<Millis>()?,
        Millis::from(THEN + 499_000),
    );
    let both = query.clone().metric("prof.energy").metric("prof.state");
    let answer = read(&tsd, &both, 501).await?;
    let tagged = |point: &Point| point.clone().tagged([("uuid", "4f6c1d")]);
    let read_back: Vec<Point> = answer.queries[0]
        .results
        .iter()
        .flat_map(|series| series.points())
        .collect();
    assert_eq!(read_back, energy.iter().map(tagged).collect::<Vec<_>>());
    let state: Vec<Point> = answer.queries[1]
        .results
        .iter()
        .flat_map(|series| series.points())
        .collect();
    let expected =
        Point::new("prof.state", THEN, "läuft").tagged([("floor", "2"), ("uuid", "4f6c1d")]);
    assert_eq!(state, [expected]);
    // Aggregators and groups go through.
    let mean = QueryMetric::new("prof.energy")
        .group_by(GroupBy::tags(["uuid"]))
        .aggregate(RangeAggregator::avg(Relative::seconds(100)));
    let answer = tsd.query(&query.clone().metric(mean)).await?;
    let means: Vec<f64> = answer
        .points()
        .filter_map(|point| Some(point.number()?.as_f64()))
        .collect();
    assert_eq!(means, [49.5, 149.5, 249.5, 349.5, 449.5]);
    // What the store says was wrong comes through.
    let bad = query.metric(QueryMetric::new("prof.energy").with("order", "sideways"));
    let error = tsd.query(&bad).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert!(error.messages()[0].contains("order must be"), "{error}");
    // Others are not let in.
    let stranger = quick(Tsd::at(&url, &Token::new("account", "guessed")?));
    let error = stranger.query(&both).await.unwrap_err();
    assert_eq!(
        (error.status(), error.messages()),
        (Some(401), &["Unauthorized".to_owned()][..])
    );
    let stranger = quick(Ewima::at(&url, &Token::new("4f6c1d", "guessed")?));
    let error = stranger.write(&points).await.unwrap_err();
    assert!(
        matches!(error.error().reason(), Reason::Refused { status: 401, .. }),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn tsd_is_polled() -> Tested {
    let Some(server) = server().await else {
        return Ok(());
    };
    let (meter, account) = (
        Token::new("4f6c1d", "secret")?,
        Token::new("account", "secret")?,
    );
    let front = gateway(server, &[&meter, &account]).await;
    let url = format!("{}/ds/v1/kairos", front.url());
    let ewima = quick(Ewima::at(&url, &meter));
    let store = quick(Tsd::at(&url, &account)).store(Query::since(0).metric("prof.polled"));
    let now = i64::from(Millis::now());
    let mut stream = Polling::new(store)
        .every(Duration::from_millis(50))
        .buffer(Duration::from_secs(600))
        .start()?;
    for ago in [60_000, 30_000, 45_000] {
        ewima
            .write(&[Point::new("prof.polled", now - ago, ago)])
            .await?;
        let polled = tokio::time::timeout(Duration::from_secs(60), stream.next()).await?;
        let expected = Point::new("prof.polled", now - ago, ago).tagged([("uuid", "4f6c1d")]);
        assert_eq!(polled.unwrap().into_point(), expected);
    }
    Ok(())
}

/// proficloud.io, which answers from KairosDB.
async fn io_front(cloud: Shared, store: KairosDb) -> Front {
    Front::waiting(move |_, asked| {
        let (cloud, store, asked) = (cloud.clone(), store.clone(), asked.clone());
        async move {
            if asked.method == "POST" {
                return cloud.lock().unwrap().grant(&form(&asked));
            }
            match cloud.lock().unwrap().admits(&asked) {
                true => {}
                false => return Reply::status(401, ""),
            }
            let body = points_of(&store, &asked).await;
            Reply::ok(body.to_string())
        }
    })
    .await
}

/// In the shape of proficloud.io, from the beginning up to before the end.
async fn points_of(store: &KairosDb, asked: &Asked) -> Value {
    let said = parameters(asked);
    let time = |name: &str| i64::from(said[name].parse::<Millis>().unwrap());
    let metrics = said["timeSeriesName"].split(',');
    let metrics = metrics.map(|name| QueryMetric::new(name).tag("uuid", [&said["uuid"]]));
    let query = Query::between(time("fromDate"), time("toDate") - 1).metrics(metrics);
    let answer = store.query(&query).await.unwrap();
    let parts = answer.series().map(|series| {
        let samples = series.values.iter().map(|(millis, value)| {
            let value = match value {
                PointValue::Number(number) => json!(number.as_f64()),
                PointValue::Text(text) => json!(&**text),
                PointValue::Null => Value::Null,
            };
            json!({"timestamp": Millis::from(*millis).to_string(), "values": {"value": value}})
        });
        json!({ &said["uuid"]: { &series.name: samples.collect::<Vec<_>>() } })
    });
    parts.collect()
}

#[tokio::test]
async fn proficloud_io_is_asked_and_polled_while_its_tokens_expire() -> Tested {
    let Some(server) = server().await else {
        return Ok(());
    };
    let store = KairosDb::new(server.url())?;
    let cloud = Cloud::shared();
    let front = io_front(cloud.clone(), store.clone()).await;
    let builder = ProficloudIo::builder()
        .data_url(front.url())
        .auth_url(front.url());
    let client = builder.build()?;
    client.authenticate(USER, PASSWORD).await?;
    let now = i64::from(Millis::now());
    let point = |ago: i64, uuid: &str| {
        Point::new("prof.io", now - ago, ago as f64 + 0.5).tagged([("uuid", uuid)])
    };
    let points: Vec<Point> = (1..=20)
        .rev()
        .map(|ago| point(ago * 1000, "7d0e"))
        .collect();
    store.write(&points).await?;
    store.write(&[point(1000, "another")]).await?;
    read(&store, &Query::since(now - 60_000).metric("prof.io"), 21).await?;

    let query = IoQuery::new("7d0e").metrics(["prof.none", "prof.io"]);
    let answer = client
        .query(&query.clone().between(now - 30_000, now))
        .await?;
    assert_eq!(answer.points().collect::<Vec<_>>(), points);
    assert_eq!(answer.series.len(), 1);

    let mut stream = Polling::new(client.store(query))
        .every(Duration::from_millis(50))
        .buffer(Duration::from_secs(600))
        .start()?;
    let mut next = async || {
        let polled = tokio::time::timeout(Duration::from_secs(60), stream.next()).await;
        polled
            .expect("points come")
            .expect("it goes on")
            .into_point()
    };
    for expected in &points {
        assert_eq!(next().await, *expected);
    }
    for (round, ago) in [25_500, 500, 15_250].into_iter().enumerate() {
        match round {
            // It expires.
            0 => later(Duration::from_secs(400)).await,
            // It is revoked.
            1 => cloud.lock().unwrap().access.clear(),
            // The refresh token is, too.
            _ => {
                let mut cloud = cloud.lock().unwrap();
                cloud.access.clear();
                cloud.refresh.clear();
            }
        }
        store.write(&[point(ago, "7d0e")]).await?;
        assert_eq!(next().await, point(ago, "7d0e"));
    }
    let log = cloud.lock().unwrap().log.clone();
    let count = |kind| log.iter().filter(|what| **what == kind).count();
    assert_eq!(
        (count("password"), count("refresh")),
        (2, 3),
        "the first, and the last"
    );
    Ok(())
}
