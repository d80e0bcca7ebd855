//! Points as JSON, gathered to requests.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::unfit::Unfit;
use crate::metrics::{TagValue, Tags, Value};
use crate::timeseries::{Point, PointValue};

/// The longest number has fewer letters.
const NUMBER: usize = 32;
/// What a series begins with has fewer, as a rule, besides the metric's name.
const HEAD: usize = 120;
/// How much memory for series may stay from one request to the next.
const KEPT: usize = 4 << 20;

/// How requests are made of points.
#[derive(Debug, Clone)]
pub(super) struct Format {
    /// Tags of every point.
    pub(super) tags: Tags,
    /// After so long the store forgets.
    pub(super) ttl: Option<Duration>,
    pub(super) max_points: usize,
    pub(super) max_bytes: usize,
}

/// The points of one request, series by series.
///
/// Within a series they keep their order, so that of two at the same time the later one holds.
#[derive(Debug)]
pub(super) struct Encoder<'f> {
    format: &'f Format,
    series: Vec<Series>,
    known: HashTable<usize>,
    /// Where the last point went.
    last: usize,
    /// The last point's time, and how a point of that time begins: `,[1700000000000,`. Where series take
    /// turns, the next one has it too.
    millis: (i64, Vec<u8>),
    points: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Series {
    metric: Arc<str>,
    tags: Tags,
    kind: Kind,
    /// What is the same in each request.
    head: Vec<u8>,
    points: Vec<u8>,
}

/// Numbers and texts don't go together: a text says that it is one, as the store takes `"12"` for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Number,
    Text,
}

impl Series {
    #[inline]
    fn is(&self, point: &Point, kind: Kind) -> bool {
        self.kind == kind
            && self.tags == *point.tags()
            && (Arc::ptr_eq(&self.metric, point.metric_arc()) || *self.metric == *point.metric())
    }
}

fn hash(metric: &str, tags: &Tags, kind: Kind) -> u64 {
    let mut hasher = FxHasher::default();
    (metric, tags, kind).hash(&mut hasher);
    hasher.finish()
}

impl<'f> Encoder<'f> {
    pub(super) fn new(format: &'f Format) -> Encoder<'f> {
        Encoder {
            format,
            series: Vec::new(),
            known: HashTable::new(),
            last: 0,
            millis: (0, b",[0,".to_vec()),
            points: 0,
            bytes: 2,
        }
    }

    /// How many points there are.
    pub(super) fn points(&self) -> usize {
        self.points
    }

    /// Adds a point, if there is room for it: there always is for one.
    pub(super) fn push(&mut self, point: &Point) -> Result<bool, Unfit> {
        Unfit::value(point.value())?;
        let kind = match point.value() {
            PointValue::Text(_) => Kind::Text,
            _ => Kind::Number,
        };
        let at = match self.find(point, kind) {
            Some(at) => at,
            None => self.insert(point, kind)?,
        };
        let series = &mut self.series[at];
        let before = series.points.len();
        let mut bytes = self.bytes;
        if before == 0 {
            // With what separates series, and ends this one.
            bytes += series.head.len() + 3;
        }
        if point.millis() != self.millis.0 {
            self.millis.0 = point.millis();
            self.millis.1.truncate(2);
            json(&mut self.millis.1, &point.millis());
            self.millis.1.push(b',');
        }
        // What separates it from the one before.
        let begin = usize::from(before == 0);
        datapoint(&mut series.points, &self.millis.1[begin..], point.value());
        bytes += series.points.len() - before;
        let fits = self.points < self.format.max_points && bytes <= self.format.max_bytes;
        if self.points > 0 && !fits {
            series.points.truncate(before);
            return Ok(false);
        }
        self.last = at;
        self.points += 1;
        self.bytes = bytes;
        Ok(true)
    }

    fn find(&self, point: &Point, kind: Kind) -> Option<usize> {
        if self.series.get(self.last)?.is(point, kind) {
            return Some(self.last);
        }
        // Series that take turns do so in the same order, as a rule.
        let next = if self.last + 1 < self.series.len() {
            self.last + 1
        } else {
            0
        };
        if self.series[next].is(point, kind) {
            return Some(next);
        }
        let hash = hash(point.metric(), point.tags(), kind);
        let same = |&at: &usize| self.series[at].is(point, kind);
        self.known.find(hash, same).copied()
    }

    /// Out of line: most points find their series.
    #[cold]
    #[inline(never)]
    fn insert(&mut self, point: &Point, kind: Kind) -> Result<usize, Unfit> {
        let at = self.series.len();
        self.series.push(Series {
            metric: point.metric_arc().clone(),
            tags: point.tags().clone(),
            kind,
            head: head(point, kind, self.format)?,
            points: Vec::new(),
        });
        let series = &self.series;
        let rehash = |&at: &usize| hash(&series[at].metric, &series[at].tags, series[at].kind);
        self.known.insert_unique(rehash(&at), at, rehash);
        Ok(at)
    }

    /// The request's body; the next request begins.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes);
        let mut kept = 0;
        for series in &mut self.series {
            kept += series.head.capacity() + series.points.capacity();
            if series.points.is_empty() {
                continue;
            }
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(&series.head);
            body.append(&mut series.points);
            body.extend_from_slice(b"]}");
        }
        body.push(b']');
        // Series come again in the next request, as a rule; where they don't, they are not to pile up.
        if kept > KEPT {
            self.series.clear();
            self.known.clear();
        }
        self.points = 0;
        self.bytes = 2;
        body
    }
}

