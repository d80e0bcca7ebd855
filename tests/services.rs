//! The real servers that other tests are about: each is written to and read from as its protocol says,
//! killed, and back on the same port with what it had.
//!
//! These tests take real time: they wait for other people's programs.

use std::env;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater_services::{
    ALL, Error, KairosDb, Process, Prometheus, Series, VictoriaMetrics, or_skip,
};
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// Some time in 2023, in seconds: long before any default retention.
const THEN: i64 = 1_700_000_000;

#[test]
fn victoria_metrics_keeps_what_opentsdbs_protocols_bring_when_it_is_killed_or_stopped() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let points = json!([{
        "metric": "by.http", "timestamp": THEN * 1000 + 1, "value": 1.5, "tags": {"stadt": "Köln"}
    }]);
    let http = store.opentsdb_http();
    let answer = http.post("/api/put", "application/json", points.to_string())?;
    assert_eq!(answer.status, 204, "{answer:?}");
    say(
        store.telnet_addr(),
        &format!("put by.telnet {THEN} 2 host=a"),
    )?;
    let written = vec![
        Series::new("by.http", [("stadt", "Köln")], [(THEN * 1000 + 1, 1.5)]),
        Series::new("by.telnet", [("host", "a")], [(THEN * 1000, 2.0)]),
    ];
    eventually(&written, || Ok(store.exported()?))?;

    store.sync()?;
    let address = store.http().addr();
    store.kill()?;
    assert!(TcpStream::connect(address).is_err(), "it is dead");
    store.restart()?;
    assert_eq!(store.exported()?, written);
    assert_eq!(store.http().addr(), address);

    // One that is asked to end writes everything first.
    say(
        store.telnet_addr(),
        &format!("put by.telnet {} 3 host=a", THEN + 1),
    )?;
    let mut written = written;
    written[1].points.push(((THEN + 1) * 1000, 3.0));
    eventually(&written, || Ok(store.exported()?))?;
    store.stop()?;
    store.restart()?;
    assert_eq!(store.exported()?, written);
    Ok(())
}

#[test]
fn victoria_metrics_shows_a_point_that_came_twice_twice() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let point = (THEN * 1000, 0.5);
    let once = Series::new("m", [("host", "a")], [point]);
    for _ in 0..2 {
        // What is flushed in between is in two files, and found in both.
        assert_eq!(store.write(std::slice::from_ref(&once))?.status, 204);
        store.flush()?;
    }
    let twice = Series::new("m", [("host", "a")], [point, point]);
    eventually(&vec![twice.clone()], || Ok(store.exported()?))?;
    store.sync()?;
    store.kill()?;
    store.restart()?;
    assert_eq!(store.exported()?, [twice]);
    Ok(())
}

