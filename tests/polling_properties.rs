//! Polling streams against a naive oracle: whatever the points, the outages, the clocks and the
//! restarts, each point comes once, and none is lost that is not later than the buffer.

mod virtual_time;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt;
use headwater::Retry;
use headwater::metrics::Tags;
use headwater::timeseries::{
    Cursor, Fetched, Order, Point, PointValue, Polled, Polling, Range, Store, StoreError,
};
use proptest::prelude::*;
use virtual_time::in_virtual_time;
use world::{NOON, SECOND, World, secs, until};

const BUFFER: i64 = 60;
/// When the last points are made, in seconds.
const END: i64 = 600;

#[derive(Debug, Clone)]
struct Scenario {
    /// Series, half a second after noon, lateness in seconds.
    points: Vec<(u8, i64, i64)>,
    /// From when on, in seconds, and for how long.
    outages: Vec<(i64, i64)>,
    /// When this computer's clock is set, and to how far ahead.
    jumps: Vec<(i64, i64)>,
    /// When the process dies, and how many of the latest points are not acknowledged then.
    deaths: Vec<(i64, usize)>,
    interval: u64,
    chunk: u64,
    latency: u64,
    unruly: bool,
    tells_time: bool,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let lateness = prop_oneof![3 => Just(0), 2 => 0..BUFFER];
    let points = prop::collection::vec((0..3_u8, 0..END * 2, lateness), 0..200);
    let outages = prop::collection::vec((0..END, 1..200_i64), 0..3);
    let ahead = prop_oneof![Just(0), -100..100_i64, -5000..5000_i64];
    let jumps = prop::collection::vec((1..END, ahead), 0..4);
    let deaths = prop::collection::vec((0..END, 0..20_usize), 0..4);
    let chunk = prop_oneof![Just(3600), 20..300_u64];
    let store = (1..30_u64, chunk, 0..3000_u64, any::<bool>(), any::<bool>());
    (points, outages, jumps, deaths, store).prop_map(|(points, outages, jumps, deaths, store)| {
        let (interval, chunk, latency, unruly, tells_time) = store;
        Scenario {
            points,
            outages,
            jumps,
            deaths,
            interval,
            chunk,
            latency,
            unruly,
            tells_time,
        }
    })
}

/// The points that there are, each once, and when they arrive.
fn points(scenario: &Scenario) -> BTreeMap<Point, i64> {
    let mut points = BTreeMap::new();
    for &(series, halves, late) in &scenario.points {
        let at = NOON + halves * SECOND / 2;
        let point = Point::new("m", at, halves).tagged([("series", series)]);
        points.entry(point).or_insert(at + late * SECOND);
    }
    points
}

fn world(scenario: &Scenario) -> World {
    let world = World::new();
    for (point, from) in points(scenario) {
        world.put_at(from, point);
    }
    let (outages, now) = (scenario.outages.clone(), world.clone());
    world.fail(move |_| {
        let now = (now.now() - NOON) / SECOND;
        let out = |(from, len): &(i64, i64)| *from <= now && now < from + len;
        let out = outages.iter().any(out);
        out.then(|| StoreError::retry("away"))
    });
    let mut script = world.script();
    script.latency = Duration::from_millis(scenario.latency);
    script.unruly = scenario.unruly;
    script.tells_time = scenario.tells_time;
    drop(script);
    world
}

fn polling(world: &World, scenario: &Scenario) -> Polling<World> {
    Polling::new(world.clone())
        .wall_clock(world.wall())
        .every(secs(scenario.interval))
        .buffer(secs(BUFFER as u64))
        .chunk(secs(scenario.chunk))
        .retry(Retry::attempts(3).fixed(secs(2)))
        .retry_slowly(secs(20))
}

/// Runs the clock in steps, so that it jumps when it should, and takes what comes until then.
async fn run<S: futures::Stream + Unpin>(
    world: &World,
    scenario: &Scenario,
    stream: &mut S,
    to: i64,
) -> Vec<S::Item> {
    let mut items = Vec::new();
    let mut jumps: Vec<_> = scenario.jumps.clone();
    jumps.sort_unstable();
    for (at, ahead) in jumps {
        if (world.now() - NOON) / SECOND <= at && at < to {
            items.extend(until(world, stream, NOON + at * SECOND).await);
            world.script().ahead = ahead * SECOND;
        }
    }
    items.extend(until(world, stream, NOON + to * SECOND).await);
    items
}

