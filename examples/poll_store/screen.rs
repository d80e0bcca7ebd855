//! How it is shown: a live picture on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant, SystemTime};

use crossterm::{queue, terminal, terminal::ClearType};
use headwater::timeseries::{PollState, PollStats};

use crate::options::Pace;
use crate::pipeline::Window;

/// So many windows are kept to be shown.
pub const KEPT: usize = 60;

/// Shows how the polling fares.
pub struct Screen {
    live: bool,
    /// What is polled, and what is to be seen.
    pub(crate) title: [String; 2],
    pub(crate) pace: Pace,
    pub(crate) length: Duration,
    pub(crate) begun: (Instant, SystemTime),
    state: PollState,
    /// Since when the store has answered.
    healthy_since: Option<SystemTime>,
    /// From when to when it did not, in milliseconds since the Unix epoch.
    pub(crate) gaps: Vec<(i64, i64)>,
    /// What was counted when, to say how many points a second come.
    counted: VecDeque<(Instant, u64)>,
    pub(crate) windows: VecDeque<Window>,
    pub(crate) misplaced: u64,
    shown: u64,
}

impl Screen {
    pub fn new(title: [String; 2], pace: Pace, length: Duration) -> Screen {
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
            false => writeln!(out, "{}\n\n{HEADING}", screen.title.join("\n").trim_end()),
        });
        screen
    }

    /// How often it is drawn.
    pub fn every(&self) -> Duration {
        match self.live {
            true => Duration::from_millis(100),
            false => self.pace.every * 2,
        }
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

    pub(crate) fn per_second(&self) -> f64 {
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
    pub(crate) fn fares(&self) -> String {
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

    /// Whether the store did not answer at a time of the window.
    pub(crate) fn was_filled_in(&self, window: &Window) -> bool {
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
            "{:>8}  {:>8} {:>9.0} {:>8} {:>6} {:>9} {:>8}  {}",
            format!("{:.1} s", self.begun.0.elapsed().as_secs_f64()),
            stats.emitted,
            self.per_second(),
            stats.held,
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
    "      at    points  a second  waiting   late  repeated  revised  means of the newest window";

fn same(one: &PollState, other: &PollState) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn millis(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as i64
}
