//! The live picture: how the polling fares, and a line of bars for each metric.

use std::collections::BTreeSet;
use std::io::{Result, Write};

use crossterm::{cursor, queue, terminal, terminal::ClearType};
use headwater::timeseries::PollStats;

use crate::ledger::thousands;
use crate::pipeline::Window;
use crate::screen::{KEPT, Screen};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Screen {
    pub(crate) fn draw(&self, stats: &PollStats, out: &mut Vec<u8>) -> Result<()> {
        let (columns, lines) = terminal::size().unwrap_or((80, 24));
        let width = usize::from(columns).min(140);
        let run = format!(
            "{:.1} of {:.0} s",
            self.begun.0.elapsed().min(self.length).as_secs_f64(),
            self.length.as_secs_f64()
        );
        let mut text = vec![
            format!("{}   {run}", self.title[0]),
            self.title[1].clone(),
            String::new(),
            format!("state    {}", self.fares()),
            format!(
                "points   {} came, {:.0} a second; {} wait to be brought in order",
                thousands(stats.emitted),
                self.per_second(),
                thousands(stats.held as u64),
            ),
            format!(
                "         {} late, {} repeated, {} revised, {} overdue, {} too late",
                thousands(stats.late),
                thousands(stats.repeated),
                thousands(stats.revised),
                thousands(stats.overdue),
                thousands(stats.too_late),
            ),
            format!(
                "asked    {} times, {} times in vain; {} points remembered",
                thousands(stats.requests),
                thousands(stats.failures),
                thousands(stats.remembered as u64),
            ),
            String::new(),
        ];
        text.extend(self.table(width));
        let room = usize::from(lines).saturating_sub(1);
        text.truncate(room);
        queue!(out, cursor::MoveTo(0, 0))?;
        for line in text {
            let line: String = line.chars().take(width).collect();
            write!(out, "{line}")?;
            queue!(out, terminal::Clear(ClearType::UntilNewLine))?;
            write!(out, "\r\n")?;
        }
        queue!(out, terminal::Clear(ClearType::FromCursorDown))
    }

    /// A line a metric: the means of the last windows as bars, and the figures of the newest one.
    fn table(&self, width: usize) -> Vec<String> {
        let Some(newest) = self.windows.back() else {
            return vec!["no window is over yet".to_owned()];
        };
        let rows = self.windows.iter().flat_map(|window| &window.rows);
        let metrics: BTreeSet<&str> = rows.map(|row| &*row.metric).collect();
        let name = metrics
            .iter()
            .map(|m| m.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(12, 30);
        let bars = width.saturating_sub(name + 38).clamp(8, KEPT);
        let skipped = self.windows.len().saturating_sub(bars);
        let windows: Vec<&Window> = self.windows.iter().skip(skipped).collect();
        let each = format!("windows of {:?}", self.pace.window);
        let mut text = vec![format!(
            "{:name$}  {each:bars$}  {:>9} {:>9} {:>9}",
            "METRIC", "MEAN", "MIN", "MAX"
        )];
        for metric in metrics {
            let row =
                |window: &&Window| window.rows.iter().find(|row| row.metric == metric).cloned();
            let means: Vec<Option<f64>> =
                windows.iter().map(|w| row(w).map(|row| row.mean)).collect();
            let line = sparkline(&means);
            let figures = match row(&newest) {
                Some(row) => format!("{:>9.2} {:>9.2} {:>9.2}", row.mean, row.least, row.most),
                None => String::new(),
            };
            let short: String = metric.chars().take(name).collect();
            text.push(format!("{short:name$}  {line:bars$}  {figures}"));
        }
        if !self.gaps.is_empty() {
            let mark = |window: &&Window| {
                if self.was_filled_in(window) {
                    '‾'
                } else {
                    ' '
                }
            };
            let marks: String = windows.iter().map(mark).collect();
            text.push(format!(
                "{:name$}  {marks:bars$}  ‾ filled in after an outage",
                ""
            ));
        }
        let counts = windows.iter().map(|w| w.points);
        let range = counts.clone().min().zip(counts.max());
        if let Some((least, most)) = range {
            text.push(String::new());
            text.push(format!(
                "{} points in the newest window, {least} to {most} in those shown; {} in a window of another time",
                newest.points, self.misplaced
            ));
        }
        text
    }
}

/// A bar for each value, between the least and the largest of them.
fn sparkline(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied();
    let (least, most) = (
        known().fold(f64::MAX, f64::min),
        known().fold(f64::MIN, f64::max),
    );
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        // Of equal values each is in the middle.
        Some(_) if most <= least => BARS[3],
        Some(value) => {
            let share = (value - least) / (most - least);
            BARS[((share * 7.0).round() as usize).min(7)]
        }
    };
    values.iter().map(bar).collect()
}
