//! Sinks that print, log, call closures, and feed futures' sinks: what arrives, how often, and on which
//! thread.

mod listener;
mod writers;

use std::collections::VecDeque;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures::Sink;
use headwater::metrics::{
    Delivery, Element, FnSink, FuturesSink, LogSink, Metric, MetricSink, MetricsPipeline,
    PrintSink, SinkError,
};
use headwater::prelude::*;
use listener::Listener;
use proptest::prelude::*;
use tracing::Level;
use writers::{Narrow, deliver};

fn elements(n: i64) -> Vec<Element> {
    let element = |n| Element::new("m.sum", n).tagged([("host", "a")]);
    (0..n).map(element).collect()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(future)
}

// Print.

#[tokio::test]
async fn elements_are_printed_one_a_line_by_a_format() {
    let out = Narrow::new(1000);
    out.more_room(1000);
    let mut sink = PrintSink::to(out.clone())
        .format("{{metric}}: {}!")
        .unwrap();
    sink.deliver(&elements(2)).await.unwrap();
    assert_eq!(
        out.text(),
        "{metric}: m.sum{host=a} 0!\n{metric}: m.sum{host=a} 1!\n"
    );
    let mut sink = PrintSink::to(out.clone()).format_with(|element| element.name().to_uppercase());
    sink.deliver(&elements(1)).await.unwrap();
    assert!(out.text().ends_with("!\nM.SUM\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_writer_took_is_never_printed_twice_nor_lost(
        sizes in prop::collection::vec(1_i64..6, 1..5),
        rooms in prop::collection::vec(0_usize..40, 1..8),
        at_once in 1_usize..12,
        buffer in prop::option::of(1_usize..40),
    ) {
        let out = Narrow::new(at_once);
        let mut rooms = rooms.into_iter().cycle();
        let more = out.clone();
        // One byte at least, so that it comes to an end.
        let mut again = move || more.more_room(rooms.next().unwrap() + 1);
        let batches: Vec<Vec<Element>> = sizes.iter().map(|n| elements(*n)).collect();
        block_on(async {
            match buffer {
                None => {
                    let mut sink = PrintSink::to(out.clone());
                    for batch in &batches {
                        deliver(&mut sink, batch, &mut again).await.unwrap();
                    }
                }
                Some(bytes) => {
                    let mut sink = PrintSink::to(BufWriter::with_capacity(bytes, out.clone()));
                    for batch in &batches {
                        deliver(&mut sink, batch, &mut again).await.unwrap();
                    }
                }
            }
        });
        let lines = batches.iter().flatten().map(|element| format!("{element}\n"));
        prop_assert_eq!(out.text(), lines.collect::<String>());
    }
}

#[tokio::test]
async fn a_line_that_was_cut_gets_its_end_when_its_batch_was_given_up() {
    let out = Narrow::new(100);
    let mut sink = PrintSink::to(out.clone());
    out.more_room(5);
    let error = sink.deliver(&elements(1)).await.unwrap_err();
    assert!(error.can_retry());
    assert_eq!(out.text(), "m.sum");
    out.more_room(100);
    let other = Element::new("other", 1);
    sink.deliver(&[other]).await.unwrap();
    assert_eq!(out.text(), "m.sum{host=a} 0\nother 1\n");

    let last = Narrow::new(100);
    let mut sink = PrintSink::to(last.clone());
    last.more_room(5);
    sink.deliver(&elements(1)).await.unwrap_err();
    last.more_room(100);
    sink.close().await.unwrap();
    assert_eq!(last.text(), "m.sum{host=a} 0\n");
}

/// Nobody reads from it any more.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_pipe_fails_for_good_and_what_was_for_it_is_counted() {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("last", Last).batch(1))
        .sink(PrintSink::to(Closed))
        .spawn()
        .unwrap();
    for n in 0..5 {
        metrics.send("m", n).unwrap();
    }
    let end = metrics.shutdown().await.unwrap();
    let sink = end.sink("PrintSink").unwrap();
    assert_eq!((sink.delivered, sink.given_up), (0, 5));
    assert_eq!(sink.last_error.as_deref(), Some("broken pipe"));
    assert_eq!(sink.delivery, Delivery::AtMostOnce);
}

/// Tells on which thread it was used.
struct Where(mpsc::Sender<ThreadId>);

