//! Drivers: a task of tokio, a thread, nobody.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::FutureExt;
use headwater::prelude::*;
use headwater::{EmitError, Lost, Push, Signal, Tail};

/// A flow whose close never arrives: stands for a sink that never answers.
struct Deaf<R>(R);

struct DeafPush<T>(Tail<T>);

impl<T: Send + 'static> Push<T> for DeafPush<T> {
    fn push(&mut self, item: T, cx: &mut headwater::Cx) {
        self.0.push(item, cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut headwater::Cx) {
        if !matches!(signal, Signal::Close) {
            self.0.signal(signal, cx);
        }
    }
}

impl<R: Run> Run for Deaf<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.0.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut headwater::Plan) {
        self.0.build(DeafPush(Box::new(next)), plan);
    }
}

fn deaf<F: Flow>(flow: F) -> Deaf<F::Run> {
    Deaf(flow.into_run())
}

#[tokio::test]
async fn a_task_drives_the_graph_until_it_has_finished() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let source = graph.source::<u32>();
    let list = source.buffer(4).map(|x| x + 1).sink_to_list();
    for x in 0..1000 {
        source.send(x).await.unwrap();
    }
    drop(source);
    driver.await.unwrap();
    assert!(list.take().into_iter().eq(1..=1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_send_into_a_full_buffer_and_all_are_woken() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let source = graph.source::<(u32, u32)>();
    let list = source.buffer(2).sink_to_list();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let source = source.clone();
            tokio::spawn(async move {
                for n in 0..500 {
                    source.send((task, n)).await.unwrap();
                }
            })
        })
        .collect();
    drop(source);
    let all = async {
        for task in tasks {
            task.await.unwrap();
        }
        driver.await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("a wake-up was lost");
    let seen = list.take();
    assert_eq!(seen.len(), 4000);
    for task in 0..8 {
        let own = seen.iter().filter(|(t, _)| *t == task).map(|(_, n)| *n);
        assert!(own.eq(0..500), "order of one sender");
    }
}

#[tokio::test(start_paused = true)]
async fn the_graph_keeps_tokio_s_time_to_the_millisecond() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = deaf(&a).zip(deaf(&b)).sink_to_list();
    tokio::time::advance(Duration::from_millis(17)).await;
    let _driver = graph.spawn();
    a.emit(1).unwrap();
    let begun = tokio::time::Instant::now();
    let report = graph
        .shutdown_within(Duration::from_millis(250))
        .await
        .unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(250));
    assert!(!report.complete);
    assert!(rows.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_wakes_the_driver_before_a_later_one() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let _ = deaf(&a).zip(deaf(&b)).sink(drop);
    let _driver = graph.spawn();
    let begun = tokio::time::Instant::now();
    let (late, early) = futures::join!(
        graph.shutdown_within(Duration::from_secs(3600)),
        graph.shutdown_within(Duration::from_millis(5)),
    );
    assert_eq!(begun.elapsed(), Duration::from_millis(5));
    assert!(!late.unwrap().complete && !early.unwrap().complete);
}

#[tokio::test]
async fn a_panic_under_the_driver_poisons_the_graph_and_its_future_says_so() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let source = graph.source::<u32>();
    let _ = source.buffer(4).sink(|x| assert!(x != 2, "two"));
    let first = source.emit_tracked(1).unwrap();
    tokio::task::yield_now().await;
    let second = source.emit_tracked(2).unwrap();
    let third = source.emit_tracked(3).unwrap();
    assert!(matches!(driver.await, Err(GraphError::Poisoned)));
    assert_eq!(first.outcome(), Some(Ok(())));
    assert_eq!(second.outcome(), Some(Err(Lost::Panicked)));
    assert_eq!(third.outcome(), Some(Err(Lost::TornDown)), "it was held");
    assert!(matches!(source.emit(4), Err(EmitError::Poisoned(4))));
    assert!(matches!(source.send(5).await, Err(EmitError::Poisoned(5))));
    assert!(matches!(graph.shutdown().await, Err(GraphError::Poisoned)));
}

#[tokio::test]
async fn a_stopped_driver_leaves_the_graph_undriven_and_what_it_holds() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let source = graph.source::<u32>();
    let list = source.buffer(4).sink_to_list();
    source.emit(1).unwrap();
    driver.stop();
    driver.await.unwrap();
    assert!(matches!(source.emit(2), Err(EmitError::Undriven(2))));
    let driver = graph.spawn();
    source.emit(2).unwrap();
    source.close();
    driver.await.unwrap();
    assert_eq!(list.take(), [1, 2]);
}

