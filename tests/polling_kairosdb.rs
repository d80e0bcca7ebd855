//! Polling streams against the real KairosDB: what is written late, twice and out of order comes once, while the
//! store is killed, while the process that polls is killed, and over a bad road. This takes real time.
//!
//! What a test can claim when the store is killed: KairosDB's embedded H2 writes to its disk twice a second, and
//! loses what it has confirmed since. So writers write again what may be lost, as any that must not lose a point
//! does; then all comes, once. Of points that nobody writes again, those come that the store still has, and some
//! that it had for a moment.

#![cfg(feature = "kairosdb")]

mod bad_road;
mod http_front;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bad_road::{BadRoad, by_chance};
use futures::StreamExt;
use headwater::prelude::*;
use headwater::timeseries::kairosdb::{KairosDb, Query};
use headwater::timeseries::{
    CursorFile, MetricsStream, Point, PointValue, PollControl, Polled, Polling,
};
use headwater::{BoxError, Graph, Retry};
use headwater_services::or_skip;
use serde_json::json;

type Failed = BoxError;
type Tested = Result<(), Failed>;

/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// A client that meets faults does not wait long for what may never come.
const HURRY: Duration = Duration::from_secs(1);
const METRICS: [&str; 3] = ["whole", "broken", "said"];

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("soon enough")
}

fn client(url: &str) -> KairosDb {
    let client = KairosDb::builder(url).timeout(HURRY).attempts(1).build();
    client.expect("a URL")
}

fn polling(url: &str) -> Polling<impl headwater::timeseries::Store + use<>> {
    let query = Query::since(0).metrics(METRICS).metric("fleeting");
    Polling::new(client(url).store(query))
        .every(Duration::from_millis(20))
        .buffer(Duration::from_secs(600))
        .retry(Retry::attempts(1_000_000).fixed(Duration::from_millis(10)))
        .retry_slowly(Duration::from_millis(10))
}

/// Points of the last five minutes, of six series with tags in several scripts, in no order at all.
fn points(of_each: i64) -> Vec<Point> {
    let (now, mut points) = (now(), Vec::new());
    for n in 0..of_each {
        for (series, room) in ["Küche \"1\"", "温室"].into_iter().enumerate() {
            let at = now - 300_000 + n * 300_000 / of_each + series as i64;
            let values = [
                PointValue::from(n),
                PointValue::from(n as f64 + 0.25),
                PointValue::from(format!("{n} °C")),
            ];
            for (metric, value) in METRICS.into_iter().zip(values) {
                points.push(Point::new(metric, at, value).tagged([("raum", room), ("n", "1")]));
            }
        }
    }
    shuffle(&mut points);
    points
}

/// The same in each run, and of no pattern.
fn shuffle(points: &mut [Point]) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for place in (1..points.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        points.swap(place, (seed >> 33) as usize % (place + 1));
    }
}