impl Write for Where {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(thread::current().id()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn writers_and_blocking_closures_keep_off_the_threads_that_drive_futures() {
    let (sender, threads) = mpsc::channel();
    let tell = sender.clone();
    let use_them = async move {
        let mut print = PrintSink::to(Where(sender));
        print.deliver(&elements(1)).await.unwrap();
        let mut blocking = FnSink::blocking(move |_: &Element| tell.send(thread::current().id()));
        blocking.deliver(&elements(1)).await.unwrap();
    };
    let here = thread::current().id();
    let elsewhere = |threads: &mpsc::Receiver<ThreadId>| {
        let threads: Vec<ThreadId> = threads.try_iter().collect();
        assert_eq!(threads.len(), 2);
        assert!(!threads.contains(&here), "it ran on the thread that polls");
    };
    block_on(use_them);
    elsewhere(&threads);

    // Without a runtime, too.
    let (sender, threads) = mpsc::channel();
    let tell = sender.clone();
    futures::executor::block_on(async move {
        let mut print = PrintSink::to(Where(sender));
        print.deliver(&elements(1)).await.unwrap();
        let mut blocking =
            FnSink::blocking_batches(move |_: &[Element]| tell.send(thread::current().id()));
        blocking.deliver(&elements(1)).await.unwrap();
    });
    elsewhere(&threads);
}

#[tokio::test]
async fn blocking_work_whose_delivery_is_given_up_ends_before_the_next_begins() {
    let (go, may_go) = mpsc::channel::<()>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = seen.clone();
    let mut sink = FnSink::blocking(move |element: &Element| {
        may_go.recv().unwrap();
        see.lock().unwrap().push(element.value().as_i64().unwrap());
    });
    let all = elements(2);
    {
        let delivery = sink.deliver(&all[..1]);
        let given_up = futures::future::poll_immediate(delivery).await;
        assert!(given_up.is_none(), "it waits on its thread");
    }
    go.send(()).unwrap();
    go.send(()).unwrap();
    sink.deliver(&all[1..]).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1]);
}

#[tokio::test]
async fn a_panic_in_blocking_work_goes_on_where_the_sink_is_polled_and_the_sink_is_there_still() {
    let mut sink = FnSink::blocking(|element: &Element| {
        assert_ne!(element.value(), 1.into(), "not one");
    });
    let all = elements(3);
    let delivery = std::panic::AssertUnwindSafe(sink.deliver(&all[1..2]));
    let panic = futures::FutureExt::catch_unwind(delivery)
        .await
        .unwrap_err();
    let panic = panic.downcast_ref::<String>().unwrap();
    assert!(panic.contains("not one"), "{panic}");
    sink.deliver(&all[2..]).await.unwrap();
}

// Log.

#[test]
fn elements_are_logged_once_with_level_target_and_format() {
    let log =
        Listener::to(|metadata| *metadata.level() <= Level::DEBUG && metadata.target() != "quiet");
    let _guard = log.listen();
    futures::executor::block_on(async {
        let debug = LogSink::new().level(Level::DEBUG).target("web::metrics");
        let mut sinks = [
            LogSink::default(),
            debug.clone().format("metric: {}").unwrap(),
            debug.format_with(|element| format!("{}\n", element.name())),
            LogSink::new().level(Level::TRACE),
            LogSink::new().level(Level::ERROR).target("quiet"),
        ];
        for sink in &mut sinks {
            assert_eq!(sink.delivery(), Delivery::AtMostOnce);
            sink.deliver(&elements(1)).await.unwrap();
        }
        // The same one, changed after it was used.
        let mut changed = sinks[0].clone().level(Level::WARN);
        changed.deliver(&elements(1)).await.unwrap();
    });
    let expected = [
        (Level::INFO, "headwater::metrics", "m.sum{host=a} 0"),
        (Level::DEBUG, "web::metrics", "metric: m.sum{host=a} 0"),
        (Level::DEBUG, "web::metrics", "m.sum\n"),
        (Level::WARN, "headwater::metrics", "m.sum{host=a} 0"),
    ];
    let logged = log.take();
    assert_eq!(logged.len(), expected.len(), "{logged:?}");
    for (told, (level, target, message)) in logged.iter().zip(expected) {
        let metadata = told.metadata.unwrap();
        assert_eq!((*metadata.level(), metadata.target()), (level, target));
        assert_eq!(told.fields, [("message", message.to_owned())]);
    }
}

