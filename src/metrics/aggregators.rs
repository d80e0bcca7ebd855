//! The aggregators of a metric, whatever their types: one column of states each, a row for each set of
//! tags.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::described::Role;
use super::outcome::{IntoOutcome, Outcome};
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

/// What one aggregator knows of each set of tags. Rows are numbered in the order in which they began.
pub(super) trait Column: Any + Send {
    /// Begins the next row.
    fn begin(&mut self, value: &Value);

    /// Takes one more value into a row.
    fn add(&mut self, row: usize, value: &Value);

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

/// A state a row, or how the aggregate panicked over it.
struct States<A: Aggregate<Value>> {
    aggregate: A,
    rows: Vec<Result<A::State, String>>,
}

impl<A: Aggregate<Value>> States<A> {
    /// Changes a row. What a panic leaves of it is not looked at any more.
    #[inline]
    fn change(&mut self, row: usize, change: impl FnOnce(&A, &mut A::State)) {
        let States { aggregate, rows } = self;
        if let Ok(state) = &mut rows[row]
            && let Err(panic) = guarded(|| change(aggregate, state))
        {
            rows[row] = Err(panic);
        }
    }
}

impl<A> Column for States<A>
where
    A: Aggregate<Value, Output: IntoOutcome> + Clone + Sync,
{
    fn begin(&mut self, value: &Value) {
        self.rows.push(guarded(|| self.aggregate.lift(value)));
    }

    #[inline]
    fn add(&mut self, row: usize, value: &Value) {
        self.change(row, |aggregate, state| aggregate.add(state, value));
    }

    fn merge(&mut self, row: Option<usize>, other: &dyn Column, from: usize) {
        let other: &dyn Any = other;
        if let Some(other) = other.downcast_ref::<States<A>>() {
            match (row, &other.rows[from]) {
                (Some(row), Ok(state)) => {
                    self.change(row, |aggregate, left| aggregate.merge(left, state));
                }
                (Some(row), Err(panic)) => self.rows[row] = Err(panic.clone()),
                (None, state) => self.rows.push(state.clone()),
            }
        }
    }

    fn outcome(&self, row: usize) -> Outcome {
        let state = self.rows[row].as_ref().map_err(String::clone)?;
        guarded(|| self.aggregate.finish(state).into_outcome())?
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
    fn begin(&mut self, value: &Value) {
        self.rows.push(vec![*value]);
    }

    fn add(&mut self, row: usize, value: &Value) {
        self.rows[row].push(*value);
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
