use headwater::metrics::Tags;
use headwater::timeseries::{Fetched, Point, Range, Store, StoreError};
use serde_json::Value;

/// The samples of a selector, such as `up{job="test"}`, in a Prometheus.
struct Prometheus {
    url: String,
    selector: String,
}

impl Store for Prometheus {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        let url = format!("{}/api/v1/query", self.url);
        let query = format!("{}[{}ms]", self.selector, range.len()); // so much before
        let time = format!("{}", range.to as f64 / 1000.0); // this time
        let ask = move || {
            let request = ureq::get(&url).query("query", query).query("time", time);
            request.call()?.body_mut().read_to_string()
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        let text = asked.map_err(StoreError::retry)?.map_err(|error| match error {
            ureq::Error::StatusCode(422) => StoreError::too_much(error), // samples, or time
            ureq::Error::StatusCode(400..=428) => StoreError::fatal(error),
            other => StoreError::retry(other),
        })?;
        let answer: Value = serde_json::from_str(&text).map_err(StoreError::retry)?;
        let points = points(&answer).ok_or_else(|| {
            StoreError::retry("no answer of Prometheus, or one that is not of samples with a value")
        })?;
        Ok(Fetched::new(points))
    }
}

/// `None` where anything is not as expected: it is not to be taken for no points.
fn points(answer: &Value) -> Option<Vec<Point>> {
    let mut points = Vec::new();
    for series in answer["data"]["result"].as_array()? {
        let labels = series["metric"].as_object()?.iter();
        let labels = labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let tags: Tags = labels.filter(|(name, _)| *name != "__name__").collect();
        let metric = series["metric"]["__name__"].as_str().unwrap_or_default();
        for sample in series["values"].as_array()? {
            let millis = (sample[0].as_f64()? * 1000.0).round() as i64;
            let value: f64 = sample[1].as_str()?.parse().ok()?;
            points.push(Point::new(metric, millis, value).tagged(&tags));
        }
    }
    Some(points)
}
