//! A sink that keeps elements as text, for tests of the metrics pipeline.

use std::sync::{Arc, Mutex};

use headwater::metrics::{Delivery, Element, MetricSink, SinkError};

/// Keeps what comes, as text.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<String>>>);

impl Memory {
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl MetricSink for Memory {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let texts = batch.iter().map(Element::to_string);
        self.0.lock().unwrap().extend(texts);
        Ok(())
    }
}