/// Writes, and writes again until the store has taken it.
async fn write(client: &KairosDb, points: &[Point]) {
    let end = Instant::now() + PATIENCE;
    while let Err(error) = client.write(points).await {
        assert!(Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the store has of a metric, asked for by hand: times and values.
fn stored(server: &headwater_services::KairosDb, metric: &str) -> Result<usize, Failed> {
    let query = json!({"start_absolute": 0, "metrics": [{"name": metric}]}).to_string();
    let path = "/api/v1/datapoints/query";
    let answer = server
        .http()
        .post(path, "application/json", query)?
        .json()?;
    Ok(answer["queries"][0]["sample_size"]
        .as_u64()
        .ok_or("a number")? as usize)
}

/// What has come, each point once.
#[derive(Default)]
struct Came(BTreeSet<Point>);

impl Came {
    /// Takes what comes until there are so many points but the fleeting ones, and for some polls more.
    async fn until(&mut self, stream: &mut MetricsStream, count: usize) -> Tested {
        let control = stream.control();
        let end = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let next = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
            match next {
                Ok(Some(polled)) => {
                    let point = polled.into_point();
                    assert!(self.0.insert(point.clone()), "{point} came twice");
                }
                Ok(None) => return Err("it ended".into()),
                Err(_) => {}
            }
            let steady = self
                .0
                .iter()
                .filter(|point| point.metric() != "fleeting")
                .count();
            let polls = control.stats().polls;
            if steady >= count && polls >= *last.get_or_insert(polls) + 10 {
                return Ok(());
            }
            if Instant::now() > end {
                let state = control.state();
                return Err(format!("{steady} of {count} points, {state:?}").into());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_killed_again_and_again_is_polled_once_a_point() -> Tested {
    let Some(mut server) = or_skip(headwater_services::KairosDb::start()) else {
        return Ok(());
    };
    let url = server.url();
    let points = points(100);
    let count = points.len();
    let mut stream = polling(&url).start()?;
    let control = stream.control();
    let polled = tokio::spawn(async move {
        let mut came = Came::default();
        came.until(&mut stream, count).await?;
        let control = stream.control();
        Ok::<_, Failed>((came.0, control.stats(), control.state()))
    });

    let writer = client(&url);
    let legs = points.chunks(count.div_ceil(3)).collect::<Vec<_>>();
    let mut fleeting = BTreeSet::new();
    for (leg, new) in legs.iter().enumerate() {
        for (n, batch) in new.chunks(25).enumerate() {
            write(&writer, batch).await;
            // Some a second time, at once or later.
            if n % 3 == 0 {
                write(&writer, &new[..25 * n]).await;
            }
        }
        if leg + 1 == legs.len() {
            break;
        }
        let last = Point::new("fleeting", now(), leg as i64).tagged([("n", "1")]);
        write(&writer, std::slice::from_ref(&last)).await;
        fleeting.insert(last);
        let failures = control.stats().failures;
        server = tokio::task::spawn_blocking(move || {
            let killed = server.kill();
            killed.map(|()| server)
        })
        .await??;
        // That it is away has been noticed before it is back.
        let mut state = control.watch();
        let noticed = state.wait_for(|state| state.failing().is_some());
        tokio::time::timeout(PATIENCE, noticed).await??;
        server = tokio::task::spawn_blocking(move || {
            let restarted = server.restart();
            restarted.map(|()| server)
        })
        .await??;
        assert!(control.stats().failures > failures);
        // Nobody knows what it has lost.
        write(&writer, &legs[..=leg].concat()).await;
    }
    let (came, stats, state) = polled.await??;
    assert_eq!((stats.too_late, stats.revised), (0, 0), "{stats:?}");
    assert!(state.is_healthy(), "{state:?}");

    let expected: BTreeSet<Point> = points.into_iter().collect();
    let is_fleeting = |point: &&Point| point.metric() == "fleeting";
    let steady: BTreeSet<Point> = came.iter().filter(|p| !is_fleeting(p)).cloned().collect();
    assert_eq!(steady, expected);
    // What the store has, another client says, and all of it has come.
    let server = &server;
    let mut has = 0;
    for metric in METRICS {
        has += tokio::task::block_in_place(|| stored(server, metric))?;
    }
    assert_eq!(has, expected.len());
    let brief: BTreeSet<Point> = came.iter().filter(is_fleeting).cloned().collect();
    assert!(brief.is_subset(&fleeting));
    let has = tokio::task::block_in_place(|| stored(server, "fleeting"))?;
    assert!(
        has <= brief.len(),
        "{has} are there, and {} came",
        brief.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_bad_road_each_point_comes_once() -> Tested {
    let Some(server) = or_skip(headwater_services::KairosDb::start()) else {
        return Ok(());
    };
    let points = points(100);
    let count = points.len();
    let road = BadRoad::to(server.url()).await;
    // More than half of what goes wrong is noticed at once; the rest takes a second.
    road.worsen(by_chance(11, 2, HURRY));
    let mut stream = polling(&road.url()).start()?;
    let control = stream.control();
    let mut came = Came::default();
    // Who writes is on the same road, and writes again what may not have arrived.
    let (writer, writing) = (client(&road.url()), points.clone());
    let written = tokio::spawn(async move {
        for batch in writing.chunks(25) {
            write(&writer, batch).await;
        }
    });
    let begun = Instant::now();
    while !written.is_finished() || road.exchanges() < 120 {
        if let Ok(Some(polled)) =
            tokio::time::timeout(Duration::from_millis(20), stream.next()).await
        {
            let point = polled.into_point();
            assert!(came.0.insert(point.clone()), "{point} came twice");
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", road.dealt());
    }
    written.await?;
    road.repair();
    came.until(&mut stream, count).await?;
    assert_eq!(came.0, points.into_iter().collect());
    let dealt = road.dealt();
    assert!(dealt.len() > 10, "{dealt:?}");
    let stats = control.stats();
    assert!(stats.failures > 0 && stats.too_late == 0, "{stats:?}");
    assert!(control.state().is_healthy());
    Ok(())
}

/// What tells a process of this program that it is to poll, and where, and how.
const JOB: &str = "HEADWATER_POLLING_TEST_JOB";
const KILLED: &str = "a_process_that_is_killed_again_and_again_loses_nothing";

/// A process of its own that polls, and whose files are in a directory.
struct Poller {
    process: Child,
}

impl Poller {
    fn start(directory: &Path, url: &str, way: &str) -> Result<Poller, Failed> {
        let process = Command::new(std::env::current_exe()?)
            .args([KILLED, "--exact", "--nocapture"])
            .env(JOB, format!("{way} {url} {}", directory.display()))
            // It ends when we do.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(
                File::options()
                    .append(true)
                    .create(true)
                    .open(directory.join("stderr"))?,
            )
            .spawn()?;
        Ok(Poller { process })
    }

    /// SIGKILL. It must have lived until then.
    fn kill(mut self) -> Tested {
        if let Some(ended) = self.process.try_wait()? {
            return Err(format!("it has ended by itself: {ended}").into());
        }
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a process writes down what was delivered, a line for each point, and when a cursor was saved that knows
/// all of them.
struct Log {
    file: File,
}

/// A process begins.
const BORN: &str = "born\n";
/// A cursor is going to be saved.
const SAVING: &str = "saving\n";
/// It was, and it knows all that was delivered before.
const SAVED: &str = "saved\n";

impl Log {
    fn open(path: &Path) -> std::io::Result<Log> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // A line that was cut off was not delivered.
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        file.set_len(whole as u64)?;
        Ok(Log { file })
    }

    /// Points arrive, which takes a while: that is when the process is killed, mostly.
    fn deliver(&mut self, lines: &str) -> std::io::Result<()> {
        std::thread::sleep(Duration::from_millis(1));
        self.write(lines)
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }
}

/// A life of the process that is killed: polls, delivers, saves its cursor, for ever.
async fn poll(job: &str) -> Tested {
    let mut job = job.splitn(3, ' ');
    let mut next = || job.next().ok_or("too little is said");
    let (way, url, directory) = (next()?, next()?, PathBuf::from(next()?));
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let cursor = CursorFile::new(directory.join("cursor"));
    let mut log = Log::open(&directory.join("log"))?;
    log.write(BORN)?;
    let stream = polling(url).resume(cursor.load()?).start()?;
    let control = stream.control();
    if way == "by-hand" {
        let mut stream = stream.acked().ready_chunks(3);
        while let Some(chunk) = stream.next().await {
            let lines: String = chunk.iter().map(|(polled, _)| line(polled)).collect();
            log.deliver(&lines)?;
            for (_, ack) in chunk {
                ack.acknowledge();
            }
            save(&control, &cursor, &mut log)?;
        }
    } else {
        let graph = Graph::new();
        let mut delivered = Log::open(&directory.join("log"))?;
        stream.flow(&graph).try_sink(move |polled| {
            delivered.deliver(&line(&polled))?;
            Ok::<_, BoxError>(())
        });
        let _driver = graph.spawn();
        let mut saved = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let emitted = control.stats().emitted;
            if emitted > saved && save(&control, &cursor, &mut log)? {
                saved = emitted;
            }
        }
    }
    Err("it ended".into())
}

/// Saves the cursor; and says so, where it knows all that was delivered before it began to.
fn save(control: &PollControl, file: &CursorFile, log: &mut Log) -> Result<bool, Failed> {
    log.write(SAVING)?;
    let all = control.stats().unacknowledged == 0;
    file.save(&control.cursor())?;
    if all {
        log.write(SAVED)?;
    }
    Ok(all)
}

fn line(polled: &Polled) -> String {
    format!("{:?}\n", polled.point())
}

/// What was delivered, and how often; none that a saved cursor knew was delivered again.
fn delivered(path: &Path) -> Result<BTreeMap<String, usize>, Failed> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    let (mut known, mut before, mut since) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in whole.lines() {
        if line == BORN.trim_end() {
            // What the one before did not save comes again, in time.
            before.clear();
            since.clear();
        } else if line == SAVING.trim_end() {
            before.append(&mut since);
        } else if line == SAVED.trim_end() {
            known.append(&mut before);
        } else if known.contains(line) {
            return Err(format!("{line} was acknowledged, and came again").into());
        } else {
            since.insert(line);
            *times.entry(line.to_owned()).or_default() += 1;
        }
    }
    Ok(times)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_again_and_again_loses_nothing() -> Tested {
    if let Ok(job) = std::env::var(JOB) {
        return poll(&job).await;
    }
    let Some(server) = or_skip(headwater_services::KairosDb::start()) else {
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let log = directory.join("log");
    let road = BadRoad::to(server.url()).await;
    let points = points(150);
    let expected: BTreeSet<String> = points.iter().map(|point| format!("{point:?}")).collect();

    // So long as there are processes to be killed, there are points to be polled.
    let lives = Arc::new(AtomicUsize::new(0));
    let (writer, lived) = (client(&server.url()), lives.clone());
    let written = tokio::spawn(async move {
        let batches = points.chunks(points.len().div_ceil(LIVES));
        for (n, batch) in batches.enumerate() {
            while lived.load(Ordering::Relaxed) < n {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            write(&writer, batch).await;
            // Twice.
            write(&writer, &points[..(n * 7) % points.len()]).await;
        }
    });
    for life in 0..LIVES {
        // The road is good in every other life.
        match life % 2 {
            0 => road.repair(),
            _ => road.worsen(by_chance(life as u64, 4, HURRY)),
        }
        let way = ["by-hand", "by-graph"][life / 2 % 2];
        let poller = Poller::start(directory, &road.url(), way)?;
        // Killed after something was delivered, at any moment of what follows; or right away.
        let count = || delivered(&log).map(|times| times.values().sum::<usize>());
        let (before, patience) = (count()?, Instant::now() + Duration::from_millis(600));
        while Instant::now() < patience && count()? == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let moment = Duration::from_micros((life as u64 * 7919) % 25_000);
        tokio::time::sleep(moment).await;
        poller.kill()?;
        lives.fetch_add(1, Ordering::Relaxed);
        delivered(&log)?;
    }
    written.await?;
    road.repair();
    let poller = Poller::start(directory, &road.url(), "by-hand")?;
    let end = Instant::now() + PATIENCE;
    let times = loop {
        let times = delivered(&log)?;
        if times.len() >= expected.len() {
            break times;
        }
        let stderr = || fs::read_to_string(directory.join("stderr"));
        assert!(
            Instant::now() < end,
            "{} of {}: {}",
            times.len(),
            expected.len(),
            stderr()?
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    poller.kill()?;
    assert_eq!(times.into_keys().collect::<BTreeSet<_>>(), expected);
    Ok(())
}

/// How often the process is killed.
const LIVES: usize = 32;