/// Whether a point can be stored with these tags of all points, whose values hold.
pub(super) fn check(point: &Point, common: &Tags) -> Result<(), Unfit> {
    Unfit::name(point.metric())?;
    if let Err(why) = Unfit::tags(point.tags()) {
        match common.is_empty() {
            true => return Err(why),
            false => Unfit::tags(&point.tags().merged(common))?,
        }
    }
    Unfit::value(point.value())
}

/// Writing JSON of texts, numbers and maps of them to memory does not fail.
fn json<T: serde::Serialize + ?Sized>(to: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(to, value);
}

/// `{"name":"m","tags":{"host":"a"},"datapoints":[`
fn head(point: &Point, kind: Kind, format: &Format) -> Result<Vec<u8>, Unfit> {
    Unfit::name(point.metric())?;
    let tags = point.tags().merged(&format.tags);
    Unfit::tags(&tags)?;
    let mut to = Vec::with_capacity(point.metric().len() + HEAD);
    to.extend_from_slice(b"{\"name\":");
    json(&mut to, point.metric());
    to.extend_from_slice(b",\"tags\":{");
    for (at, (name, value)) in tags.iter().enumerate() {
        if at > 0 {
            to.push(b',');
        }
        json(&mut to, name);
        to.push(b':');
        match value {
            TagValue::Str(text) => json(&mut to, &**text),
            other => json(&mut to, &other.to_string()),
        }
    }
    to.push(b'}');
    if kind == Kind::Text {
        to.extend_from_slice(b",\"type\":\"string\"");
    }
    if let Some(ttl) = format.ttl {
        to.extend_from_slice(b",\"ttl\":");
        json(
            &mut to,
            &ttl.as_secs()
                .saturating_add(u64::from(ttl.subsec_nanos() > 0)),
        );
    }
    to.extend_from_slice(b",\"datapoints\":[");
    Ok(to)
}

/// `[1700000000000,21.5]`, of which the beginning is given.
#[inline]
fn datapoint(to: &mut Vec<u8>, begin: &[u8], value: &PointValue) {
    let room = begin.len() + NUMBER;
    if to.capacity() - to.len() < room {
        // In few steps: a request of a hundred series grows as many lists, each from nothing.
        to.reserve(4 * room + 2 * to.len());
    }
    to.extend_from_slice(begin);
    match value {
        PointValue::Number(Value::Int(int)) => json(to, int),
        PointValue::Number(Value::Float(float)) => double(to, *float),
        PointValue::Text(text) => json(to, &**text),
        PointValue::Null => {}
    }
    to.push(b']');
}

/// A number with a point in it: without, the store takes it for an integer.
#[inline]
fn double(to: &mut Vec<u8>, float: f64) {
    let begin = to.len();
    json(to, &float);
    // With an exponent there may be none.
    if (1e-3..1e15).contains(&float.abs()) {
        return;
    }
    let digits = &to[begin..];
    if !digits.contains(&b'.') {
        let exponent = digits.iter().position(|&byte| byte == b'e');
        let at = begin + exponent.unwrap_or(digits.len());
        to.splice(at..at, *b".0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_have_a_point_and_are_read_back_as_they_were() {
        for float in [
            0.0,
            -0.0,
            3.0,
            1e300,
            -1e-300,
            5e-324,
            f64::MAX,
            1e16,
            0.1,
            1e21,
            1e-3,
            0.000_999,
            1e15,
            1e15_f64.next_down(),
            -123_456.0,
        ] {
            let mut text = Vec::new();
            double(&mut text, float);
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains('.'), "{text}");
            assert_eq!(
                text.parse::<f64>().unwrap().to_bits(),
                float.to_bits(),
                "{text}"
            );
        }
    }
}
