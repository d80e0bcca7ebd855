//! Polling streams of KairosDB's client over a bad road: whatever goes wrong between the store and us, each
//! point comes once, and none is lost. The road and the store are of the tests, and time is virtual.

#![cfg(feature = "kairosdb")]

mod bad_road;
mod http_front;
mod stand_in;
mod virtual_time;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use bad_road::{BadRoad, Fault, Frame, KINDS, NO_ANSWERS, by_chance, once};
use futures::StreamExt;
use headwater::timeseries::kairosdb::{KairosDb, KairosStore, Query};
use headwater::timeseries::{Cursor, Order, Point, PointValue, Polling};
use headwater::{BoxError, Retry};
use proptest::prelude::*;
use stand_in::{kairosdb_of, let_time_pass};
use virtual_time::in_virtual_time;
use world::{NOON, SECOND, World, ready, secs, until};

type Tested = Result<(), BoxError>;

/// For how long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
const BUFFER: i64 = 60;

fn store(road: &BadRoad, attempts: u32, gzip: bool) -> KairosStore {
    let client = KairosDb::builder(road.url())
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .attempts(attempts)
        .gzip_answers(gzip)
        .max_answer(1 << 20)
        .build()
        .expect("a URL");
    client.store(Query::since(0).metric("m"))
}

fn polling(world: &World, store: KairosStore) -> Polling<KairosStore> {
    Polling::new(store)
        .wall_clock(world.wall())
        .every(secs(10))
        .buffer(secs(BUFFER as u64))
        .retry(Retry::attempts(3).fixed(secs(1)))
        .retry_slowly(secs(20))
}

fn point(series: u8, seconds: i64, value: impl Into<PointValue>) -> Point {
    let tags = [("größe", "α β"), ("series", &series.to_string())];
    Point::new("m", NOON + seconds * SECOND, value).tagged(tags)
}