#[test]
fn when_the_runtime_goes_away_emits_are_refused_and_waiting_senders_learn_of_it() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let _ = source.buffer(1).sink(drop);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let inside = runtime.enter();
    let driver = graph.spawn();
    drop(inside);
    source.emit(1).unwrap();
    let blocked = std::thread::spawn({
        let source = source.clone();
        move || source.blocking_send(2)
    });
    let mut sending = Box::pin(source.send(3));
    assert!(sending.as_mut().now_or_never().is_none(), "full");
    drop(runtime);
    assert!(matches!(source.emit(4), Err(EmitError::Undriven(4))));
    let outcome = futures::executor::block_on(sending);
    assert!(matches!(outcome, Err(EmitError::Undriven(3))));
    assert!(matches!(
        blocked.join().unwrap(),
        Err(EmitError::Undriven(2))
    ));
    let outcome = futures::executor::block_on(driver);
    assert!(matches!(outcome, Err(GraphError::Undriven)));
}

#[test]
fn a_thread_drives_the_graph_and_ends_with_it() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let (tell, told) = mpsc::channel();
    let _ = source.buffer(4).sink(move |x| {
        let _ = tell.send((x, std::thread::current().name().map(str::to_owned)));
    });
    for x in 0..1000 {
        source.blocking_send(x).unwrap();
    }
    drop(source);
    driver.join().unwrap();
    let seen: Vec<_> = told.try_iter().collect();
    assert!(seen.iter().map(|(x, _)| *x).eq(0..1000));
    assert!(
        seen.iter()
            .any(|(_, name)| name.as_deref() == Some("headwater"))
    );
}

#[test]
fn a_driving_thread_is_stopped_and_another_goes_on() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.buffer(4).sink_to_list();
    let driver = graph.spawn_thread();
    driver.stop();
    driver.join().unwrap();
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
    let driver = graph.spawn_thread();
    source.emit(1).unwrap();
    source.close();
    driver.join().unwrap();
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_panic_on_the_driving_thread_is_what_join_returns() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let _ = source.buffer(4).sink(|_| panic!("on purpose"));
    let driver = graph.spawn_thread();
    let receipt = source.emit_tracked(1).unwrap();
    assert!(matches!(driver.join(), Err(GraphError::Poisoned)));
    assert_eq!(receipt.outcome(), Some(Err(Lost::Panicked)));
}

#[test]
fn a_driver_learns_that_somebody_else_poisoned_the_graph() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let _ = source.sink(|_| panic!("on purpose"));
    let driver = graph.spawn_thread();
    let thread = std::thread::spawn(move || source.emit(1).is_ok());
    assert!(thread.join().is_err());
    assert!(matches!(driver.join(), Err(GraphError::Poisoned)));
}

#[test]
#[should_panic(expected = "the graph has a driver already")]
fn two_drivers_of_one_graph_are_refused() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let _ = graph.spawn_thread();
}

#[test]
fn a_shutdown_gives_up_when_its_time_is_up() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let _ = deaf(&a)
        .zip(deaf(&b))
        .named("pairs")
        .sink(drop)
        .named("out");
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    let kept = [a.emit_tracked(3).unwrap(), a.emit_tracked(4).unwrap()];
    let mut shutdown = Box::pin(graph.shutdown_within(Duration::from_secs(2)));
    assert!(shutdown.as_mut().now_or_never().is_none());
    assert!(matches!(a.emit(5), Err(EmitError::Closed(5))));
    time.advance(Duration::from_millis(1999));
    assert!(shutdown.as_mut().now_or_never().is_none());
    assert!(kept.iter().all(|receipt| receipt.outcome().is_none()));
    time.advance(Duration::from_millis(1));
    let report = shutdown
        .as_mut()
        .now_or_never()
        .expect("time is up")
        .unwrap();
    assert!(!report.complete);
    assert_eq!((report.accepted, report.delivered), (4, 1));
    assert_eq!(report.snapshot.named("pairs").unwrap().counts.held, 2);
    for receipt in kept {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
    let text = report.to_string();
    assert!(
        text.starts_with("4 in, 1 out, 0 dropped, 0 failed, 2 given up"),
        "{text}"
    );
    // The graph is over, and harmless.
    time.advance(Duration::from_secs(10));
    assert!(matches!(a.lock().emit(6), Err(EmitError::Closed(6))));
    assert!(a.emit_all([7, 8]).is_err());
    let late = a.sink_to_list();
    late.branch().clone().disconnect();
    drop((a, b));
    time.settle();
    assert!(!graph.close().unwrap().complete);
}