/// When all has arrived, all clocks are right again, and each stretch was asked for.
const LATE: i64 = END + 5000;

fn none_lost(scenario: &Scenario, came: &BTreeSet<Point>) {
    let expected: BTreeSet<_> = points(scenario).into_keys().collect();
    let lost: Vec<_> = expected.difference(came).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(came.len(), expected.len());
}

async fn once_each(scenario: &Scenario) {
    let world = world(scenario);
    let mut stream = polling(&world, scenario).start().unwrap();
    let control = stream.control();
    let mut all = run(&world, scenario, &mut stream, END).await;
    world.script().ahead = 0;
    all.extend(until(&world, &mut stream, NOON + LATE * SECOND).await);
    let stats = control.stats();
    assert_eq!(stats.emitted, all.len() as u64);
    assert_eq!(stats.received, stats.emitted + stats.repeated, "{stats:?}");
    let late = all.iter().filter(|polled| polled.is_late()).count();
    assert_eq!(stats.late, late as u64);
    let mut newest = BTreeMap::new();
    for polled in &all {
        let (point, time) = (polled.point(), polled.point().millis());
        let before = newest.insert(point.tags().clone(), time);
        let newest = newest.get_mut(point.tags()).unwrap();
        assert_eq!(polled.is_late(), before.is_some_and(|before| before > time));
        *newest = time.max(before.unwrap_or(time));
    }
    let all: Vec<_> = all.into_iter().map(Polled::into_point).collect();
    let unique: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), unique.len(), "some came twice");
    none_lost(scenario, &unique);
}

async fn in_order_or_overdue(scenario: &Scenario, hold: u64) {
    let world = world(scenario);
    let mut polling = polling(&world, scenario).order(Order::Settled(secs(hold)));
    let mut overdue = polling.overdue(1000);
    let mut stream = polling.start().unwrap();
    let mut all = run(&world, scenario, &mut stream, END).await;
    world.script().ahead = 0;
    all.extend(until(&world, &mut stream, NOON + LATE * SECOND).await);
    assert!(all.is_sorted_by_key(|polled| polled.point().millis()));
    assert!(all.iter().all(|polled| !polled.is_late()));
    let mut all: Vec<_> = all.into_iter().map(Polled::into_point).collect();
    let overdue = world::ready(&mut overdue).await;
    if hold == BUFFER as u64 && scenario.outages.is_empty() && scenario.latency == 0 {
        assert!(overdue.is_empty(), "{overdue:?}");
    }
    all.extend(overdue);
    let unique: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), unique.len(), "some came twice");
    none_lost(scenario, &unique);
}

/// The process dies again and again, with points under way, and goes on from the last cursor.
async fn at_least_once_over_deaths(scenario: &Scenario, order: Order) {
    let world = world(scenario);
    let mut deaths: Vec<_> = scenario.deaths.clone();
    deaths.sort_unstable();
    deaths.push((LATE, 0));
    let mut cursor: Option<Cursor> = None;
    let mut acknowledged = BTreeSet::new();
    for (at, open) in deaths {
        let mut polling = polling(&world, scenario).order(order);
        let mut overdue = polling.overdue(1000);
        let mut stream = polling.resume(cursor.take()).start().unwrap().acked();
        let control = stream.control();
        let mut items = run(&world, scenario, &mut stream, at.min(END)).await;
        if at > END {
            world.script().ahead = 0;
            items.extend(until(&world, &mut stream, NOON + at * SECOND).await);
        }
        let mut came = BTreeSet::new();
        let done = items.len().saturating_sub(open);
        for (place, (polled, ack)) in items.into_iter().enumerate() {
            let point = polled.into_point();
            assert!(came.insert(point.clone()), "{point} came twice");
            let known = acknowledged.contains(&point);
            assert!(!known, "{point} was acknowledged");
            if place < done {
                ack.acknowledge();
                acknowledged.insert(point);
            }
        }
        acknowledged.extend(world::ready(&mut overdue).await);
        let bytes = control.cursor().to_bytes();
        cursor = Some(Cursor::from_bytes(&bytes).unwrap());
        // What comes after the cursor was saved is in vain.
        drop(stream.next());
    }
    none_lost(scenario, &acknowledged);
}

