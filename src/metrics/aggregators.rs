//! The aggregators of a metric, whatever their types: one column of states each, a row for each set of
//! tags.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::described::Role;
use super::outcome::{IntoOutcome, Outcome};
use super::sample::Sample;
use super::value::Value;
use crate::aggregate::{Aggregate, ApproxQuantile, Count, Last, Median, Quantile, Sum};

/// An aggregator with its name.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) name: Arc<str>,
    pub(super) role: Role,
    /// Whether it keeps the values themselves, so that what it holds grows with each of them.
    pub(super) keeps_values: bool,
    /// Whether it is the value that came last.
    pub(super) is_last: bool,
    aggregator: Arc<dyn Aggregator>,
}

impl Named {
    pub(super) fn incremental<A>(name: Arc<str>, aggregate: A) -> Named
    where
        A: Aggregate<Value, Output: IntoOutcome> + Clone + Sync,
    {
        let any: &dyn Any = &aggregate;
        let role = if any.is::<Sum>() {
            Role::Sum
        } else if any.is::<Count>() {
            Role::Count
        } else if any.is::<Median>() {
            Role::Quantile(0.5)
        } else if let Some(quantile) = any.downcast_ref::<Quantile>() {
            Role::Quantile(*quantile.levels())
        } else if let Some(quantile) = any.downcast_ref::<ApproxQuantile>() {
            Role::Quantile(*quantile.levels())
        } else {
            Role::Figure
        };
        Named {
            name,
            role,
            keeps_values: any.is::<Median>() || any.is::<Quantile>(),
            is_last: any.is::<Last>(),
            aggregator: Arc::new(Incremental(aggregate)),
        }
    }

    pub(super) fn of_values<O, F>(name: Arc<str>, f: F) -> Named
    where
        O: IntoOutcome + 'static,
        F: Fn(&[Value]) -> O + Send + Sync + 'static,
    {
        Named {
            name,
            role: Role::Figure,
            keeps_values: true,
            is_last: false,
            aggregator: Arc::new(OfValues(Arc::new(move |values: &[Value]| {
                f(values).into_outcome()
            }))),
        }
    }

    pub(super) fn column(&self) -> Box<dyn Column> {
        self.aggregator.column()
    }
}

/// Begins columns.
trait Aggregator: Send + Sync + 'static {
    fn column(&self) -> Box<dyn Column>;
}

/// Which rows samples are of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    /// All of one.
    All(usize),
    /// Each of its own: there are as many as samples.
    Each(&'a [u32]),
}

/// What one aggregator knows of each set of tags. Rows are numbered in the order in which they began.
pub(super) trait Column: Any + Send {
    /// Takes samples into their rows, of which there are `count` by now. A row begins with its first
    /// sample.
    ///
    /// All that came together at once: the call by a table of functions, and what a panic is caught
    /// by, are for many.
    fn add(&mut self, count: usize, rows: Rows<'_>, samples: &[Sample]);

    /// Takes a row of another column of the same aggregator into a row, or begins the next one by it.
    fn merge(&mut self, row: Option<usize>, other: &dyn Column, from: usize);

    /// What a row comes to.
    fn outcome(&self, row: usize) -> Outcome;

    fn copy(&self) -> Box<dyn Column>;
}

/// A closure of the user's may panic: that is a failure of this aggregator and of this set of tags.
pub(super) fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| format!("the aggregator panicked: {}", panic_text(&*panic)))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_default()
}

struct Incremental<A>(A);

impl<A> Aggregator for Incremental<A>
where
    A: Aggregate<Value, Output: IntoOutcome> + Clone + Sync,
{
    fn column(&self) -> Box<dyn Column> {
        Box::new(States {
            aggregate: self.0.clone(),
            rows: Vec::new(),
        })
    }
}

/// What is known of each row.
struct States<A: Aggregate<Value>> {
    aggregate: A,
    rows: Vec<Row<A::State>>,
}

#[derive(Clone)]
enum Row<S> {
    /// Its first value is yet to come.
    New,
    State(S),
    /// The aggregate panicked over it, and said so.
    Broken(String),
}

impl<S> Row<S> {
    #[inline]
    fn add<A: Aggregate<Value, State = S>>(&mut self, aggregate: &A, value: &Value) {
        match self {
            Row::State(state) => aggregate.add(state, value),
            Row::New => *self = Row::State(aggregate.lift(value)),
            Row::Broken(_) => {}
        }
    }

