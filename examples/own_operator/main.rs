//! Two operators of one's own in a small pipeline: one written as a `Stage`, one composed, both methods
//! of an extension trait. Ends by itself, having compared what they find with plain loops.
//!
//! ```text
//! cargo run --release --example own_operator
//! ```

mod operators;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::prelude::*;
use operators::Numbers;

const READINGS: usize = 10_000;
/// One reading in so many is broken.
const BROKEN: usize = 1_000;
const BAND: f64 = 0.5;
const WINDOW: usize = 20;

fn main() -> Result<(), BoxError> {
    let graph = Graph::new();
    let failures = Arc::new(AtomicU64::new(0));
    let count = failures.clone();
    graph.on_error(OnError::call(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));

    let readings = graph.from_iter((0..READINGS).map(reading)).share();
    let kept = readings.deadband(BAND).sink_to_list();
    let peak = readings
        .filter(|x| x.is_finite())
        .spread(WINDOW)
        .fold_all(Max)
        .sink_to_list();
    graph.run()?; // until the iterator has ended

    let (kept, peak) = (kept.take(), peak.take().pop());
    let peak = peak.ok_or("no window was full")?;
    println!(
        "{READINGS} readings: {} kept, {} broken; at most {peak:.2} apart within {WINDOW}",
        kept.len(),
        failures.load(Ordering::Relaxed),
    );
    if kept != kept_by_hand() {
        return Err("a plain loop keeps others".into());
    }
    if peak != peak_by_hand() {
        return Err("a plain loop finds another spread".into());
    }
    if failures.load(Ordering::Relaxed) != (READINGS / BROKEN) as u64 {
        return Err("broken readings did not fail".into());
    }
    println!("as plain loops find");
    Ok(())
}

/// A slow wave with a ripple on it, and now and then nothing that is a number.
fn reading(n: usize) -> f64 {
    if n % BROKEN == BROKEN / 2 {
        return f64::NAN;
    }
    let n = n as f64;
    20.0 + 5.0 * (n / 500.0).sin() + 0.1 * (n * 1.7).sin()
}

fn readings_by_hand() -> Vec<f64> {
    let all = (0..READINGS).map(reading);
    all.filter(|x| x.is_finite()).collect()
}

fn kept_by_hand() -> Vec<f64> {
    let all = readings_by_hand();
    let mut kept: Vec<f64> = Vec::new();
    for (at, x) in all.iter().enumerate() {
        let near = kept.last().is_some_and(|last| (x - last).abs() <= BAND);
        if !near || at + 1 == all.len() {
            kept.push(*x);
        }
    }
    kept
}

fn peak_by_hand() -> f64 {
    let all = readings_by_hand();
    let spread = |window: &[f64]| {
        let max = window.iter().copied().fold(f64::MIN, f64::max);
        max - window.iter().copied().fold(f64::MAX, f64::min)
    };
    all.windows(WINDOW).map(spread).fold(0.0, f64::max)
}