/// Answers as they are scripted, one a poll, whatever is asked for.
struct Scripted(Mutex<VecDeque<Vec<Point>>>);

impl Store for Scripted {
    async fn fetch(&self, _: Range) -> Result<Fetched, StoreError> {
        Ok(Fetched::new(
            self.0.lock().unwrap().pop_front().unwrap_or_default(),
        ))
    }
}

/// Points of few series, times and values, in any order, some of them twice.
fn answers() -> impl Strategy<Value = Vec<Vec<Point>>> {
    let value = prop_oneof![
        (0..3_i64).prop_map(PointValue::from),
        Just(PointValue::from(1.0)),
        Just(PointValue::from(0.5)),
        Just(PointValue::from("a")),
        Just(PointValue::Null),
    ];
    let point = (0..2_u8, 0..6_i64, value).prop_map(|(series, second, value)| {
        Point::new("m", NOON - second * SECOND, value).tagged([("series", series)])
    });
    let answer = (prop::collection::vec(point, 0..20), 0..3).prop_map(|(mut points, order)| {
        match order {
            0 => points.sort(),
            1 => points.sort_by(|left, right| right.cmp(left)),
            _ => {}
        }
        points
    });
    prop::collection::vec(answer, 1..6)
}

/// What is new in each answer, and what is revised, with the value before.
fn by_hand(answers: &[Vec<Point>]) -> (Vec<Point>, Vec<(Point, PointValue)>) {
    let (mut new, mut revised) = (Vec::new(), Vec::new());
    let mut known: BTreeMap<(Tags, i64), BTreeSet<PointValue>> = BTreeMap::new();
    for answer in answers {
        let mut groups: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for point in answer {
            let key = (point.tags().clone(), point.millis());
            groups.entry(key).or_default().insert(point.value().clone());
        }
        for (key, group) in groups {
            let point = |value: &PointValue| Point::new("m", key.1, value.clone()).tagged(&key.0);
            let old = known.entry(key.clone()).or_default();
            if group.is_subset(old) {
                continue;
            }
            let mut unknown = group.difference(old);
            let before = match old.first() {
                Some(first) => first.clone(),
                None => {
                    let first = unknown.next().unwrap();
                    new.push(point(first));
                    first.clone()
                }
            };
            revised.extend(unknown.map(|value| (point(value), before.clone())));
            *old = group;
        }
    }
    (new, revised)
}

async fn same_as_by_hand(answers: Vec<Vec<Point>>) {
    let polls = answers.len() as i64;
    let (new, revised) = by_hand(&answers);
    let world = World::new();
    let mut polling = Polling::new(Scripted(Mutex::new(answers.into())))
        .wall_clock(world.wall())
        .every(secs(1));
    let mut outlet = polling.revised(1000);
    let mut stream = polling.start().unwrap();
    let sorted = |mut points: Vec<Point>| {
        points.sort();
        points
    };
    let all = until(&world, &mut stream, NOON + polls * SECOND).await;
    let all = all.into_iter().map(Polled::into_point).collect();
    assert_eq!(sorted(all), sorted(new));
    let came = world::ready(&mut outlet).await.into_iter();
    let mut came: Vec<_> = came
        .map(|revised| (revised.point, revised.before))
        .collect();
    let mut revised = revised;
    came.sort();
    revised.sort();
    assert_eq!(came, revised);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn answers_in_any_order_are_compared_as_by_hand(answers in answers()) {
        in_virtual_time(same_as_by_hand(answers));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn each_point_comes_once(scenario in scenario()) {
        in_virtual_time(once_each(&scenario));
    }

    #[test]
    fn points_settle_in_order_and_none_is_lost(scenario in scenario(), hold in 0..=BUFFER as u64) {
        in_virtual_time(in_order_or_overdue(&scenario, hold));
    }

    #[test]
    fn what_is_not_acknowledged_comes_again(scenario in scenario(), settled in any::<bool>()) {
        let order = if settled { Order::Settled(secs(20)) } else { Order::AsSeen };
        in_virtual_time(at_least_once_over_deaths(&scenario, order));
    }
}
