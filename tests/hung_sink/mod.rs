//! A sink that never answers, for tests of the metrics pipeline.

use headwater::metrics::{Delivery, Element, MetricSink, SinkError};

/// Never answers; what it says of its delivery.
pub struct Hung(pub Delivery);

impl MetricSink for Hung {
    fn delivery(&self) -> Delivery {
        self.0
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        std::future::pending().await
    }
}
