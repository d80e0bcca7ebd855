//! A polling stream against a real Prometheus, by the store that the guide shows. This takes real time.

include!("../src/guide/prometheus_store.rs");

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use futures::StreamExt;
use headwater::timeseries::{MetricsStream, Polling};
use headwater::{BoxError, Retry};
use headwater_services::{Prometheus as Server, Series, or_skip};
use tokio::net::TcpListener;

type Tested = Result<(), BoxError>;

fn polling(server: &Server) -> Polling<Prometheus> {
    let store = Prometheus {
        url: server.url(),
        selector: r#"{__name__=~"one|two"}"#.to_owned(),
    };
    Polling::new(store)
        .every(Duration::from_millis(50))
        .buffer(Duration::from_secs(600))
        .retry(Retry::attempts(1000).fixed(Duration::from_millis(50)))
}

/// The next so many points, as metric, city, seconds and value, in order.
async fn next(stream: &mut MetricsStream, count: usize) -> Vec<(String, String, i64, f64)> {
    let mut points = Vec::new();
    let patience = Duration::from_secs(30);
    while points.len() < count {
        let polled = tokio::time::timeout(patience, stream.next()).await;
        let polled = polled.expect("points come").expect("it goes on");
        let point = polled.into_point();
        let city = point.tags().get("stadt").map(ToString::to_string);
        let value = point.number().expect("a number").as_f64();
        let (metric, seconds) = (point.metric().to_owned(), point.millis() / 1000);
        points.push((metric, city.unwrap_or_default(), seconds, value));
    }
    points.sort_by(|left, right| left.partial_cmp(right).expect("no NaN"));
    points
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_is_polled_over_late_points_its_death_and_our_own() -> Tested {
    let Some(mut server) = or_skip(Server::start(Server::TAKES_OLD_POINTS)) else {
        return Ok(());
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let write = |server: &Server, metric: &str, points: &[(i64, f64)]| {
        let points = points
            .iter()
            .map(|(ago, value)| ((now - ago) * 1000, *value));
        let series = Series::new(metric, [("stadt", "Köln")], points);
        server
            .write(&[series])
            .map(|answer| assert_eq!(answer.status, 204))
    };
    let one = |ago: i64, value| ("one".to_owned(), "Köln".to_owned(), now - ago, value);
    let two = |ago: i64, value| ("two".to_owned(), "Köln".to_owned(), now - ago, value);

    write(&server, "one", &[(300, 1.0), (200, 2.5)])?;
    let mut stream = polling(&server).start()?;
    assert_eq!(next(&mut stream, 2).await, [one(300, 1.0), one(200, 2.5)]);
    // Late, and another series.
    write(&server, "one", &[(250, -1e300)])?;
    write(&server, "two", &[(300, 0.1)])?;
    assert_eq!(
        next(&mut stream, 2).await,
        [one(250, -1e300), two(300, 0.1)]
    );

    server.kill()?;
    let control = stream.control();
    let mut state = control.watch();
    state.wait_for(|state| state.failing().is_some()).await?;
    server.restart()?;
    write(&server, "one", &[(100, 4.0)])?;
    assert_eq!(next(&mut stream, 1).await, [one(100, 4.0)]);
    assert!(control.stats().failures > 0);

    // The last one was not acknowledged, as nobody has asked for the next.
    let cursor = control.cursor();
    drop(stream);
    write(&server, "two", &[(90, 5.0)])?;
    let mut again = polling(&server).resume(cursor).start()?;
    assert_eq!(next(&mut again, 2).await, [one(100, 4.0), two(90, 5.0)]);
    let none = tokio::time::timeout(Duration::from_millis(300), again.next()).await;
    assert!(none.is_err(), "{none:?}");
    Ok(())
}

/// Where a gateway answers, or there are samples that are no numbers, and where it would be too much.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_a_failure_and_not_no_points() -> Tested {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let matrix = |result: &str| format!(r#"{{"status":"success","data":{{"result":[{result}]}}}}"#);
    let labels = r#""metric":{"__name__":"one","stadt":"Köln"}"#;
    let odd = [
        "{}".to_owned(),
        matrix(&format!(r#"{{{labels},"histograms":[]}}"#)),
        matrix(&format!(r#"{{{labels},"values":[[{now},"much"]]}}"#)),
    ];
    let (failed, asked) = (odd.len() as u64, Arc::<Mutex<Vec<String>>>::default());
    let good = matrix(&format!(r#"{{{labels},"values":[[{now},"1.5"]]}}"#));
    let answers = Arc::new(Mutex::new(odd.into_iter()));
    let front = {
        let asked = asked.clone();
        move |Query(query): Query<HashMap<String, String>>| {
            let (answer, good) = (answers.lock().unwrap().next(), good.clone());
            let mut asked = asked.lock().unwrap();
            asked.push(query["query"].clone());
            let answer = match (answer, asked.len()) {
                (Some(odd), _) => (StatusCode::OK, odd),
                (None, 4) => (StatusCode::UNPROCESSABLE_ENTITY, String::new()),
                _ => (StatusCode::OK, good),
            };
            std::future::ready(answer)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let store = Prometheus {
        url: format!("http://{}", listener.local_addr()?),
        selector: "one".to_owned(),
    };
    let front = Router::new().route("/api/v1/query", get(front));
    let served = tokio::spawn(async { axum::serve(listener, front).await });

    let retry = Retry::attempts(1000).fixed(Duration::from_millis(10));
    let polling = Polling::new(store).every(Duration::from_millis(50));
    let mut stream = polling.retry(retry).start()?;
    let one = ("one".to_owned(), "Köln".to_owned(), now.cast_signed(), 1.5);
    assert_eq!(next(&mut stream, 1).await, [one]);
    assert!(stream.control().stats().failures >= failed);
    let length = |asked: &String| {
        asked
            .trim_matches(|c: char| !c.is_ascii_digit())
            .parse::<i64>()
    };
    let asked: Vec<i64> = asked
        .lock()
        .unwrap()
        .iter()
        .map(length)
        .collect::<Result<_, _>>()?;
    assert!(
        asked[4] < asked[3],
        "after what was too much less is asked for: {asked:?}"
    );
    served.abort();
    Ok(())
}
