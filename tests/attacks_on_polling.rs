//! Attacks on polling streams: clocks that lie, consumers that stop, streams that are dropped or turned into
//! others at odd moments. Time is virtual.

mod virtual_time;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use headwater::metrics::{TagValue, Tags};
use headwater::timeseries::{
    Cursor, Fetched, Order, Point, PointValue, PollClock, Polled, Polling, PollingError, Range,
    Store, StoreError,
};
use headwater::{BoxError, Retry};
use proptest::prelude::*;
use virtual_time::in_virtual_time;
use world::{HOUR, MINUTE, NOON, SECOND, World, ready, secs, until};

type Tested = Result<(), BoxError>;

const YEAR: i64 = 365 * 24 * HOUR;

fn polling(world: &World) -> Polling<World> {
    world::polling(world, world.clone())
}

fn point(second: i64) -> Point {
    Point::new("m", NOON + second * SECOND, second)
}

/// A point a second, each there at its time.
fn a_point_a_second(world: &World, seconds: std::ops::Range<i64>) {
    for second in seconds {
        world.put_at(NOON + second * SECOND, point(second));
    }
}

fn seconds(polled: &[Polled]) -> Vec<i64> {
    let second = |p: &Polled| (p.point().millis() - NOON) / SECOND;
    polled.iter().map(second).collect()
}

#[tokio::test(start_paused = true)]
async fn what_came_in_time_is_not_overdue_because_the_consumer_rested() -> Tested {
    let world = World::new();
    a_point_a_second(&world, 0..2000);
    let mut stream = polling(&world).order(Order::Settled(secs(30))).start()?;
    let mut all = until(&world, &mut stream, NOON + 300 * SECOND).await;
    // Nobody takes anything for twenty minutes.
    world.until(NOON + 1500 * SECOND).await;
    all.extend(until(&world, &mut stream, NOON + 2100 * SECOND).await);
    assert_eq!(stream.control().stats().overdue, 0);
    assert_eq!(seconds(&all), (0..2000).collect::<Vec<_>>());
    Ok(())
}

/// A store whose first answers tell a time that is far off.
struct Lying {
    world: World,
    answers: AtomicUsize,
    lies: usize,
    by: i64,
}

