//! The same figures by plain loops, to check what the graph found.

use headwater::prelude::*;

use crate::pipeline::{Figure, RECENT, WINDOW};
use crate::recording::Reading;

/// All figures, in the order in which the analysis finds them.
pub fn figures(recording: &[Reading]) -> Vec<Figure> {
    let (mut now, mut figures) = (Time::ZERO, Vec::new());
    let (mut window, mut rise) = (Vec::new(), None);
    let (mut inlet, mut outlet) = (Vec::new(), Vec::new());
    for reading in recording {
        // A reading that comes late counts as of now.
        let at = now.max(reading.at);
        if number(at) != number(now) {
            figures.extend(end(&mut window));
            figures.extend(rise.take());
        }
        now = at;
        window.push(reading.value);
        match reading.sensor {
            "inlet" => inlet.push(reading.value),
            "outlet" => outlet.push(reading.value),
            _ => continue,
        }
        if let (Some(inlet), Some(outlet)) = (recent(&inlet), recent(&outlet)) {
            rise = Some(Figure::Rise(outlet - inlet));
        }
    }
    figures.extend(end(&mut window));
    figures.extend(rise);
    figures
}

/// Whether `found` is how `expected` begins, but for what rounding does.
pub fn begins(expected: &[Figure], found: &[Figure]) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let same = |pair| match pair {
        (Figure::Window(n, mean, peak), Figure::Window(m, other, top)) => {
            n == m && near(mean, other) && peak == top
        }
        (Figure::Rise(rise), Figure::Rise(other)) => near(rise, other),
        _ => false,
    };
    let mut pairs = expected.iter().copied().zip(found.iter().copied());
    found.len() <= expected.len() && pairs.all(same)
}

fn number(at: Time) -> u128 {
    at.elapsed().as_nanos() / WINDOW.as_nanos()
}

fn end(window: &mut Vec<f64>) -> Option<Figure> {
    let values = std::mem::take(window);
    let peak = values.iter().copied().reduce(f64::max)?;
    Some(Figure::Window(values.len() as u64, mean(&values)?, peak))
}

fn recent(values: &[f64]) -> Option<f64> {
    mean(&values[values.len().saturating_sub(RECENT)..])
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
