//! Lists of metrics in CSV.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};

const HEADER: [&str; 2] = ["selector", "metricalias"];

/// A metric, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedMetric {
    /// The metric.
    pub selector: String,
    /// What it is called.
    pub alias: String,
}

/// A metric that is called what it is.
impl From<&str> for NamedMetric {
    fn from(name: &str) -> NamedMetric {
        name.to_owned().into()
    }
}

/// A metric that is called what it is.
impl From<String> for NamedMetric {
    fn from(name: String) -> NamedMetric {
        NamedMetric {
            selector: name.clone(),
            alias: name,
        }
    }
}

/// A metric, and what it is called.
impl<S: Into<String>, A: Into<String>> From<(S, A)> for NamedMetric {
    fn from((selector, alias): (S, A)) -> NamedMetric {
        NamedMetric {
            selector: selector.into(),
            alias: alias.into(),
        }
    }
}

/// A list of metrics, in the CSV that Proficloud's dashboards take: fields separated by `;`, the header
/// `selector;metricalias`, a line for each metric.
///
/// ```
/// use headwater::timeseries::proficloud::MetricsCsv;
///
/// let list = MetricsCsv::new(["temperature", "pressure; hall"]);
/// let mut text = Vec::new();
/// list.write(&mut text)?;
/// assert_eq!(
///     String::from_utf8(text.clone())?,
///     "selector;metricalias\ntemperature;temperature\n\"pressure; hall\";\"pressure; hall\"\n"
/// );
/// assert_eq!(MetricsCsv::read(&text[..])?, list);
///
/// let error = MetricsCsv::read("selector;metricalias\na;a\nb\n".as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "line 3: 1 field instead of 2, `selector;metricalias`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[doc(alias = "generateMetricsCsv")]
pub struct MetricsCsv {
    /// The metrics, in the order of their lines.
    pub metrics: Vec<NamedMetric>,
}

/// A list of metrics can't be read, or written.
#[derive(Debug, Clone)]
pub struct CsvError {
    line: Option<u64>,
    problem: CsvProblem,
}

/// What is wrong with a list of metrics.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CsvProblem {
    /// There is nothing, not even a header.
    Empty,
    /// The first line is another one than `selector;metricalias`.
    Header(String),
    /// So many fields, where there should be two.
    Fields(usize),
    /// The field of this name is empty.
    EmptyField(&'static str),
    /// A quote begins here that never ends.
    Unclosed,
    /// It is no text in UTF-8.
    NotText,
    /// It can't be read or written.
    Io(Arc<io::Error>),
}

impl CsvError {
    fn new(line: Option<u64>, problem: CsvProblem) -> CsvError {
        CsvError { line, problem }
    }

    /// In which line, counted from 1, where it is one.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &CsvProblem {
        &self.problem
    }
}

impl MetricsCsv {
    /// A list of names, or of pairs of a name and what it is called.
    pub fn new<M: Into<NamedMetric>>(metrics: impl IntoIterator<Item = M>) -> MetricsCsv {
        MetricsCsv {
            metrics: metrics.into_iter().map(Into::into).collect(),
        }
    }

    /// The names, as a query takes them.
    pub fn selectors(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().map(|metric| &*metric.selector)
    }

    /// Writes a list. Fields are quoted where they must be.
    ///
    /// # Errors
    /// If a field is empty, or it can't be written. What is empty is found before anything is written.
    pub fn write(&self, out: impl Write) -> Result<(), CsvError> {
        self.check()?;
        let mut writer = WriterBuilder::new().delimiter(b';').from_writer(out);
        let rows = self.metrics.iter();
        let rows = rows.map(|metric| [&*metric.selector, &*metric.alias]);
        for row in std::iter::once(HEADER).chain(rows) {
            writer.write_record(row).map_err(of_csv)?;
        }
        let flushed = writer.flush();
        flushed.map_err(|error| CsvError::new(None, CsvProblem::Io(Arc::new(error))))
    }

    /// Writes a list into a file; what was in it is gone.
    ///
    /// # Errors
    /// As [`write`](MetricsCsv::write); if a field is empty the file stays as it was.
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<(), CsvError> {
        self.check()?;
        self.write(File::create(path).map_err(of_io)?)
    }