/// What is said of a fault, whether asking again soon could not help, and how many seconds pass at least.
type Told = (Fault, &'static str, bool, i64);

#[tokio::test(start_paused = true)]
async fn each_fault_is_told_and_repeated_and_costs_no_point() -> Tested {
    let_time_pass();
    let short = secs(1);
    let mut cases: Vec<Told> = vec![
        (Fault::HungUp, "connection", false, 1),
        (Fault::Reset, "connection", false, 1),
        (Fault::ResetWithin(0), "connection", false, 1),
        (Fault::ResetWithin(50), "connection", false, 1),
        (
            Fault::Cut(0, Frame::Length),
            "end of file before message length reached",
            false,
            1,
        ),
        (
            Fault::Cut(99, Frame::Length),
            "end of file before message length reached",
            false,
            1,
        ),
        (Fault::Cut(50, Frame::Chunks), "unexpected EOF", false, 1),
        (Fault::Cut(100, Frame::Chunks), "unexpected EOF", false, 1),
        (Fault::Cut(50, Frame::Close), "EOF while parsing", false, 1),
        (
            Fault::Cut(0, Frame::OfThePart),
            "EOF while parsing",
            false,
            1,
        ),
        (
            Fault::Cut(99, Frame::OfThePart),
            "EOF while parsing",
            false,
            1,
        ),
        (Fault::Status(429, None), "status 429", false, 1),
        (Fault::Status(429, Some(40)), "status 429", false, 40),
        (Fault::Status(500, None), "status 500", false, 1),
        (Fault::Status(503, Some(7)), "status 503", false, 7),
        (Fault::Status(401, None), "status 401", true, 20),
        (Fault::Status(404, None), "status 404", true, 20),
        (Fault::NoGzip, "gzip", false, 1),
        (
            Fault::Endless(short),
            "no complete answer within 15s",
            false,
            16,
        ),
        (Fault::Silence, "no complete answer within 15s", false, 16),
        (
            Fault::Late(secs(20)),
            "no complete answer within 15s",
            false,
            16,
        ),
        (
            Fault::Trickle(1, short),
            "no complete answer within 15s",
            false,
            16,
        ),
        // Slow, but in time.
        (Fault::Late(secs(10)), "", false, 10),
        (Fault::Trickle(10, short), "", false, 10),
    ];
    cases.extend(
        NO_ANSWERS.map(|body| (Fault::Instead(body), "in an answer that begins", false, 1)),
    );
    for (fault, said, down, seconds) in cases {
        let world = World::new();
        for second in [-40, -30, -20, -10] {
            world.put(point(0, second, second));
        }
        let front = kairosdb_of(&world).await;
        let road = BadRoad::to(front.url()).await;
        road.worsen(once([fault]));
        let mut stream = polling(&world, store(&road, 1, true)).start()?;
        let control = stream.control();
        if !said.is_empty() {
            let mut state = control.watch();
            let state = state
                .wait_for(|state| state.failing().is_some())
                .await?
                .clone();
            let error = state.last_error().expect("an error").to_string();
            assert!(error.contains(said), "{fault:?}: {error}");
            assert_eq!(state.is_down(), down, "{fault:?}: {state:?}");
        }
        let first = stream.next().await.ok_or("it ended")?;
        // So long it is left alone, at least.
        assert!(world.now() >= NOON + seconds * SECOND, "{fault:?}");
        let mut came = vec![first];
        came.extend(until(&world, &mut stream, world.now() + 100 * SECOND).await);
        let came: Vec<_> = came.iter().map(|polled| polled.point().millis()).collect();
        let expected = [-40, -30, -20, -10].map(|second| NOON + second * SECOND);
        assert_eq!(came, expected, "{fault:?}");
        let stats = control.stats();
        assert_eq!(
            stats.failures,
            u64::from(!said.is_empty()),
            "{fault:?}: {stats:?}"
        );
        assert!(control.state().is_healthy(), "{fault:?}");
        assert!(stats.repeated > 0, "{fault:?}: {stats:?}");
    }
    Ok(())
}

/// It may be that too much was asked for.
#[tokio::test(start_paused = true)]
async fn an_answer_without_end_is_broken_off_and_less_is_asked_for() -> Tested {
    let_time_pass();
    let endless = Fault::Endless(Duration::ZERO);
    for times in [1, 2, 100] {
        let world = World::new();
        let seconds = [-40, -30, -20, -10];
        for second in seconds {
            world.put(point(0, second, second));
        }
        let front = kairosdb_of(&world).await;
        let road = BadRoad::to(front.url()).await;
        road.worsen(once(vec![endless; times]));
        let mut stream = polling(&world, store(&road, 1, true)).start()?;
        let control = stream.control();
        if times == 100 {
            // Whatever is asked for.
            let mut state = control.watch();
            let state = state.wait_for(|state| state.is_down()).await?.clone();
            let error = state.last_error().expect("an error").to_string();
            assert!(error.contains("more than 1048576 bytes"), "{error}");
            road.repair();
        }
        let mut came = vec![stream.next().await.ok_or("it ended")?];
        came.extend(until(&world, &mut stream, world.now() + 100 * SECOND).await);
        let came: Vec<_> = came.iter().map(|polled| polled.point().millis()).collect();
        assert_eq!(
            came,
            seconds.map(|second| NOON + second * SECOND),
            "{times}"
        );
        assert!(control.state().is_healthy(), "{times}");
        let failures = control.stats().failures;
        assert!((1..=100).contains(&failures), "{times}: {failures}");
        assert!(
            times == 100 || failures == times as u64,
            "{times}: {failures}"
        );
    }
    Ok(())
}

#[derive(Debug, Clone)]
struct Scenario {
    seed: u64,
    /// One exchange in so many goes wrong.
    one_in: u64,
    /// Series, half a second after noon, lateness in seconds.
    points: Vec<(u8, i64, i64)>,
    /// From when on the store is away, in seconds, and for how long.
    away: (i64, i64),
    /// When the process dies, how many of the latest points are not acknowledged then, and for how long it is
    /// away.
    deaths: Vec<(i64, usize, i64)>,
    settled: bool,
    attempts: u32,
    gzip: bool,
    tells_time: bool,
    /// By how many seconds our clock is ahead, where the store tells the time.
    ahead: i64,
}

/// How long points are made in a random run, in seconds.
const END: i64 = 900;

fn scenario() -> impl Strategy<Value = Scenario> {
    let lateness = prop_oneof![3 => Just(0), 2 => 0..BUFFER];
    let points = prop::collection::vec((0..3_u8, 0..END * 2, lateness), 0..200);
    let deaths = prop::collection::vec((0..END, 0..20_usize, 0..5 * BUFFER), 0..4);
    let run = (any::<u64>(), 1..6_u64, (0..END, 0..200_i64), any::<bool>());
    let client = (1..4_u32, any::<bool>(), any::<bool>(), -100..100_i64);
    (points, deaths, run, client).prop_map(|(points, deaths, run, client)| {
        let (seed, one_in, away, settled) = run;
        let (attempts, gzip, tells_time, ahead) = client;
        // All go wrong: there would be no point before the road is repaired.
        let one_in = one_in.max(2);
        Scenario {
            seed,
            one_in,
            points,
            away,
            deaths,
            settled,
            attempts,
            gzip,
            tells_time,
            ahead,
        }
    })
}

/// The points that there are, each once, and when they arrive.
fn points(scenario: &Scenario) -> BTreeMap<Point, i64> {
    let mut points = BTreeMap::new();
    for &(series, halves, late) in &scenario.points {
        let at = NOON + halves * SECOND / 2;
        let value = match series {
            0 => PointValue::from(halves),
            1 => PointValue::from(halves as f64 + 0.1),
            _ => PointValue::from(format!("{halves} °C")),
        };
        let tags = [("größe", "α β"), ("series", &series.to_string())];
        let point = Point::new("m", at, value).tagged(tags);
        points.entry(point).or_insert(at + late * SECOND);
    }
    points
}

/// What went wrong in all the runs.
static DEALT: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());

