//! Questions in InfluxQL, and their answers, page by page.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::answer::read_time;
use crate::timeseries::PointValue;
use crate::timeseries::kairosdb::{AnyValue, Order};

/// So many points are asked for at once.
pub(super) const PAGE: usize = 20_000;

/// What is asked of one metric.
pub(super) struct Question<'a> {
    pub(super) uuid: &'a str,
    pub(super) metric: &'a str,
    pub(super) aggregate: Option<(&'a str, Duration)>,
    pub(super) order: Order,
    /// As text; the first is part of it, the last is not.
    pub(super) from: String,
    pub(super) to: String,
}

/// In quotes of this kind; what would end them is escaped.
fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\n' => quoted.push_str("\\n"),
            '\\' => quoted.push_str("\\\\"),
            letter if letter == quote => quoted.extend(['\\', quote]),
            letter => quoted.push(letter),
        }
    }
    quoted.push(quote);
    quoted
}

impl Question<'_> {
    /// Where one page is asked. `last` is the time of the last point of the page before, as it came.
    pub(super) fn url(&self, query: &Url, last: Option<&str>) -> Url {
        let (mut from, mut to) = (
            format!("time >= '{}'", self.from),
            format!("time < '{}'", self.to),
        );
        match (last, self.order) {
            (Some(last), Order::Ascending) => from = format!("time >= {}", quoted(last, '\'')),
            (Some(last), Order::Descending) => to = format!("time <= {}", quoted(last, '\'')),
            (None, _) => {}
        }
        let (what, group) = match self.aggregate {
            Some((function, every)) => (
                format!("{function}(\"value\")"),
                format!(" GROUP BY time({}ms) fill(none)", every.as_millis()),
            ),
            None => ("\"value\"".to_owned(), String::new()),
        };
        let order = match self.order {
            Order::Ascending => "ASC",
            Order::Descending => "DESC",
        };
        let (metric, uuid) = (quoted(self.metric, '"'), quoted(self.uuid, '\''));
        let text = format!(
            "SELECT {what} FROM {metric} WHERE (\"uuid\" = {uuid}) AND {from} AND {to}{group} \
             ORDER BY time {order} LIMIT {PAGE}"
        );
        let mut url = query.clone();
        url.query_pairs_mut().append_pair("q", &text);
        url
    }
}

/// As it comes.
#[derive(Deserialize)]
pub(super) struct Page {
    results: Option<Vec<Outcome>>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    series: Vec<Rows>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Rows {
    values: Vec<(String, AnyValue)>,
}

/// The points of one metric, as far as they have come.
#[derive(Default)]
pub(super) struct Pages {
    pub(super) values: Vec<(i64, PointValue)>,
    /// The time of the last point, as it came, and how many points of that time there are.
    last: Option<(String, usize)>,
}

/// Why an answer is none.
pub(super) enum Wrong {
    /// The service says so.
    Said(String),
    /// A time, or an order, that can't be.
    Odd(String),
}

impl Pages {
    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_ref().map(|(time, _)| &**time)
    }

    /// Takes in a page; says whether there may be another one.
    pub(super) fn take(&mut self, page: Page) -> Result<bool, Wrong> {
        if let Some(error) = page.error {
            return Err(Wrong::Said(error));
        }
        let nothing = || Wrong::Odd("there are no `results` in the answer".to_owned());
        let mut results = page.results.ok_or_else(nothing)?;
        if let Some(error) = results.iter_mut().find_map(|outcome| outcome.error.take()) {
            return Err(Wrong::Said(error));
        }
        let rows = results.into_iter().flat_map(|outcome| outcome.series);
        let rows: Vec<_> = rows.flat_map(|rows| rows.values).collect();
        let full = rows.len() >= PAGE;
        // The next page begins with the points of the last time once more.
        let (known, mut skip) = self.last.clone().unwrap_or_default();
        let before = self.values.len();
        for (time, AnyValue(value)) in rows {
            if skip > 0 && time == known {
                skip -= 1;
                continue;
            }
            let millis = read_time(&time).map_err(|error| Wrong::Odd(error.to_string()))?;
            self.values.push((millis, value));
            match &mut self.last {
                Some((last, count)) if *last == time => *count += 1,
                last => *last = Some((time, 1)),
            }
        }
        if full && self.values.len() == before {
            let why = format!(
                "{PAGE} points have the same time, {known:?}: what is behind can't be asked for"
            );
            return Err(Wrong::Odd(why));
        }
        Ok(full)
    }
}
