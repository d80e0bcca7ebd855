//! Tables in print.

use std::collections::VecDeque;
use std::fmt;

use arrow_array::ArrayRef;
use unicode_width::UnicodeWidthStr;

use super::arrays::{self, Column};
use super::moment::printed;
use super::table::Table;
use crate::metrics::Value;
use crate::timeseries::PointValue;

/// How wide a table is, and how many rows it has, unless the format says otherwise.
const WIDTH: usize = 100;
const ROWS: usize = 20;
/// Longer text is cut.
const LONGEST: usize = 32;
/// Between columns.
const SPACE: usize = 2;
const GAP: &str = "·";
const CUT: &str = "…";

/// A column as it is printed.
struct Printed {
    title: String,
    /// One for each row that is shown.
    cells: Vec<String>,
    right: bool,
    width: usize,
}

impl Printed {
    fn new(title: &str, cells: Vec<String>, right: bool, whole: bool) -> Printed {
        let title = fitted(title, whole);
        let widths = cells.iter().map(|cell| cell.width());
        let width = widths.chain([title.width(), 1]).max().unwrap_or(1);
        Printed {
            title,
            cells,
            right,
            width,
        }
    }

    /// Stands for columns that are not shown.
    fn cut(rows: usize) -> Printed {
        Printed::new(CUT, vec![CUT.to_owned(); rows], false, true)
    }

    fn write(&self, text: &str, last: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = self.width - text.width().min(self.width);
        match (self.right, last) {
            (true, _) => write!(f, "{:room$}{text}", ""),
            // No spaces at the end of a line.
            (false, true) => f.write_str(text),
            (false, false) => write!(f, "{text}{:room$}", ""),
        }
    }
}

/// Without what would break the line, and not too long.
fn fitted(text: &str, whole: bool) -> String {
    let is_control = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut fitted = String::with_capacity(text.len().min(4 * LONGEST));
    for c in text.chars() {
        match is_control(c) {
            true => fitted.extend(c.escape_default()),
            false => fitted.push(c),
        }
        if !whole && too_long(&fitted) {
            while fitted.width() >= LONGEST {
                fitted.pop();
            }
            fitted.push_str(CUT);
            break;
        }
    }
    fitted
}

/// Too wide, or of many letters that have no width.
fn too_long(text: &str) -> bool {
    text.len() > LONGEST && (text.width() > LONGEST || text.chars().count() > 4 * LONGEST)
}

/// With six digits at least; what is shorter in full is written in full.
fn float(float: f64, whole: bool) -> String {
    let full = format!("{float:?}");
    if whole || full.len() <= 9 || !float.is_finite() {
        return full;
    }
    let size = float.abs();
    if !(1e-4..1e12).contains(&size) {
        return format!("{float:.5e}");
    }
    // Digits in front of the point, at most 12.
    let digits = size.log10().floor() as i32 + 1;
    let behind = usize::try_from(6 - digits).unwrap_or(0).max(1);
    let rounded = format!("{float:.behind$}");
    let rounded = rounded.trim_end_matches('0');
    match rounded.ends_with('.') {
        true => format!("{rounded}0"),
        false => rounded.to_owned(),
    }
}

fn cell(array: &ArrayRef, row: usize, whole: bool) -> String {
    match arrays::value(array, row) {
        PointValue::Null => GAP.to_owned(),
        PointValue::Number(Value::Int(int)) => int.to_string(),
        PointValue::Number(Value::Float(number)) => float(number, whole),
        PointValue::Text(text) => fitted(&text, whole),
    }
}

/// In lines for a terminal: 20 rows, and as many columns as fit into 100 characters, from both ends; the last line
/// counts all. `{:120.50}` is 120 characters wide and has 50 rows, `{:#}` has everything in full. Gaps are `·`,
/// times are in UTC.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = f.alternate();
        let (width, most) = match whole {
            true => (usize::MAX, usize::MAX),
            false => (f.width().unwrap_or(WIDTH), f.precision().unwrap_or(ROWS)),
        };
        let (head, tail) = match self.len() <= most {
            true => (self.len(), 0),
            false => (most.div_ceil(2), most / 2),
        };
        let shown = || (0..head).chain(self.len() - tail..self.len());
        let millis = shown().any(|row| self.times()[row].rem_euclid(1_000) != 0);
        let times = shown().map(|row| printed(self.times()[row], millis));
        let times = Printed::new(self.time_name(), times.collect(), false, whole);
        let columns = self.names().zip(self.columns()).map(|(name, array)| {
            let cells = shown().map(|row| cell(array, row, whole)).collect();
            let right = !matches!(Column::of(array), Some(Column::Text(_)));
            Printed::new(name, cells, right, whole)
        });
        let (columns, hidden) = within(width, times, columns.collect());
        let line = |f: &mut fmt::Formatter<'_>, text: &dyn Fn(&Printed) -> String| {
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    write!(f, "{:SPACE$}", "")?;
                }
                column.write(&text(column), at + 1 == columns.len(), f)?;
            }
            writeln!(f)
        };
        line(f, &|column| column.title.clone())?;
        line(f, &|column| "─".repeat(column.width))?;
        for row in 0..head + tail {
            if row == head && self.len() > most {
                line(f, &|_| CUT.to_owned())?;
            }
            line(f, &|column| column.cells[row].clone())?;
        }
        if tail == 0 && self.len() > most {
            line(f, &|_| CUT.to_owned())?;
        }
        let (rows, all) = (self.len(), self.columns().len());
        let s = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{rows} row{}", s(rows))?;
        if rows > most {
            write!(f, " ({} shown)", head + tail)?;
        }
        write!(f, ", {all} column{}", s(all))?;
        if hidden > 0 {
            write!(f, " ({} shown)", all - hidden)?;
        }
        writeln!(f, "; times in UTC")
    }
}

/// As many columns as there is room for, from both ends, and how many are left out.
fn within(width: usize, times: Printed, mut columns: Vec<Printed>) -> (Vec<Printed>, usize) {
    let all: usize = columns.iter().map(|column| column.width + SPACE).sum();
    let (rows, all_columns) = (times.cells.len(), columns.len());
    let mut room = width.saturating_sub(times.width);
    let mut front = vec![times];
    if all <= room {
        front.append(&mut columns);
        return (front, 0);
    }
    room = room.saturating_sub(1 + SPACE);
    let mut back = Vec::new();
    let mut rest = VecDeque::from(columns);
    loop {
        let at_front = front.len() - 1 <= back.len();
        let (next, side) = match at_front {
            true => (rest.pop_front(), &mut front),
            false => (rest.pop_back(), &mut back),
        };
        match next {
            Some(column) if column.width + SPACE <= room => {
                room -= column.width + SPACE;
                side.push(column);
            }
            _ => break,
        }
    }
    let shown = front.len() - 1 + back.len();
    front.push(Printed::cut(rows));
    front.extend(back.into_iter().rev());
    (front, all_columns - shown)
}
