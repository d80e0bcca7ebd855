//! A day of a house: temperatures of three rooms, one of which is measured seldom, and its heating.

use std::f64::consts::TAU;

use headwater::timeseries::{Moment, Point, Table};

/// When the day begins.
pub(crate) const MORNING: &str = "2024-03-01";

const MINUTE: i64 = 60_000;

/// What was measured, as a table of rooms.
pub(crate) fn day() -> Result<Table, headwater::BoxError> {
    let morning = MORNING.moment()?;
    let mut points = Vec::new();
    for step in 0..144_i64 {
        let time = morning + step * 10 * MINUTE;
        let day = step as f64 / 144.0;
        // Warmest in the afternoon; what the sun does, the cellar hardly sees.
        let sun = (TAU * (day - 0.4)).sin();
        let ripple = ((step * 7_919) % 13) as f64 / 13.0 - 0.5;
        let heating = !(48..130).contains(&step);
        let temperature = |room: &str, celsius: f64| {
            let celsius = (celsius * 10.0).round() / 10.0;
            Point::new("temperature", time, celsius).tagged([("room", room)])
        };
        let hall = 19.0 + sun + ripple * 0.4 + if heating { 1.5 } else { 0.0 };
        points.push(temperature("hall", hall));
        // Its sensor was away for a while, and it is the last one to be stored.
        if !(60..75).contains(&step) && step < 140 {
            points.push(temperature("attic", 16.0 + 5.0 * sun + ripple));
        }
        if step % 6 == 0 {
            points.push(temperature("cellar", 11.0 + 0.3 * sun));
        }
        points.push(Point::new("heating", time, i64::from(heating)));
    }
    Ok(Table::builder().by_series().points(points)?)
}
