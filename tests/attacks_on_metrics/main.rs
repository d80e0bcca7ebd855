//! Attacks on the metrics pipeline and the sharded source: closures that panic where a lock is held,
//! names and numbers that are odd, series that go and come back, ends that meet.

#[path = "../hung_sink/mod.rs"]
mod hung_sink;
#[path = "../memory_sink/mod.rs"]
mod memory_sink;
#[path = "../virtual_time/mod.rs"]
mod virtual_time;
#[path = "../watched/mod.rs"]
mod watched;

mod closures;
mod counts;
mod ends;
mod names_and_numbers;
mod sinks;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use headwater::metrics::{Delivery, Described, Element, Metric, MetricSink, SinkError};
use headwater::prelude::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn every_value() -> Metric {
    Metric::new("m").agg("v", Last).batch(1)
}

/// Calls a closure when asked for its properties.
struct Nosy<F>(F, &'static str);

impl<F: Fn(&'static str) + Send + 'static> MetricSink for Nosy<F> {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        (self.0)("name");
        self.1.into()
    }
    fn delivery(&self) -> Delivery {
        (self.0)("delivery");
        Delivery::AtMostOnce
    }
    fn max_batch(&self) -> usize {
        (self.0)("max_batch");
        usize::MAX
    }
    fn describe(&mut self, _: &Arc<Described>) {
        (self.0)("describe");
    }
    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        (self.0)("deliver");
        Ok(())
    }
    async fn close(&mut self) -> Result<(), SinkError> {
        (self.0)("close");
        Ok(())
    }
}
