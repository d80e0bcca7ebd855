//! A table as a picture: a line for each column of numbers, interrupted where there are gaps.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use headwater::BoxError;
use headwater::timeseries::Table;
use plotters::prelude::*;

const SIZE: (u32, u32) = (1000, 460);
const FONT: &str = "sans-serif";
/// Apart from each other to all eyes, and on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// A column: its name, and times and values in pieces without gaps.
type Line<'a> = (&'a str, Vec<Vec<(DateTime<Utc>, f64)>>);

/// Draws the columns that have numbers.
pub(crate) fn draw(table: &Table, path: &Path) -> Result<(), BoxError> {
    let table = table.ascending();
    let lines = lines(&table)?;
    let all = || lines.iter().flat_map(|(_, pieces)| pieces.iter().flatten());
    let Some(&(first, _)) = all().min_by_key(|(time, _)| *time) else {
        return Err("there is nothing to draw: no column has numbers".into());
    };
    let last = all()
        .map(|(time, _)| *time)
        .max()
        .unwrap_or(first)
        .max(first + TimeDelta::seconds(1));
    let low = all().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let high = all()
        .map(|(_, value)| *value)
        .fold(f64::NEG_INFINITY, f64::max);
    let margin = ((high - low) * 0.05).max(high.abs().max(1.0) * 1e-3);

    // Letters of this size are nowhere wider than that.
    let longest = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let legend_width = 50 + 8 * u32::try_from(longest)?.min(50);
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (chart_area, legend) = root.split_horizontally(SIZE.0 - legend_width);
    let mut chart = ChartBuilder::on(&chart_area)
        .margin(16)
        .margin_right(28)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(first..last, low - margin..high + margin)?;
    let form = match last - first {
        length if length > TimeDelta::days(3) => "%Y-%m-%d",
        length if length > TimeDelta::hours(30) => "%m-%d %H:%M",
        length if length > TimeDelta::minutes(10) => "%H:%M",
        _ => "%H:%M:%S",
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(9)
        .y_labels(8)
        .x_label_formatter(&|time| time.format(form).to_string())
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .x_desc(format!(
            "{} to {} UTC",
            first.format("%Y-%m-%d %H:%M"),
            last.format("%Y-%m-%d %H:%M")
        ))
        .draw()?;

    for (at, (name, pieces)) in lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        for piece in pieces {
            match piece[..] {
                // A line of one point would not be seen.
                [point] => {
                    chart.draw_series([Circle::new(point, 2, colour.filled())])?;
                }
                _ => {
                    chart.draw_series(LineSeries::new(piece.clone(), colour.stroke_width(2)))?;
                }
            }
        }
        let y = 30 + 24 * i32::try_from(at)?;
        legend.draw(&PathElement::new([(4, y), (28, y)], colour.stroke_width(3)))?;
        legend.draw(&Text::new((*name).to_owned(), (36, y - 8), (FONT, 15)))?;
    }
    root.present()?;
    Ok(())
}

fn lines(table: &Table) -> Result<Vec<Line<'_>>, BoxError> {
    let mut lines = Vec::new();
    for name in table.names() {
        let mut pieces = vec![Vec::new()];
        for (millis, value) in table.numbers(name)? {
            let time = DateTime::from_timestamp_millis(millis);
            match (time, value.filter(|value| value.is_finite())) {
                (Some(time), Some(value)) => {
                    if let Some(piece) = pieces.last_mut() {
                        piece.push((time, value));
                    }
                }
                _ => pieces.push(Vec::new()),
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        if !pieces.is_empty() {
            lines.push((name, pieces));
        }
    }
    Ok(lines)
}