#[test]
fn victoria_metrics_and_prometheus_take_remote_writes() -> Tested {
    let (Some(victoria), Some(prometheus)) = (
        or_skip(VictoriaMetrics::start()),
        or_skip(Prometheus::start(Prometheus::TAKES_OLD_POINTS)),
    ) else {
        return Ok(());
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    // More than a byte of protobuf's varint counts, and two series.
    let points = (0..200).map(|n| ((now - 200 + n) * 1000, n as f64 / 8.0));
    let written = vec![
        Series::new("one", [("stadt", "Köln"), ("zone", "b")], points),
        Series::new("two", [], [(now * 1000, -1e300)]),
    ];
    assert_eq!(victoria.write(&written)?.status, 204);
    eventually(&written, || Ok(victoria.exported()?))?;
    assert_eq!(prometheus.write(&written)?.status, 204);
    let read = prometheus.read(r#"{__name__=~"one|two"}"#, 300, now)?;
    assert_eq!(read, written);
    Ok(())
}

#[test]
fn prometheus_keeps_what_it_scraped_and_was_written_when_it_is_killed() -> Tested {
    // Any target will do; VictoriaMetrics tells about itself in Prometheus' format.
    let Some(target) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let config = Prometheus::scraping(target.http().addr(), "/metrics");
    let Some(mut store) = or_skip(Prometheus::start(&config)) else {
        return Ok(());
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let soon = i64::try_from(now()?.as_secs())? + 60;
    let up = |store: &Prometheus| store.read(r#"up{job="test"}"#, 600, soon);
    within_patience(|| {
        Ok(up(&store)?
            .first()
            .is_some_and(|up| up.points.iter().any(|point| point.1 == 1.0)))
    })?;
    let written = [Series::new(
        "written",
        [("host", "a")],
        [((soon - 60) * 1000, 0.1)],
    )];
    assert_eq!(store.write(&written)?.status, 204);
    let scraped = up(&store)?.swap_remove(0).points[0];

    store.kill()?;
    store.restart()?;
    assert_eq!(up(&store)?[0].points[0], scraped);
    assert_eq!(store.read("written", 600, soon)?, written);
    Ok(())
}

#[test]
fn kairosdb_keeps_what_rest_and_telnet_brought_when_it_is_killed() -> Tested {
    let Some(mut store) = or_skip(KairosDb::start()) else {
        return Ok(());
    };
    let points = json!([{
        "name": "by.rest", "datapoints": [[THEN * 1000, 1], [THEN * 1000 + 1, 1.5]],
        "tags": {"stadt": "Köln"}
    }]);
    let answer = store
        .http()
        .post("/api/v1/datapoints", "application/json", points.to_string())?;
    assert_eq!(answer.status, 204, "{answer:?}");
    say(
        store.telnet_addr(),
        &format!("putm by.telnet {} 44.5 host=b", THEN * 1000),
    )?;
    let written = [
        json!([[THEN * 1000, 1], [THEN * 1000 + 1, 1.5]]),
        json!([[THEN * 1000, 44.5]]),
    ];
    eventually(&written, || of_kairosdb(&store))?;

    store.sync()?;
    store.kill()?;
    assert!(store.http().get("/api/v1/version").is_err(), "it is dead");
    store.restart()?;
    eventually(&written, || of_kairosdb(&store))
}

#[test]
fn a_server_that_is_paused_answers_when_it_goes_on() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    store.pause()?;
    let mut line = TcpStream::connect(store.http().addr())?;
    line.set_read_timeout(Some(Duration::from_millis(300)))?;
    line.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    let silent = line.read_to_string(&mut answer);
    assert!(silent.is_err() && answer.is_empty(), "{answer}");
    store.resume()?;
    line.set_read_timeout(Some(Duration::from_secs(30)))?;
    line.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // One that hangs can be killed, too.
    store.pause()?;
    store.kill()?;
    Ok(())
}

#[test]
fn every_server_starts_by_its_name_and_goes_with_its_handle() -> Tested {
    for kind in ALL {
        let Some(start) = kind.start else {
            continue;
        };
        let Some(server) = or_skip(start()) else {
            continue;
        };
        let (id, directory) = (running(&server), server.directory().to_path_buf());
        let (_, address) = server.addresses()[0].clone();
        assert!(TcpStream::connect(&address).is_ok(), "{address}");
        assert!(directory.join("log").is_file());
        drop(server);
        assert!(TcpStream::connect(&address).is_err(), "{} stays", kind.name);
        assert!(!is_alive(id), "{} stays", kind.name);
        assert!(!directory.exists(), "{} stays", directory.display());
    }
    Ok(())
}

#[test]
fn a_server_goes_with_a_test_that_panics_and_leaves_its_log() -> Tested {
    let Some(store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let (id, directory) = (running(&store), store.directory().to_path_buf());
    let failing = thread::spawn(move || {
        let _store = store;
        panic!("as a failing test does");
    });
    assert!(failing.join().is_err());
    assert!(!is_alive(id));
    let log = std::fs::read_to_string(directory.join("log"))?;
    assert!(log.contains("VictoriaMetrics"), "{log}");
    Ok(std::fs::remove_dir_all(directory)?)
}

#[test]
fn a_server_goes_with_a_process_that_is_aborted() -> Tested {
    const NAME: &str = "a_server_goes_with_a_process_that_is_aborted";
    const ABORTS: &str = "HEADWATER_SERVICES_TEST_ABORTS";
    let Some(store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    if let Some(answer) = env::var_os(ABORTS) {
        let id = running(&store);
        std::fs::write(answer, format!("{id} {}", store.directory().display()))?;
        std::process::abort();
    }
    let answer = store.directory().join("answer");
    let child = Command::new(env::current_exe()?)
        .args([NAME, "--exact"])
        .env(ABORTS, &answer)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    assert!(!child.success(), "it aborts");
    let answer = std::fs::read_to_string(answer)?;
    let (id, directory) = answer.split_once(' ').ok_or("no answer")?;
    let id = id.parse()?;
    within_patience(|| Ok(!is_alive(id)))?;
    Ok(std::fs::remove_dir_all(directory)?)
}

#[test]
fn what_a_failing_test_leaves_is_swept_a_day_later_and_what_is_used_is_not() -> Tested {
    let Some(store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    let run = store.directory().parent().ok_or("no parent")?;
    let left = run.join(format!("left-behind-{}", std::process::id()));
    let fresh = run.join(format!("left-behind-today-{}", std::process::id()));
    for folder in [&left, &fresh] {
        std::fs::create_dir_all(folder)?;
    }
    let two_days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    std::fs::File::open(store.directory())?.set_modified(two_days_ago)?;
    std::fs::File::open(&left)?.set_modified(two_days_ago)?;
    let other = VictoriaMetrics::start()?;
    assert!(!left.exists(), "nobody uses it");
    assert!(fresh.exists(), "it is of today");
    assert!(store.directory().exists(), "it is in use");
    drop(other);
    Ok(std::fs::remove_dir_all(fresh)?)
}

#[test]
fn a_server_that_does_not_come_up_says_why() {
    let started = Prometheus::start("no_such_key: 1");
    if let Err(Error::Missing { .. }) = &started {
        or_skip(started);
        return;
    }
    let Err(Error::Down { service, why, log }) = started else {
        panic!("{started:?}");
    };
    assert_eq!(service, "prometheus");
    assert!(why.contains("ended by itself"), "{why}");
    assert!(log.contains("no_such_key"), "{log}");
}

#[test]
fn what_does_not_run_can_not_be_killed_again() -> Tested {
    let Some(mut store) = or_skip(VictoriaMetrics::start()) else {
        return Ok(());
    };
    store.kill()?;
    assert_eq!(store.id(), None);
    let again = store.kill().unwrap_err().to_string();
    assert!(
        again.starts_with("victoria-metrics: does not run"),
        "{again}"
    );
    Ok(())
}

/// Sends a line, as telnet does.
fn say(to: SocketAddr, line: &str) -> Tested {
    let mut stream = TcpStream::connect(to)?;
    writeln!(stream, "{line}")?;
    Ok(stream.flush()?)
}

/// The values of both metrics in KairosDB.
fn of_kairosdb(store: &KairosDb) -> Result<[Value; 2], Failed> {
    let metric = |name: &str| json!({"name": name});
    let query = json!({
        "start_absolute": 0,
        "metrics": [metric("by.rest"), metric("by.telnet")]
    });
    let path = "/api/v1/datapoints/query";
    let answer = store
        .http()
        .post(path, "application/json", query.to_string())?;
    let answer = answer.json()?;
    let values = |n: usize| answer["queries"][n]["results"][0]["values"].clone();
    Ok([values(0), values(1)])
}

/// Waits until a server has what was sent. It is queued there, for a time nobody can know.
fn eventually<T: PartialEq + Debug>(expected: &T, read: impl Fn() -> Result<T, Failed>) -> Tested {
    match within_patience(|| Ok(*expected == read()?)) {
        Ok(()) => Ok(()),
        Err(_) => Err(format!("{:?} instead of {expected:?}", read()?).into()),
    }
}

fn within_patience(done: impl Fn() -> Result<bool, Failed>) -> Tested {
    let end = Instant::now() + Duration::from_secs(60);
    while !done()? {
        if Instant::now() > end {
            return Err("patience is at its end".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn running(server: &Process) -> u32 {
    server.id().expect("it runs")
}

/// Signal 0 reaches whoever is there, and does nothing.
fn is_alive(id: u32) -> bool {
    let asked = Command::new("sh")
        .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &id.to_string()])
        .status();
    asked.expect("sh").success()
}