impl Store for Lying {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        let lies = self.answers.fetch_add(1, Ordering::Relaxed) < self.lies;
        let mut fetched = self.world.fetch(range).await?;
        let told = self.world.now() + if lies { self.by } else { 0 };
        fetched.server_time = Some(world::unix(told / SECOND * SECOND));
        Ok(fetched)
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_answer_that_is_of_next_year_does_not_stop_the_points_until_then() -> Tested {
    for lies in [1, 2, 5] {
        let world = World::new();
        a_point_a_second(&world, -60..600);
        let store = Lying {
            world: world.clone(),
            answers: AtomicUsize::new(0),
            lies,
            by: YEAR,
        };
        let mut stream = world::polling(&world, store).start()?;
        let come = until(&world, &mut stream, NOON + 700 * SECOND).await;
        let come = seconds(&come);
        // It begins when the time is known: with the buffer before that.
        let begun = come.first().copied().unwrap_or(i64::MAX);
        assert!(begun < 100, "{lies} lies: {come:?}");
        assert_eq!(come, (begun..600).collect::<Vec<_>>(), "{lies} lies");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_resumes_on_a_computer_that_has_lost_the_time_goes_on() -> Tested {
    for tells_time in [false, true] {
        let world = World::new();
        world.script().tells_time = tells_time;
        a_point_a_second(&world, 0..600);
        let mut stream = polling(&world).start()?;
        let mut all = until(&world, &mut stream, NOON + 100 * SECOND).await;
        // Asking for the next one acknowledges the last.
        all.extend(ready(&mut stream).await);
        let cursor = stream.control().cursor();
        drop(stream);

        // No battery: the clock begins where it was left long ago.
        world.script().ahead = -YEAR;
        world.until(NOON + 200 * SECOND).await;
        let mut stream = polling(&world).resume(cursor).start()?;
        // Where nobody tells the time, it is behind by as long as it was away.
        all.extend(until(&world, &mut stream, NOON + 900 * SECOND).await);
        assert_eq!(
            seconds(&all),
            (0..600).collect::<Vec<_>>(),
            "told: {tells_time}"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_horizon_of_next_year_is_not_waited_for_where_nothing_was_seen() -> Tested {
    let world = World::new();
    world.script().tells_time = true;
    world.script().ahead = YEAR;
    world.fail(|_| Some(StoreError::retry("unplugged")));
    let stream = polling(&world).start()?;
    world.until(NOON + 30 * SECOND).await;
    let cursor = stream.control().cursor();
    drop(stream);

    world.script().ahead = 0;
    world.heal();
    a_point_a_second(&world, 0..300);
    let mut stream = polling(&world).resume(cursor).start()?;
    let come = until(&world, &mut stream, NOON + 400 * SECOND).await;
    assert_eq!(seconds(&come), (0..300).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_stretch_that_ends_before_it_begins_is_asked_for_when_clocks_go_back() -> Tested {
    let world = World::new();
    world.put(point(0));
    let mut stream = polling(&world)
        .clock(PollClock::Local)
        .chunk(secs(300))
        .start()?;
    until(&world, &mut stream, NOON + 25 * SECOND).await;
    world.script().ahead = 24 * HOUR;
    until(&world, &mut stream, NOON + 20 * MINUTE).await;
    world.script().ahead = 0;
    until(&world, &mut stream, NOON + HOUR).await;
    let asked = world.script().requests.clone();
    let upside_down = asked.iter().find(|(_, range)| range.is_empty());
    assert_eq!(upside_down, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_runs_a_day_ahead_makes_nothing_overdue_and_nothing_wait() -> Tested {
    for (chunk, hold) in [(3600, 30), (300, 60), (50, 60)] {
        let world = World::new();
        // A minute of points, a silence, and again, each point as late as it may be.
        for second in (0..3000).filter(|second| second / 60 % 10 == 0) {
            let at = NOON + second * SECOND;
            let late = if second % 3 == 0 { hold * SECOND } else { 0 };
            world.put_at(at + late, point(second));
        }
        let mut polling = polling(&world)
            .clock(PollClock::Local)
            .chunk(secs(chunk))
            .order(Order::Settled(secs(hold as u64)));
        let mut overdue = polling.overdue(10);
        let mut stream = polling.start()?;
        let mut come = until(&world, &mut stream, NOON + 30 * SECOND).await;
        world.script().ahead = 24 * HOUR;
        come.extend(until(&world, &mut stream, NOON + 3600 * SECOND).await);
        assert_eq!(ready(&mut overdue).await, [], "chunks of {chunk} s");
        let all = (0..3000).filter(|second| second / 60 % 10 == 0);
        assert_eq!(seconds(&come), all.collect::<Vec<_>>());
        drop(stream);

        // As seen, each is there with the poll that comes next.
        world.script().ahead = 0;
        let mut stream = world::polling(&world, world.clone())
            .clock(PollClock::Local)
            .chunk(secs(chunk))
            .start()?;
        let begun = world.now();
        for second in 0..600 {
            let at = begun + second * SECOND;
            world.put_at(at, Point::new("n", at, second));
        }
        until(&world, &mut stream, begun + 15 * SECOND).await;
        world.script().ahead = 24 * HOUR;
        for _ in 0..62 {
            let now = world.now();
            let come = until(&world, &mut stream, now + 10 * SECOND).await;
            let latest = come.iter().map(|p| now + 10 * SECOND - p.point().millis());
            assert!(latest.max().unwrap_or(0) <= 21 * SECOND, "{come:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_before_its_first_poll_has_ended() -> Tested {
    let world = World::new();
    let stream = polling(&world).start()?;
    let control = stream.control();
    let mut states = control.watch();
    drop(stream);
    let ended = states.wait_for(|state| state.is_ended());
    tokio::time::timeout(secs(1), ended).await??;
    assert!(control.state().is_ended());
    assert_eq!(control.stats().polls, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_point_that_was_taken_before_the_stream_became_another_is_acknowledged() -> Tested {
    let world = World::new();
    a_point_a_second(&world, -3..1);
    let mut stream = polling(&world).start()?;
    assert!(stream.next().await.is_some());
    let mut acked = stream.acked();
    let control = acked.control();
    assert_eq!(control.stats().unacknowledged, 4);
    // As ever: when the next one is asked for.
    let (_, ack) = acked.next().await.ok_or("no point")?;
    assert_eq!(control.stats().unacknowledged, 3);
    ack.acknowledge();
    for (_, ack) in ready(&mut acked).await {
        ack.acknowledge();
    }
    assert_eq!(control.stats().unacknowledged, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_interval_that_is_shorter_than_the_jitter_is_refused_later_too() -> Tested {
    let world = World::new();
    let stream = polling(&world).jitter(secs(5), 7).start()?;
    let control = stream.control();
    assert_eq!(
        control.change_interval(secs(5)),
        Err(PollingError::JitterBeyondInterval {
            jitter: secs(5),
            interval: secs(5)
        })
    );
    control.change_interval(secs(6))?;
    world.until(NOON + 61 * SECOND).await;
    assert_eq!(control.stats().skipped, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn points_that_an_answer_has_twice_count_once_where_few_may_be_remembered() -> Tested {
    let world = World::new();
    world.script().unruly = true;
    a_point_a_second(&world, -7..1);
    let mut stream = polling(&world).max_points(8).start()?;
    assert_eq!(
        seconds(&ready(&mut stream).await),
        (-7..1).collect::<Vec<_>>()
    );
    assert_eq!(stream.control().stats().failures, 0);
    Ok(())
}

/// A run in which nothing is later than points wait.
#[derive(Debug, Clone)]
struct Punctual {
    hold: i64,
    interval: u64,
    chunk: u64,
    /// Seconds after noon, and how many seconds late.
    points: Vec<(i64, i64)>,
    /// From when on, and for how long, nobody takes anything.
    rests: Vec<(i64, i64)>,
    outages: Vec<(i64, i64)>,
    /// When this computer's clock jumps, and by how much it is ahead then.
    jumps: Vec<(i64, i64)>,
    latency: u64,
}

fn punctual() -> impl Strategy<Value = Punctual> {
    let span = 1500_i64;
    let times = |most: i64| prop::collection::vec((20..span, 1..most), 0..3);
    let ahead = prop_oneof![-5000..5000_i64, Just(86_400), Just(-86_400)];
    (
        0..=60_i64,
        prop::sample::select(vec![1_u64, 10, 45, 200]),
        prop::sample::select(vec![25_u64, 100, 3600]),
        prop::collection::vec((0..span, 0..=60_i64), 1..60),
        times(400),
        times(300),
        prop::collection::vec((20..span, ahead), 0..3),
        prop::sample::select(vec![0_u64, 0, 500, 7000]),
    )
        .prop_map(
            |(hold, interval, chunk, points, rests, outages, jumps, latency)| Punctual {
                hold,
                interval,
                // A day of chunks is to be asked for within the hour.
                chunk: chunk.max(latency / 5),
                points: points
                    .into_iter()
                    .map(|(at, late)| (at, late.min(hold)))
                    .collect(),
                rests,
                outages,
                jumps,
                latency,
            },
        )
}

async fn nothing_is_overdue(run: Punctual) {
    let world = World::new();
    let mut all = vec![(0, 0)];
    world.put(Point::new("m", NOON, 0));
    for (n, &(at, late)) in run.points.iter().enumerate() {
        let millis = NOON + at * SECOND + n as i64 + 1;
        world.put_at(
            NOON + (at + late) * SECOND + n as i64 + 1,
            Point::new("m", millis, n as i64),
        );
        all.push((at, n as i64 + 1));
    }
    let (outages, now) = (run.outages.clone(), world.clone());
    world.fail(move |_| {
        let now = (now.now() - NOON) / SECOND;
        let out = outages
            .iter()
            .any(|(from, len)| (*from..from + len).contains(&now));
        out.then(|| StoreError::retry("away"))
    });
    world.script().latency = Duration::from_millis(run.latency);
    let mut stream = polling(&world)
        .clock(PollClock::Local)
        .every(secs(run.interval))
        .chunk(secs(run.chunk))
        .retry(Retry::attempts(3).fixed(secs(2)))
        .retry_slowly(secs(20))
        .order(Order::Settled(secs(run.hold as u64)))
        .start()
        .expect("it makes sense");
    let mut events: Vec<_> = run.rests.iter().map(|&(at, len)| (at, len, None)).collect();
    events.extend(run.jumps.iter().map(|&(at, ahead)| (at, 0, Some(ahead))));
    events.sort_unstable();
    let mut come = Vec::new();
    for (at, rest, ahead) in events {
        if world.now() < NOON + at * SECOND {
            come.extend(until(&world, &mut stream, NOON + at * SECOND).await);
        }
        if let Some(ahead) = ahead {
            world.script().ahead = ahead * SECOND;
        }
        tokio::time::sleep(secs(rest as u64)).await;
    }
    world.script().ahead = 0;
    come.extend(
        until(
            &world,
            &mut stream,
            world.now().max(NOON + 2000 * SECOND) + 2 * HOUR,
        )
        .await,
    );
    let stats = stream.control().stats();
    assert_eq!((stats.overdue, stats.too_late), (0, 0), "{stats:?}");
    let mut expected: Vec<_> = all.iter().map(|(at, n)| NOON + at * SECOND + n).collect();
    expected.sort_unstable();
    let come: Vec<_> = come.iter().map(|p| p.point().millis()).collect();
    let missing: Vec<_> = expected.iter().filter(|at| !come.contains(at)).collect();
    assert!(missing.is_empty(), "{missing:?}: {stats:?}");
    assert_eq!(come, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_in_time_settles_in_order_whatever_rests_fails_or_jumps(run in punctual()) {
        in_virtual_time(nothing_is_overdue(run));
    }
}

/// A clock that runs ahead has a point asked for before its time has come, and then nobody takes anything for
/// longer than the buffer, in the midst of the poll.
#[test]
fn a_point_that_comes_while_a_poll_waits_for_its_consumer_is_in_time() {
    in_virtual_time(nothing_is_overdue(Punctual {
        hold: 0,
        interval: 200,
        chunk: 100,
        points: vec![(800, 0), (1084, 0), (931, 0), (1000, 0), (690, 0)],
        rests: vec![(800, 192), (938, 93)],
        outages: Vec::new(),
        jumps: vec![(20, 85)],
        latency: 0,
    }));
}

/// As zlib computes it, which ends what a cursor is written as.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| match crc & 1 {
            1 => (crc >> 1) ^ 0xedb8_8320,
            _ => crc >> 1,
        })
    })
}

/// A store whose clock, and the times of whose points, may be anything.
struct Anything {
    told: Vec<SystemTime>,
    points: Vec<i64>,
    answers: AtomicUsize,
}

impl Store for Anything {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        let n = self.answers.fetch_add(1, Ordering::Relaxed);
        let ends = [range.from, range.to, range.from / 2 + range.to / 2];
        let times = self.points.iter().copied().chain(ends);
        let mut fetched = Fetched::new(times.map(|at| Point::new("m", at, n as i64 % 3)));
        fetched.server_time = self.told.get(n % self.told.len().max(1)).copied();
        Ok(fetched)
    }
}

fn any_time() -> impl Strategy<Value = SystemTime> {
    let ends = [
        0,
        86_400,
        1_700_049_600,
        253_402_300_800,
        1 << 50,
        1 << 62,
        i64::MAX as u64,
    ];
    let seconds = prop::sample::select(ends.to_vec());
    (seconds, any::<bool>()).prop_map(|(seconds, before)| {
        let time = match before {
            true => SystemTime::UNIX_EPOCH.checked_sub(secs(seconds)),
            false => SystemTime::UNIX_EPOCH.checked_add(secs(seconds)),
        };
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    })
}

fn any_millis() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        any::<i64>(),
        NOON - HOUR..NOON + HOUR
    ]
}

/// Lets a stream of such a store and such clocks run, from such a cursor; and resumes it once more.
async fn nothing_panics(
    changes: Vec<(usize, u8)>,
    walls: Vec<SystemTime>,
    told: Vec<SystemTime>,
    points: Vec<i64>,
    settled: bool,
) {
    let world = World::new();
    a_point_a_second(&world, -20..1);
    world.put(Point::new("text", NOON, "some").tagged([("a", "b")]));
    let mut stream = polling(&world).start().expect("it makes sense");
    ready(&mut stream).await;
    let mut bytes = stream.control().cursor().to_bytes();
    bytes.truncate(bytes.len() - 4);
    for (at, byte) in changes {
        let len = bytes.len();
        bytes[5 + at % (len - 5)] = byte;
    }
    bytes.extend(crc(&bytes).to_le_bytes());
    let mut cursor = Cursor::from_bytes(&bytes).ok();
    for _ in 0..2 {
        let (n, walls) = (AtomicUsize::new(0), walls.clone());
        let store = Anything {
            told: told.clone(),
            points: points.clone(),
            answers: AtomicUsize::new(0),
        };
        let order = match settled {
            true => Order::Settled(secs(60)),
            false => Order::AsSeen,
        };
        let mut stream = Polling::new(store)
            .wall_clock(move || walls[n.fetch_add(1, Ordering::Relaxed) % walls.len()])
            .every(secs(10))
            .buffer(secs(600))
            .chunk(Duration::MAX)
            .order(order)
            .resume(cursor.take())
            .start()
            .expect("it makes sense");
        until(&world, &mut stream, world.now() + MINUTE).await;
        let control = stream.control();
        assert!(!control.state().is_ended());
        let saved = control.cursor();
        let same = Cursor::from_bytes(&saved.to_bytes()).expect("it was one");
        assert_eq!(same, saved);
        cursor = Some(saved);
    }
}

proptest! {
    #[test]
    fn no_clock_no_point_and_no_cursor_makes_it_panic(
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 0..6),
        walls in prop::collection::vec(any_time(), 1..4),
        told in prop::collection::vec(any_time(), 0..4),
        points in prop::collection::vec(any_millis(), 0..6),
        settled in any::<bool>(),
    ) {
        in_virtual_time(nothing_panics(changes, walls, told, points, settled));
    }
}

fn any_tags() -> impl Strategy<Value = Tags> {
    let text = prop_oneof![
        "[a=,{}\"\\\\ \n\u{0}é]{0,4}",
        any::<String>(),
        Just("1".to_owned())
    ];
    let value = prop_oneof![
        text.clone().prop_map(|text| TagValue::Str(text.into())),
        any::<i64>().prop_map(TagValue::Int),
        any::<f64>().prop_map(TagValue::Float),
        Just(TagValue::Float(f64::NAN)),
        Just(TagValue::Float(-0.0)),
        any::<bool>().prop_map(TagValue::Bool),
    ];
    prop::collection::vec((text, value), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn any_value() -> impl Strategy<Value = PointValue> {
    prop_oneof![
        any::<i64>().prop_map(PointValue::from),
        any::<f64>().prop_map(PointValue::from),
        Just(PointValue::from(f64::NAN)),
        Just(PointValue::from(i64::MAX)),
        any::<String>().prop_map(PointValue::from),
        Just(PointValue::Null),
    ]
}

proptest! {
    #[test]
    fn points_of_any_name_tags_and_value_are_known_after_a_restart(
        points in prop::collection::vec((any::<String>(), any_tags(), any_value()), 1..12),
    ) {
        in_virtual_time(async {
            let world = World::new();
            for (n, (metric, tags, value)) in points.into_iter().enumerate() {
                world.put(Point::new(metric, NOON - n as i64, value).tagged(&tags));
            }
            let mut stream = polling(&world).start().expect("it makes sense");
            let first = ready(&mut stream).await;
            let cursor = stream.control().cursor();
            let cursor = Cursor::from_bytes(&cursor.to_bytes()).expect("it is one");
            drop(stream);
            let mut stream = polling(&world).resume(cursor).start().expect("it makes sense");
            let again = ready(&mut stream).await;
            assert!(again.is_empty(), "{again:?} after {first:?}");
        });
    }
}
