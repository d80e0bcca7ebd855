//! The graph: every point into the ledger, and windows of the points' own time.

use std::time::Duration;

use headwater::aggregate::{GroupBy, Of};
use headwater::prelude::*;
use headwater::timeseries::{MetricsStream, Point, Polled};
use tokio::sync::mpsc::UnboundedSender;

use crate::ledger::Ledger;

/// What the points of a stretch of time come to.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its beginning, in milliseconds since the Unix epoch.
    pub from: i64,
    pub points: u64,
    /// Points whose time is not of this window.
    pub misplaced: u64,
    /// By metric, in the order of their names.
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub metric: String,
    pub mean: f64,
    pub least: f64,
    pub most: f64,
}

/// Builds the pipeline. A point counts as done with, for the cursor, once its window is.
pub fn build(
    graph: &Graph,
    points: MetricsStream,
    width: Duration,
    ledger: Ledger,
    windows: UnboundedSender<Window>,
) {
    let width_millis = width.as_millis() as i64;
    let points = points
        .flow(graph)
        .lead_clock(Polled::time)
        .map(Polled::into_point)
        .share()
        .named("points");
    points.sink(move |point| ledger.came(point)).named("ledger");

    // Numbers alone have a mean.
    let numbers = points.filter_map(move |point: Point| {
        let number = point.number()?.as_f64();
        let from = point.millis().div_euclid(width_millis) * width_millis;
        Some((point.metric().to_owned(), from, number))
    });
    type Number = (String, i64, f64);
    let figures = Of::new((Mean, Min, Max), |number: &Number| number.2);
    let by_metric = GroupBy::new(|number: &Number| number.0.clone(), figures);
    let starts = GroupBy::new(|number: &Number| number.1, Count.of(|_: &Number| ()));
    numbers
        .fold_window(width, (starts, by_metric))
        .map(|(starts, by_metric)| {
            let points = starts.iter().map(|(_, count)| count).sum();
            let (from, most) = starts
                .into_iter()
                .max_by_key(|(_, count)| *count)
                .unwrap_or_default();
            let row = |(metric, (mean, least, most))| Row {
                metric,
                mean,
                least,
                most,
            };
            let mut rows: Vec<Row> = by_metric.into_iter().map(row).collect();
            rows.sort_by(|left, right| left.metric.cmp(&right.metric));
            Window {
                from,
                points,
                misplaced: points - most,
                rows,
            }
        })
        .named("windows")
        // Whoever does not look any more does not hold it up.
        .sink(move |window| drop(windows.send(window)))
        .named("screen");
}
