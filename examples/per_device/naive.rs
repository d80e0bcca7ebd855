//! The same anomalies, found in the plainest way: all sums anew for each reading.

use std::collections::VecDeque;

use headwater::prelude::BoxError;

use crate::pipeline::{FAR, WINDOW};
use crate::simulate::{Anomaly, DEVICES, Readings};

/// Where rounding alone may decide, both answers are right.
const TOLERANCE: f64 = 1e-6;

/// Checks what was found in the first `count` readings.
pub fn compare(count: u64, found: &[Anomaly]) -> Result<(), BoxError> {
    let mut found = found.iter().peekable();
    let mut devices = vec![VecDeque::with_capacity(WINDOW); DEVICES as usize];
    for reading in Readings::new().take(usize::try_from(count)?) {
        let window = &mut devices[reading.device as usize];
        if window.len() == WINDOW {
            window.pop_front();
        }
        window.push_back(reading.value);
        let said = found.next_if(|anomaly| anomaly.reading == reading);
        let score = match window.len() {
            WINDOW => score(window),
            _ => 0.0,
        };
        let sure = (score.abs() - FAR).abs() > TOLERANCE;
        if sure && said.is_some() != (score.abs() > FAR) {
            return Err(format!("{reading:?} has the score {score}, and {said:?} was said").into());
        }
        if let Some(said) = said
            && (said.score - score).abs() > TOLERANCE * score.abs()
        {
            return Err(format!("the score is {score}, and {said:?} was said").into());
        }
    }
    match found.next() {
        None => Ok(()),
        Some(more) => Err(format!("{more:?} was found, and there is no such reading").into()),
    }
}

/// How far the last value is from the mean, in standard deviations.
fn score(window: &VecDeque<f64>) -> f64 {
    let count = window.len() as f64;
    let mean = window.iter().sum::<f64>() / count;
    let squares: f64 = window.iter().map(|x| (x - mean) * (x - mean)).sum();
    let last = window.back().copied().unwrap_or(mean);
    (last - mean) / (squares / (count - 1.0)).sqrt()
}
