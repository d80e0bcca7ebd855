//! How it is shown: a live table on a terminal, plain lines elsewhere, or JSON lines.

use std::io::{IsTerminal, Write, stdout};

use crossterm::{cursor, queue, terminal, terminal::ClearType};
use serde_json::json;

use crate::pipeline::{Alert, News, Row};
use crate::sample::Kind;

/// Shows news as they come.
pub struct Screen {
    style: Style,
    table: Vec<Row>,
    load: (f64, f64),
    alert: Alert,
    throughput: u64,
    total: u64,
}

enum Style {
    Live,
    Lines,
    Json,
}

impl Screen {
    pub fn new(json: bool) -> Screen {
        let style = match json {
            true => Style::Json,
            false if stdout().is_terminal() => Style::Live,
            false => Style::Lines,
        };
        Screen {
            style,
            table: Vec::new(),
            load: (0.0, 0.0),
            alert: Alert::Calm,
            throughput: 0,
            total: 0,
        }
    }

    /// A terminal or a pipe that is gone is no reason to fail: the pipeline ends by its shutdown.
    pub fn show(&mut self, news: News) {
        let mut out = stdout().lock();
        let _ = match self.style {
            Style::Json => json_line(&mut out, &news),
            Style::Lines => plain_line(&mut out, &news),
            Style::Live => {
                let redraw = matches!(news, News::Throughput(_));
                self.keep(news);
                if redraw { self.draw(&mut out) } else { Ok(()) }
            }
        };
    }

    fn keep(&mut self, news: News) {
        match news {
            News::Table(rows) => self.table = rows,
            News::Load { mean, peak } => self.load = (mean, peak),
            News::Alert(alert) => self.alert = alert,
            News::Throughput(count) => {
                self.throughput = count;
                self.total += count;
            }
        }
    }

    fn draw(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (columns, lines) = terminal::size().unwrap_or((80, 24));
        let width = usize::from(columns).min(160);
        let mut text = vec![format!(
            "{:<9} {:<20} {:>12} {:>12}",
            "WHAT", "OF", "MEAN 1 s", "PEAK 1 s"
        )];
        text.extend(self.table.iter().map(|row| line(row, width)));
        let room = usize::from(lines).saturating_sub(4);
        if text.len() > room {
            let more = text.len() - room + 1;
            text.truncate(room.saturating_sub(1));
            text.push(format!("… and {more} more"));
        }
        text.push(String::new());
        text.push(format!(
            "cpu over 10 s: mean {:.1} %, peak {:.1} %: {:?}",
            self.load.0, self.load.1, self.alert
        ));
        text.push(format!(
            "{} samples in the last second, {} in all; Ctrl-C ends",
            self.throughput, self.total
        ));
        // Over the old text, in one write: a screen that is cleared first flickers.
        let mut page = Vec::new();
        queue!(page, cursor::MoveTo(0, 0))?;
        for line in text {
            queue!(page, terminal::Clear(ClearType::UntilNewLine))?;
            writeln!(page, "{}", cut(&line, width))?;
        }
        queue!(page, terminal::Clear(ClearType::FromCursorDown))?;
        out.write_all(&page)?;
        out.flush()
    }
}

/// A row, with a bar where there is room for it and the figure is a share of a whole.
fn line(row: &Row, width: usize) -> String {
    let (kind, of) = (row.tag.kind, cut(&row.tag.of, 20));
    let text = format!(
        "{:<9} {of:<20} {:>12} {:>12}",
        kind.name(),
        figure(row.mean, kind),
        figure(row.peak, kind)
    );
    let room = width.saturating_sub(text.chars().count() + 3).min(50);
    if kind.unit() != "%" || room < 10 {
        return text;
    }
    let filled = (row.mean.clamp(0.0, 100.0) / 100.0 * room as f64).round() as usize;
    format!(
        "{text}  {}{}",
        "█".repeat(filled),
        "·".repeat(room - filled)
    )
}

fn figure(value: f64, kind: Kind) -> String {
    match (kind.unit(), value) {
        ("%", value) => format!("{value:.1} %"),
        (_, value) if value >= 1e6 => format!("{:.1} MB/s", value / 1e6),
        (_, value) if value >= 1e3 => format!("{:.1} kB/s", value / 1e3),
        (_, value) => format!("{value:.0} B/s"),
    }
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

fn plain_line(out: &mut impl Write, news: &News) -> std::io::Result<()> {
    match news {
        News::Table(rows) => {
            for row in rows {
                writeln!(
                    out,
                    "{} {}: mean {}, peak {}",
                    row.tag.kind.name(),
                    row.tag.of,
                    figure(row.mean, row.tag.kind),
                    figure(row.peak, row.tag.kind)
                )?;
            }
            Ok(())
        }
        News::Load { .. } => Ok(()),
        News::Alert(alert) => writeln!(out, "alert: {alert:?}"),
        News::Throughput(count) => writeln!(out, "{count} samples in the last second"),
    }
}

fn json_line(out: &mut impl Write, news: &News) -> std::io::Result<()> {
    let value = match news {
        News::Table(rows) => json!({
            "table": rows.iter().map(|row| json!({
                "what": row.tag.kind.name(),
                "of": row.tag.of,
                "unit": row.tag.kind.unit(),
                "mean": row.mean,
                "peak": row.peak,
            })).collect::<Vec<_>>()
        }),
        News::Load { mean, peak } => json!({ "load": { "mean": mean, "peak": peak } }),
        News::Alert(alert) => json!({ "alert": format!("{alert:?}") }),
        News::Throughput(count) => json!({ "samples_in_last_second": count }),
    };
    writeln!(out, "{value}")
}
