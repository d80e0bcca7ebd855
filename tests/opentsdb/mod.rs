//! Receivers that tests write themselves, and what the tests of both protocols share.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::Time;
use headwater::metrics::{Element, MetricSink, SinkError};
use tokio::net::{TcpListener, TcpStream};

/// A time that receivers take: 14 November 2023.
pub const SECONDS: u64 = 1_700_000_000;

/// An element at that time and so many milliseconds.
pub fn element(name: &str, value: i64, millis: u64) -> Element {
    let time = Time::ZERO + Duration::from_millis(SECONDS * 1000 + millis);
    Element::new(name, value).tagged([("host", "a")]).at(time)
}

/// `m.0`, `m.1`, …, whose values are their numbers.
pub fn elements(count: usize) -> Vec<Element> {
    (0..count)
        .map(|n| element(&format!("m.{n}"), n as i64, 0))
        .collect()
}

/// The telnet lines of these.
pub fn lines(elements: &[Element]) -> String {
    let line = |element: &Element| {
        let value = element.value();
        format!("put {} {SECONDS} {value} host=a\n", element.name())
    };
    elements.iter().map(line).collect()
}

/// What became of a batch after all attempts.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub struct Fate {
    pub delivered: usize,
    pub rejected: usize,
    /// The sink said that trying again can't help.
    pub unknown: usize,
    pub given_up: usize,
    pub attempts: usize,
}

/// Delivers as a pipeline does: what is not done with is tried again, as long as that can help.
pub async fn deliver(sink: &mut impl MetricSink, batch: &[Element]) -> Fate {
    let mut fate = Fate::default();
    let mut rest = batch;
    while !rest.is_empty() {
        fate.attempts += 1;
        assert!(fate.attempts < 300, "it never ends");
        let Err(error) = sink.deliver(rest).await else {
            fate.delivered += rest.len();
            break;
        };
        let (done, rejected) = (error.done_count(), error.rejected_count());
        let unknown = error.unknown_count();
        assert!(
            rejected + unknown <= done && done <= rest.len(),
            "{error}: {rejected} and {unknown} of {done}"
        );
        fate.rejected += rejected;
        fate.unknown += unknown;
        fate.delivered += done - rejected - unknown;
        rest = &rest[done..];
        if !error.can_retry() {
            fate.given_up = rest.len();
            break;
        }
    }
    fate
}

/// The failure of one attempt.
pub async fn failure(sink: &mut impl MetricSink, batch: &[Element]) -> SinkError {
    sink.deliver(batch).await.expect_err("it should fail")
}

/// A receiver on a free port of this machine, which does the same with each connection.
#[derive(Debug)]
pub struct Front {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Front {
    /// Connections are numbered from 0 on.
    pub async fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl FnMut(usize, TcpStream) -> F + Send + 'static,
    ) -> Front {
        Front::at("127.0.0.1:0".parse().unwrap(), serve).await
    }

    pub async fn at<F: Future<Output = ()> + Send + 'static>(
        address: SocketAddr,
        mut serve: impl FnMut(usize, TcpStream) -> F + Send + 'static,
    ) -> Front {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            for n in 0..usize::MAX {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(n, stream));
            }
        });
        Front { address, task }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a receiver got, in order.
#[derive(Debug)]
pub struct Got<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Got<T> {
    fn clone(&self) -> Self {
        Got(self.0.clone())
    }
}

impl<T> Default for Got<T> {
    fn default() -> Self {
        Got(Arc::default())
    }
}

impl<T> Got<T> {
    pub fn push(&self, what: T) {
        self.0.lock().unwrap().push(what);
    }

    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