async fn none_lost_and_none_repeated(scenario: &Scenario, end: i64) {
    let_time_pass();
    let world = World::new();
    let expected = points(scenario);
    for (point, from) in &expected {
        world.put_at(*from, point.clone());
    }
    let (now, (from, len)) = (world.clone(), scenario.away);
    world.fail(move |_| {
        let seconds = (now.now() - NOON) / SECOND;
        let away = (from..from + len).contains(&seconds);
        away.then(|| headwater::timeseries::StoreError::retry("away"))
    });
    world.script().tells_time = scenario.tells_time;
    world.script().ahead = match scenario.tells_time {
        true => scenario.ahead * SECOND,
        false => 0,
    };
    let front = kairosdb_of(&world).await;
    let road = BadRoad::to(front.url()).await;
    road.worsen(by_chance(scenario.seed, scenario.one_in, PATIENCE));

    let mut deaths = scenario.deaths.clone();
    deaths.sort_unstable();
    let deaths = deaths.into_iter().map(Some).chain([None]);
    let mut cursor: Option<Cursor> = None;
    let mut done: BTreeSet<Point> = BTreeSet::new();
    for death in deaths {
        let order = match scenario.settled {
            true => Order::Settled(secs(20)),
            false => Order::AsSeen,
        };
        let store = store(&road, scenario.attempts, scenario.gzip);
        let mut polling = polling(&world, store).order(order);
        let mut overdue = polling.overdue(10_000);
        let stream = polling.resume(cursor.take()).start();
        let mut stream = stream.expect("it makes sense").acked();
        let control = stream.control();
        let mut items = until(
            &world,
            &mut stream,
            NOON + death.map_or(end, |(at, ..)| at) * SECOND,
        )
        .await;
        if death.is_none() {
            road.repair();
            // Until all has come, and long enough for what comes twice.
            items.extend(until(&world, &mut stream, NOON + (end + 600) * SECOND).await);
        }
        let acknowledged = items.len() - death.map_or(0, |(_, open, _)| open.min(items.len()));
        let mut came = BTreeSet::new();
        for (place, (polled, ack)) in items.into_iter().enumerate() {
            let point = polled.into_point();
            assert!(came.insert(point.clone()), "{point} came twice");
            assert!(!done.contains(&point), "{point} was acknowledged");
            if place < acknowledged {
                ack.acknowledge();
                done.insert(point);
            }
        }
        for point in ready(&mut overdue).await {
            assert!(done.insert(point.clone()), "{point} came twice");
        }
        cursor = Some(control.cursor());
        drop(stream);
        if let Some((at, _, away)) = death {
            world.until(NOON + (at + away) * SECOND).await;
        }
    }
    let lost: Vec<_> = expected
        .keys()
        .filter(|point| !done.contains(point))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(done.len(), expected.len(), "some are not the store's");
    for (kind, times) in road.dealt() {
        *DEALT.lock().unwrap().entry(kind).or_default() += times;
    }
}

#[test]
fn random_faults_lose_no_point_and_repeat_none() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = |scenario: Scenario| {
        in_virtual_time(none_lost_and_none_repeated(&scenario, END));
        Ok(())
    };
    runner.run(&scenario(), run).unwrap();
    let dealt = DEALT.lock().unwrap();
    assert_eq!(dealt.len(), KINDS, "each kind of fault was met: {dealt:?}");
}
