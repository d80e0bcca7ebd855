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
            ureq::Error::StatusCode(400..=428) => StoreError::fatal(error),
            other => StoreError::retry(other),
        })?;
        let answer: Value = serde_json::from_str(&text).map_err(StoreError::retry)?;
        let series = answer["data"]["result"].as_array().into_iter().flatten();
        Ok(Fetched::new(series.flat_map(points)))
    }
}

fn points(series: &Value) -> Vec<Point> {
    let labels = series["metric"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let tags: Tags = labels.filter(|(name, _)| *name != "__name__").collect();
    let metric = series["metric"]["__name__"].as_str().unwrap_or_default();
    let samples = series["values"].as_array().into_iter().flatten();
    let point = |sample: &Value| {
        let millis = (sample[0].as_f64()? * 1000.0).round() as i64;
        let value: f64 = sample[1].as_str()?.parse().ok()?;
        Some(Point::new(metric, millis, value).tagged(&tags))
    };
    samples.filter_map(point).collect()
}