    fn check(&self) -> Result<(), CsvError> {
        let mut lines = (2..).zip(&self.metrics);
        lines.try_for_each(|(line, metric)| filled(line, [&metric.selector, &metric.alias]))
    }

    /// Reads a list. A byte order mark, empty lines, and either kind of line end are fine.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub fn read(text: impl Read) -> Result<MetricsCsv, CsvError> {
        // What comes last is known, and is not if a quote before it never ends.
        let text = BufReader::new(text.chain(&b"\nend;of it\n"[..]));
        let mut reader = ReaderBuilder::new()
            .delimiter(b';')
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        let mut list = None;
        let mut next = StringRecord::new();
        let mut record = StringRecord::new();
        while reader.read_record(&mut next).map_err(of_csv)? {
            if !record.is_empty() {
                take(&mut list, &record)?;
            }
            std::mem::swap(&mut record, &mut next);
        }
        if record.iter().ne(["end", "of it"]) {
            return Err(CsvError::new(Some(line(&record)), CsvProblem::Unclosed));
        }
        list.ok_or(CsvError::new(None, CsvProblem::Empty))
    }

    /// Reads a list from a file.
    ///
    /// # Errors
    /// As [`read`](MetricsCsv::read).
    pub fn read_file(path: impl AsRef<Path>) -> Result<MetricsCsv, CsvError> {
        MetricsCsv::read(File::open(path).map_err(of_io)?)
    }
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(1, csv::Position::line)
}

/// One line more; the first is the header.
fn take(list: &mut Option<MetricsCsv>, record: &StringRecord) -> Result<(), CsvError> {
    let line = line(record);
    let wrong = |problem| Err(CsvError::new(Some(line), problem));
    let fields: Vec<&str> = record.iter().collect();
    let Some(list) = list else {
        if fields != HEADER {
            return wrong(CsvProblem::Header(fields.join(";")));
        }
        *list = Some(MetricsCsv::default());
        return Ok(());
    };
    let &[selector, alias] = &fields[..] else {
        return wrong(CsvProblem::Fields(fields.len()));
    };
    filled(line, [selector, alias])?;
    list.metrics.push((selector, alias).into());
    Ok(())
}

fn filled(line: u64, fields: [&str; 2]) -> Result<(), CsvError> {
    match HEADER.iter().zip(fields).find(|(_, text)| text.is_empty()) {
        Some((field, _)) => Err(CsvError::new(Some(line), CsvProblem::EmptyField(field))),
        None => Ok(()),
    }
}

fn of_io(error: io::Error) -> CsvError {
    CsvError::new(None, CsvProblem::Io(Arc::new(error)))
}

fn of_csv(error: csv::Error) -> CsvError {
    let line = error.position().map(csv::Position::line);
    CsvError::new(
        line,
        match error.into_kind() {
            csv::ErrorKind::Utf8 { .. } => CsvProblem::NotText,
            csv::ErrorKind::Io(error) => CsvProblem::Io(Arc::new(error)),
            other => CsvProblem::Io(Arc::new(io::Error::other(format!("{other:?}")))),
        },
    )
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match &self.problem {
            CsvProblem::Empty => f.write_str("there is nothing, not even `selector;metricalias`"),
            CsvProblem::Header(header) => write!(
                f,
                "the header is {header:?}, and should be `selector;metricalias`"
            ),
            CsvProblem::Fields(1) => f.write_str("1 field instead of 2, `selector;metricalias`"),
            CsvProblem::Fields(count) => {
                write!(f, "{count} fields instead of 2, `selector;metricalias`")
            }
            CsvProblem::EmptyField(field) => write!(f, "the {field} is empty"),
            CsvProblem::Unclosed => f.write_str("a quote begins here that never ends"),
            CsvProblem::NotText => f.write_str("it is no text in UTF-8"),
            CsvProblem::Io(error) => write!(f, "{error}"),
        }
    }
}

impl Error for CsvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            CsvProblem::Io(error) => Some(&**error),
            _ => None,
        }
    }
}
