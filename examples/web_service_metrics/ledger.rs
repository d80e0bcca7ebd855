//! A sink of one's own: adds up what the pipeline delivers, and prints a line for each window.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater::Time;
use headwater::metrics::{Delivery, Element, MetricSink, SinkError, TagValue};

pub const HEADING: &str =
    "  second   requests   failed    mean ms     p99 ms   cache hits   at once";

/// What was delivered so far. Clones are the same ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
pub struct Books {
    /// The sums of what adds up, by the element's name and tags.
    pub totals: BTreeMap<(String, String), f64>,
    routes: BTreeMap<String, Route>,
    window: Option<Window>,
    first: Option<Time>,
}

#[derive(Default)]
struct Route {
    requests: f64,
    failed: f64,
    /// The sum of their durations.
    millis: f64,
    /// The worst one of a window.
    p99: f64,
    max: f64,
}

/// The window under way.
struct Window {
    end: Time,
    all: Route,
    hits: f64,
    lookups: f64,
    at_once: f64,
}

impl MetricSink for Ledger {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let mut books = self.books();
        batch.iter().for_each(|element| books.enter(element));
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.books().end_window();
        Ok(())
    }
}

impl Ledger {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn print_totals(&self) {
        println!(
            "\n  {:<16} {:>9} {:>8} {:>10} {:>16} {:>10}",
            "route", "requests", "failed", "mean ms", "worst p99 ms", "max ms"
        );
        for (name, route) in &self.books().routes {
            println!(
                "  {name:<16} {:>9} {:>8} {:>10.3} {:>16.3} {:>10.3}",
                route.requests,
                route.failed,
                route.millis / route.requests,
                route.p99,
                route.max
            );
        }
    }
}

impl Books {
    fn enter(&mut self, element: &Element) {
        if self.window.as_ref().is_none_or(|w| w.end < element.time()) {
            self.end_window();
            self.first.get_or_insert(element.time());
            self.window = Some(Window::new(element.time()));
        }
        let value = element.value().as_f64();
        let key = (element.name().to_owned(), element.tags().key());
        let adds_up = element.name().ends_with(".sum") || element.name().ends_with(".count");
        match self.totals.entry(key).or_default() {
            total if adds_up => *total += value,
            last => *last = value,
        }
        let Some(window) = &mut self.window else {
            return;
        };
        match element.name() {
            "cache_lookups.sum" => {
                window.lookups += value;
                if element.tags().get("outcome") == Some(&"hit".into()) {
                    window.hits += value;
                }
            }
            "under_way.max" => window.at_once = value,
            name => {
                window.all.enter(name, value, element);
                if let Some(TagValue::Str(route)) = element.tags().get("route") {
                    let route = self.routes.entry(route.to_string()).or_default();
                    route.enter(name, value, element);
                }
            }
        }
    }

    fn end_window(&mut self) {
        let (Some(window), Some(first)) = (self.window.take(), self.first) else {
            return;
        };
        // The last one may be short.
        let (all, second) = (window.all, (window.end - first).as_secs_f64().ceil() + 1.0);
        println!(
            "{second:>8.0} {:>10} {:>8} {:>10.2} {:>10.2} {:>10.0} % {:>8}",
            all.requests,
            all.failed,
            all.millis / all.requests,
            all.p99,
            // Of a second without lookups, none.
            100.0 * window.hits / window.lookups.max(1.0),
            window.at_once
        );
    }
}

impl Route {
    fn enter(&mut self, name: &str, value: f64, element: &Element) {
        match name {
            "requests.sum" => {
                self.requests += value;
                if let Some(TagValue::Int(400..)) = element.tags().get("code") {
                    self.failed += value;
                }
            }
            "latency.sum" => self.millis += value,
            "latency.p99" => self.p99 = self.p99.max(value),
            "latency.max" => self.max = self.max.max(value),
            _ => {}
        }
    }
}

impl Window {
    fn new(end: Time) -> Window {
        Window {
            end,
            all: Route::default(),
            hits: 0.0,
            lookups: 0.0,
            at_once: 0.0,
        }
    }
}