    #[inline]
    fn add_all<A: Aggregate<Value, State = S>>(&mut self, aggregate: &A, samples: &[Sample]) {
        let mut values = samples.iter().map(Sample::value);
        if let Row::New = self
            && let Some(first) = values.next()
        {
            *self = Row::State(aggregate.lift(&first));
        }
        if let Row::State(state) = self {
            values.for_each(|value| aggregate.add(state, &value));
        }
    }
}

impl<A> Column for States<A>
where
    A: Aggregate<Value, Output: IntoOutcome> + Clone + Sync,
{
    fn add(&mut self, count: usize, rows: Rows<'_>, samples: &[Sample]) {
        let States {
            aggregate,
            rows: states,
        } = self;
        states.resize_with(count.max(states.len()), || Row::New);
        match rows {
            Rows::All(row) => {
                let state = &mut states[row];
                // What a panic leaves of a state is not looked at any more.
                if let Err(panic) = guarded(|| state.add_all(aggregate, samples)) {
                    *state = Row::Broken(panic);
                }
            }
            Rows::Each(rows) => {
                let mut rest = rows.iter().zip(samples);
                let mut row = 0;
                // Goes on behind the value over which it panicked.
                while let Err(panic) = guarded(|| {
                    for (at, sample) in rest.by_ref() {
                        row = *at as usize;
                        states[row].add(aggregate, &sample.value());
                    }
                }) {
                    states[row] = Row::Broken(panic);
                }
            }
        }
    }

    fn merge(&mut self, row: Option<usize>, other: &dyn Column, from: usize) {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<States<A>>() else {
            return;
        };
        let States { aggregate, rows } = self;
        let Some(row) = row else {
            return rows.push(other.rows[from].clone());
        };
        let left = &mut rows[row];
        match (&mut *left, &other.rows[from]) {
            (Row::Broken(_), _) | (_, Row::New) => {}
            (Row::State(state), Row::State(right)) => {
                if let Err(panic) = guarded(|| aggregate.merge(state, right)) {
                    *left = Row::Broken(panic);
                }
            }
            (_, right) => *left = right.clone(),
        }
    }

    fn outcome(&self, row: usize) -> Outcome {
        match &self.rows[row] {
            Row::State(state) => guarded(|| self.aggregate.finish(state).into_outcome())?,
            Row::Broken(panic) => Err(panic.clone().into()),
            Row::New => Ok(None),
        }
    }

    fn copy(&self) -> Box<dyn Column> {
        Box::new(States {
            aggregate: self.aggregate.clone(),
            rows: self.rows.clone(),
        })
    }
}

type Function = dyn Fn(&[Value]) -> Outcome + Send + Sync;

struct OfValues(Arc<Function>);

impl Aggregator for OfValues {
    fn column(&self) -> Box<dyn Column> {
        Box::new(Values {
            function: self.0.clone(),
            rows: Vec::new(),
        })
    }
}

/// All values of a row.
struct Values {
    function: Arc<Function>,
    rows: Vec<Vec<Value>>,
}

impl Column for Values {
    fn add(&mut self, count: usize, rows: Rows<'_>, samples: &[Sample]) {
        self.rows.resize_with(count.max(self.rows.len()), Vec::new);
        match rows {
            Rows::All(row) => self.rows[row].extend(samples.iter().map(Sample::value)),
            Rows::Each(rows) => {
                for (row, sample) in rows.iter().zip(samples) {
                    self.rows[*row as usize].push(sample.value());
                }
            }
        }
    }

    fn merge(&mut self, row: Option<usize>, other: &dyn Column, from: usize) {
        let other: &dyn Any = other;
        if let Some(other) = other.downcast_ref::<Values>() {
            let values = &other.rows[from];
            match row {
                Some(row) => self.rows[row].extend(values),
                None => self.rows.push(values.clone()),
            }
        }
    }

    fn outcome(&self, row: usize) -> Outcome {
        guarded(|| (self.function)(&self.rows[row]))?
    }

    fn copy(&self) -> Box<dyn Column> {
        Box::new(Values {
            function: self.function.clone(),
            rows: self.rows.clone(),
        })
    }
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Named").field(&self.name).finish()
    }
}