#[test]
fn a_format_has_exactly_one_placeholder() {
    let errors = [
        (
            "",
            "it has no placeholder; write `{}` once, where the element goes",
        ),
        (
            "metric %s",
            "it has no placeholder; write `{}` once, where the element goes (metrix' `%s` is `{}` here)",
        ),
        (
            "{} {}",
            "it has 2 placeholders; write `{}` once, where the element goes",
        ),
        (
            "foo {} bar {} bat {} baz {}",
            "it has 4 placeholders; write `{}` once, where the element goes",
        ),
        (
            "{} {name}",
            "the `{` at byte 3 stands alone; write `{}` where the element goes, and a brace that is \
             meant as such twice",
        ),
        (
            "ü}{}",
            "the `}` at byte 2 stands alone; write `{}` where the element goes, and a brace that is \
             meant as such twice",
        ),
    ];
    for (format, wrong) in errors {
        let error = LogSink::new().format(format).unwrap_err();
        let message = format!("{format:?} is not a format for elements: {wrong}");
        assert_eq!(error.to_string(), message);
        let printing = PrintSink::new().format(format).unwrap_err();
        assert_eq!(printing, error);
    }
    assert!(LogSink::new().format("{{}}: {}").is_ok());
}

// Closures.

/// Fails as a list of results says, and tells what it was given.
fn scripted(results: Vec<Result<(), SinkError>>) -> (FnSink, Arc<Mutex<Vec<i64>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (see, mut results) = (seen.clone(), VecDeque::from(results));
    let sink = FnSink::new(move |element: &Element| {
        see.lock().unwrap().push(element.value().as_i64().unwrap());
        results.pop_front().unwrap_or(Ok(()))
    });
    (sink, seen)
}

fn retry() -> Result<(), SinkError> {
    Err(SinkError::retry("not now"))
}

fn fatal() -> Result<(), SinkError> {
    Err(SinkError::fatal("never"))
}

#[tokio::test]
async fn at_least_once_what_a_closure_fails_on_is_given_to_it_again() {
    let (mut sink, seen) = scripted(vec![Ok(()), retry(), retry(), Ok(()), Ok(())]);
    assert_eq!(sink.delivery(), Delivery::AtLeastOnce);
    deliver(&mut sink, &elements(3), || {}).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 1, 1, 2]);
}

#[tokio::test]
async fn at_most_once_nobody_knows_of_what_a_closure_fails_on_and_it_is_not_given_to_it_again() {
    let (sink, seen) = scripted(vec![Ok(()), retry(), Ok(())]);
    let mut sink = sink.at_most_once();
    assert_eq!(sink.delivery(), Delivery::AtMostOnce);
    let error = sink.deliver(&elements(3)).await.unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (3, 0));
    assert_eq!(error.unknown_count(), 1);
    assert_eq!(error.to_string(), "not now");
    assert!(!error.can_retry());
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test]
async fn a_fatal_error_rejects_one_element_and_the_others_are_delivered() {
    let (mut sink, seen) = scripted(vec![fatal(), Ok(()), fatal(), retry()]);
    let error = sink.deliver(&elements(5)).await.unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (3, 2));
    assert!(error.can_retry());
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3]);
    sink.deliver(&elements(5)[3..]).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 3, 4]);
}

#[tokio::test]
async fn closures_of_all_sorts_get_all_elements_in_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let push = || {
        let seen = seen.clone();
        move |element: &Element| seen.lock().unwrap().push(element.clone())
    };
    let all = elements(7);
    let (f, g, h, mut i, j, mut k) = (push(), push(), push(), push(), push(), push());
    let sinks = [
        FnSink::new(f),
        FnSink::batches(move |batch: &[Element]| batch.iter().for_each(&g)),
        FnSink::blocking(move |element: &Element| -> Result<(), io::Error> {
            h(element);
            Ok(())
        }),
        FnSink::blocking_batches(move |batch: &[Element]| batch.iter().for_each(&mut i)),
        FnSink::future(move |element| {
            j(&element);
            async { tokio::task::yield_now().await }
        }),
        FnSink::future_batches(move |batch| {
            batch.iter().for_each(&mut k);
            async { Ok::<(), &'static str>(()) }
        }),
    ];
    for mut sink in sinks {
        sink.deliver(&all).await.unwrap();
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), all);
    }
}

