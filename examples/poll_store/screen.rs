//! How it is shown: a live picture on a terminal, plain lines elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant, SystemTime};

use crossterm::{cursor, queue, terminal, terminal::ClearType};
use headwater::timeseries::{PollState, PollStats};

use crate::ledger::thousands;
use crate::options::Pace;
use crate::pipeline::Window;

/// So many windows are kept to be shown.
const KEPT: usize = 60;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows how the polling fares.
pub struct Screen {
    live: bool,
    title: String,
    pace: Pace,
    length: Duration,
    begun: (Instant, SystemTime),
    state: PollState,
    /// Since when the store has answered.
    healthy_since: Option<SystemTime>,
    /// From when to when it did not, in milliseconds since the Unix epoch.
    gaps: Vec<(i64, i64)>,
    /// What was counted when, to say how many points a second come.
    counted: VecDeque<(Instant, u64)>,
    windows: VecDeque<Window>,
    misplaced: u64,
    shown: u64,
}

impl Screen {
    pub fn new(title: String, pace: Pace, length: Duration) -> Screen {
        let mut screen = Screen {
            live: stdout().is_terminal(),
            title,
            pace,
            length,
            begun: (Instant::now(), SystemTime::now()),
            state: PollState::Starting,
            healthy_since: None,
            gaps: Vec::new(),
            counted: VecDeque::new(),
            windows: VecDeque::new(),
            misplaced: 0,
            shown: 0,
        };
        screen.print(|screen, out| match screen.live {
            true => queue!(out, terminal::Clear(ClearType::All)),
            false => writeln!(out, "{}\n\n{HEADING}", screen.title),
        });
        screen
    }

    /// How many points were in a window of another time.
    pub fn misplaced(&self) -> u64 {
        self.misplaced
    }

    /// How many windows there were.
    pub fn windows(&self) -> u64 {
        self.shown
    }

    pub fn window(&mut self, window: Window) {
        self.misplaced += window.misplaced;
        self.shown += 1;
        self.windows.push_back(window);
        if self.windows.len() > KEPT {
            self.windows.pop_front();
        }
    }

    pub fn state(&mut self, state: PollState) {
        let now = SystemTime::now();
        let failed_before = self.state.failing();
        let same = same(&self.state, &state);
        self.state = state;
        match (self.state.failing(), failed_before) {
            (Some((since, _)), None) => self.gaps.push((millis(since), i64::MAX)),
            (None, Some(_)) => {
                if let Some((_, until)) = self.gaps.last_mut() {
                    *until = millis(now);
                }
            }
            _ => {}
        }
        if self.state.is_healthy() && !same {
            self.healthy_since = Some(now);
        }
        if !same && !self.live {
            self.print(|screen, out| writeln!(out, "{:>8}  {}", screen.at(now), screen.fares()));
        }
    }

    /// The picture as it is now, or another line.
    pub fn show(&mut self, stats: &PollStats) {
        let now = Instant::now();
        self.counted.push_back((now, stats.emitted));
        // A second at most, and less where all goes faster.
        let span = self.pace.every * 4;
        while self.counted.len() > 2 && now - self.counted[1].0 > span {
            self.counted.pop_front();
        }
        let stats = *stats;
        self.print(|screen, out| match screen.live {
            true => screen.draw(&stats, out),
            false => screen.line(&stats, out),
        });
    }

    /// A terminal or a pipe that is gone is no reason to fail: what is checked in the end counts.
    fn print(&mut self, draw: impl FnOnce(&Screen, &mut Vec<u8>) -> std::io::Result<()>) {
        // In one write: a screen that is cleared first flickers.
        let mut page = Vec::new();
        let _ = draw(self, &mut page).and_then(|()| {
            let mut out = stdout().lock();
            out.write_all(&page)?;
            out.flush()
        });
    }