#[test]
fn a_shutdown_that_keeps_within_its_time_is_complete() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let list = source.buffer(1000).buffer(10).sink_to_list();
    let receipts: Vec<_> = (0..1000)
        .map(|x| futures::executor::block_on(source.send_tracked(x)).unwrap())
        .collect();
    let limit = Duration::from_secs(600);
    let report = futures::executor::block_on(graph.shutdown_within(limit)).unwrap();
    assert!(report.complete);
    assert_eq!((report.accepted, report.delivered), (1000, 1000));
    assert_eq!(report.snapshot.held(), 0);
    assert!(
        report
            .to_string()
            .starts_with("1000 in, 1000 out, 0 dropped, 0 failed\n")
    );
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    assert!(list.take().into_iter().eq(0..1000));
    driver.join().unwrap();
}

#[test]
fn a_shutdown_stops_an_endless_iterator() {
    let graph = Graph::new();
    let count = Arc::new(AtomicU32::new(0));
    let counter = count.clone();
    let _ = graph.from_iter(0u64..).buffer(64).sink(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let driver = graph.spawn_thread();
    while count.load(Ordering::Relaxed) < 1000 {
        std::thread::yield_now();
    }
    let report = graph.close().unwrap();
    driver.join().unwrap();
    assert!(report.complete);
    assert_eq!(report.accepted, report.delivered);
    assert_eq!(u64::from(count.load(Ordering::Relaxed)), report.delivered);
}

#[tokio::test]
async fn a_shutdown_without_a_driver_says_so_and_close_drives() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.buffer(4).sink_to_list();
    let driver = graph.spawn();
    source.emit(1).unwrap();
    driver.stop();
    driver.await.unwrap();
    assert!(matches!(graph.shutdown().await, Err(GraphError::Undriven)));
    assert!(matches!(
        source.emit(2),
        Err(EmitError::Closed(2)) | Err(EmitError::Undriven(2))
    ));
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (1, 1));
    assert_eq!(list.take(), [1]);
}

#[tokio::test]
async fn a_shutdown_learns_that_the_driver_went_away() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let _ = deaf(a.buffer(4)).zip(deaf(&b)).sink(drop);
    let driver = graph.spawn();
    let mut shutdown = Box::pin(graph.shutdown());
    assert!(futures::poll!(&mut shutdown).is_pending());
    driver.stop();
    driver.await.unwrap();
    assert!(matches!(shutdown.await, Err(GraphError::Undriven)));
}

#[tokio::test]
async fn what_is_built_after_a_shutdown_is_closed() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let _ = source.sink(drop);
    assert!(graph.shutdown().await.unwrap().complete);
    let late = graph.source::<u32>();
    let _ = late.sink(drop);
    assert!(late.is_closed());
    assert!(matches!(late.emit(1), Err(EmitError::Closed(1))));
    assert!(graph.shutdown().await.unwrap().complete, "a second time");
}

#[test]
fn run_and_close_bring_a_clock_where_time_was_moved_by_hand_before() {
    let graph = Graph::new();
    drop(graph.drive_manually());
    // Undriven again, with a clock that was moved by hand: `close` and `run` bring their own.
    let list = graph.from_iter(0..3u32).buffer(1).sink_to_list();
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 1, 2]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn a_graph_is_driven_by_one_after_the_other_and_its_time_goes_on() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    time.advance(Duration::from_secs(3600));
    drop(time);
    let driver = graph.spawn_thread();
    let at = graph.snapshot().unwrap().at;
    assert!(
        at >= Time::from(Duration::from_secs(3600)),
        "never backwards"
    );
    driver.stop();
    driver.join().unwrap();
}

#[tokio::test]
async fn the_report_of_a_graph_that_has_ended_asks_for_no_driver() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let groups = source
        .partition(3)
        .max_age(Duration::from_secs(3_600))
        .sink_to_list();
    let driver = graph.spawn();
    source.send(1).await.unwrap();
    source.close();
    driver.await.unwrap();
    assert_eq!(groups.take(), [[1]]);
    let report = graph.shutdown().await.unwrap();
    assert!(report.complete && !report.snapshot.undriven);
    assert!(!report.to_string().contains("drives"), "{report}");
}