#[tokio::test]
async fn a_batch_that_fails_is_given_again_or_rejected_as_a_whole_but_for_what_the_closure_says() {
    let fail = |batch: &[Element]| match batch.len() {
        4 => Err(SinkError::retry("half").done(2).rejected(1)),
        _ => Err(SinkError::retry("nothing")),
    };
    let mut again = FnSink::batches(fail);
    let error = again.deliver(&elements(4)).await.unwrap_err();
    assert!(error.can_retry());
    assert_eq!((error.done_count(), error.rejected_count()), (2, 1));
    let error = again.deliver(&elements(2)).await.unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (0, 0));

    let mut once = FnSink::batches(fail).at_most_once();
    let error = once.deliver(&elements(4)).await.unwrap_err();
    assert!(!error.can_retry());
    assert_eq!((error.done_count(), error.rejected_count()), (4, 1));
    assert_eq!(error.unknown_count(), 2);
    let error = once.deliver(&elements(2)).await.unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (2, 0));
    assert_eq!(error.unknown_count(), 2);
    // What can never succeed has not.
    let mut never = FnSink::batches(|_: &[Element]| Err(SinkError::fatal("never"))).at_most_once();
    let error = never.deliver(&elements(3)).await.unwrap_err();
    assert_eq!((error.rejected_count(), error.unknown_count()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn in_a_pipeline_a_closure_gets_each_element_until_it_takes_it() {
    let (sink, seen) = scripted(vec![retry(), Ok(()), retry(), retry(), Ok(())]);
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("last", Last).batch(1))
        .sink(sink)
        .spawn()
        .unwrap();
    for n in 0..3 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*seen.lock().unwrap(), [0, 0, 1, 1, 1, 2]);
    let end = metrics.shutdown().await.unwrap();
    let sink = end.sink("FnSink").unwrap();
    assert_eq!((sink.delivered, sink.failures, sink.given_up), (3, 3, 0));
}

// Futures' sinks.

/// Holds up to three elements, delivers them when it is flushed, and may fail as it is.
struct Wire {
    held: Vec<i64>,
    arrived: Arc<Mutex<Vec<i64>>>,
    /// How many flushes succeed.
    good_for: Arc<AtomicUsize>,
}

impl Wire {
    fn flush_all(&mut self) -> Poll<Result<(), io::Error>> {
        // Nobody else takes from it.
        let left = self.good_for.load(SeqCst).checked_sub(1);
        // What breaks has sent one element before.
        let sent = match left {
            Some(_) => self.held.len(),
            None => 1.min(self.held.len()),
        };
        self.arrived.lock().unwrap().extend(self.held.drain(..sent));
        Poll::Ready(match left {
            Some(left) => {
                self.good_for.store(left, SeqCst);
                Ok(())
            }
            None => Err(ErrorKind::ConnectionReset.into()),
        })
    }
}

impl Sink<Element> for Wire {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.held.len() {
            3.. => self.flush_all(),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, element: Element) -> io::Result<()> {
        self.held.push(element.value().as_i64().unwrap());
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush_all()
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush_all()
    }
}

#[tokio::test]
async fn a_futures_sink_that_fails_ends_and_nothing_arrives_twice() {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let wire = Wire {
        held: Vec::new(),
        arrived: arrived.clone(),
        good_for: Arc::new(AtomicUsize::new(2)),
    };
    let mut sink = FuturesSink::new(wire);
    assert_eq!(sink.delivery(), Delivery::AtMostOnce);
    let all = elements(6);
    sink.deliver(&all[..2]).await.unwrap();
    sink.deliver(&all[2..4]).await.unwrap();
    let error = sink.deliver(&all[4..]).await.unwrap_err();
    assert!(!error.can_retry());
    // Of these two one has arrived, and nobody can know.
    assert_eq!((error.done_count(), error.unknown_count()), (2, 2));
    assert_eq!(*arrived.lock().unwrap(), [0, 1, 2, 3, 4]);
    let error = sink.deliver(&all[4..]).await.unwrap_err();
    assert!(!error.can_retry());
    assert!(
        error.to_string().contains("FuturesSink::connect"),
        "{error}"
    );
    assert_eq!(*arrived.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_futures_sink_that_is_made_again_gets_its_batch_again() {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let (made, arrive) = (Arc::new(AtomicUsize::new(0)), arrived.clone());
    let count = made.clone();
    let mut sink = FuturesSink::connect(move || {
        // The second attempt to make one fails; each one that is made is good for one flush.
        let at = count.fetch_add(1, SeqCst);
        let wire = Wire {
            held: Vec::new(),
            arrived: arrive.clone(),
            good_for: Arc::new(AtomicUsize::new(1)),
        };
        async move {
            match at {
                1 => Err(io::Error::from(ErrorKind::ConnectionRefused)),
                _ => Ok(wire),
            }
        }
    });
    assert_eq!(sink.delivery(), Delivery::AtLeastOnce);
    let mut attempts = 0;
    for batch in elements(4).chunks(2) {
        deliver(&mut sink, batch, || attempts += 1).await.unwrap();
    }
    // The first wire breaks in the second batch, when one element of it has arrived.
    assert_eq!(*arrived.lock().unwrap(), [0, 1, 2, 2, 3]);
    assert_eq!((attempts, made.load(SeqCst)), (2, 3));
}