    fn per_second(&self) -> f64 {
        match (self.counted.front(), self.counted.back()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                (after - before) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// Seconds since the start.
    fn at(&self, time: SystemTime) -> String {
        let since = time.duration_since(self.begun.1).unwrap_or_default();
        format!("{:.1} s", since.as_secs_f64())
    }

    /// In words: how the store fares, and since when.
    fn fares(&self) -> String {
        let since = |what: &str| match (self.state.failing(), self.state.last_error()) {
            (Some((since, failures)), Some(error)) => {
                let times = if failures == 1 {
                    "1 failure".to_owned()
                } else {
                    format!("{failures} failures")
                };
                let error = error.to_string();
                let brief = error.split(": ").skip(1).collect::<Vec<_>>().join(": ");
                let brief = if brief.is_empty() { error } else { brief };
                format!("{what} since {} ({times}): {brief}", self.at(since))
            }
            _ => what.to_owned(),
        };
        match (&self.state, self.healthy_since) {
            (PollState::Starting, _) => "nothing was answered yet".to_owned(),
            (PollState::Healthy, Some(time)) => format!("healthy since {}", self.at(time)),
            (PollState::Healthy, None) => "healthy".to_owned(),
            (PollState::Degraded { .. }, _) => since("degraded"),
            (PollState::Down { .. }, _) => since("down"),
            _ => "ended".to_owned(),
        }
    }

    fn draw(&self, stats: &PollStats, out: &mut Vec<u8>) -> std::io::Result<()> {
        let (columns, lines) = terminal::size().unwrap_or((80, 24));
        let width = usize::from(columns).min(140);
        let run = format!(
            "{:.1} of {:.0} s",
            self.begun.0.elapsed().as_secs_f64(),
            self.length.as_secs_f64()
        );
        let mut text = vec![
            format!("{}   {run}", self.title),
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
        let metrics: BTreeMap<&str, ()> = self
            .windows
            .iter()
            .flat_map(|w| &w.rows)
            .map(|row| (&*row.metric, ()))
            .collect();
        let name = metrics
            .keys()
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
        for metric in metrics.into_keys() {
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

    /// Whether the store did not answer at a time of the window.
    fn was_filled_in(&self, window: &Window) -> bool {
        let to = window.from + self.pace.window.as_millis() as i64;
        self.gaps
            .iter()
            .any(|(from, until)| *from < to && window.from < *until)
    }

    fn line(&self, stats: &PollStats, out: &mut Vec<u8>) -> std::io::Result<()> {
        let means = self.windows.back().map(|window| {
            let mean = |row: &crate::pipeline::Row| format!("{} {:.1}", row.metric, row.mean);
            window
                .rows
                .iter()
                .take(4)
                .map(mean)
                .collect::<Vec<_>>()
                .join(", ")
        });
        writeln!(
            out,
            "{:>8}  {:>8} {:>9.0} {:>7} {:>9} {:>8}  {}",
            format!("{:.1} s", self.begun.0.elapsed().as_secs_f64()),
            stats.emitted,
            self.per_second(),
            stats.late,
            stats.repeated,
            stats.revised,
            means.unwrap_or_default(),
        )
    }

    /// What is left to say about windows, for people who read lines: all that are still known.
    pub fn print_windows(&mut self) {
        if self.live {
            return;
        }
        self.print(|screen, out| {
            writeln!(out, "\n  the last windows, by the points' own time:")?;
            let windows = screen.windows.iter().rev().take(24).collect::<Vec<_>>();
            for window in windows.into_iter().rev() {
                let from = (window.from - millis(screen.begun.1)) as f64 / 1000.0;
                let row = |row: &crate::pipeline::Row| format!("{} {:.2}", row.metric, row.mean);
                let rows: Vec<String> = window.rows.iter().take(4).map(row).collect();
                let filled = if screen.was_filled_in(window) {
                    "  filled in after an outage"
                } else {
                    ""
                };
                writeln!(
                    out,
                    "{from:>8.2} s  {:>4} points  {}{filled}",
                    window.points,
                    rows.join(", ")
                )?;
            }
            Ok(())
        });
    }
}

const HEADING: &str =
    "      at    points  a second    late  repeated  revised  means of the newest window";

fn same(one: &PollState, other: &PollState) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn millis(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as i64
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
