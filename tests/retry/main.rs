//! Failed attempts are repeated, on the graph's clock and in their place, with a clone of the element or
//! with the same one, in sinks too; what fails for good can go to a flow of its own.

#[path = "../words/mod.rs"]
mod words;

mod attempts;
mod dead_letters;
mod delays;
mod endings;
mod lending;
mod lending_endings;
mod random_attempts;
mod random_failures;
mod sinks;
mod surroundings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Ready, ready};
use headwater::BoxFuture;
use headwater::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// A step that fails each element so many times, and counts the attempts.
#[derive(Clone, Default)]
struct Flaky {
    failures: Arc<HashMap<u32, u32>>,
    attempts: Arc<Mutex<Vec<u32>>>,
}

impl Flaky {
    fn new(failures: impl IntoIterator<Item = (u32, u32)>) -> Flaky {
        Flaky {
            failures: Arc::new(failures.into_iter().collect()),
            attempts: Arc::default(),
        }
    }

    fn attempt(&self, x: u32) -> Result<u32, BoxError> {
        let mut attempts = self.attempts.lock().unwrap();
        attempts.push(x);
        let nth = attempts.iter().filter(|y| **y == x).count() as u32;
        match nth <= self.failures.get(&x).copied().unwrap_or(0) {
            true => Err(format!("attempt {nth} at {x}").into()),
            false => Ok(x),
        }
    }

    fn step(&self) -> impl FnMut(u32) -> Ready<Result<u32, BoxError>> + use<> {
        let this = self.clone();
        move |x| ready(this.attempt(x))
    }

    /// The same for who is lent the element.
    fn lent(&self) -> impl for<'a> FnMut(&'a u32) -> BoxFuture<'a, Result<u32, BoxError>> + use<> {
        let this = self.clone();
        move |x| Box::pin(ready(this.attempt(*x)))
    }

    fn write(&self) -> impl FnMut(u32) -> Ready<Result<(), BoxError>> + use<> {
        let this = self.clone();
        move |x| ready(this.attempt(x).map(drop))
    }

    fn lent_write(
        &self,
    ) -> impl for<'a> FnMut(&'a u32) -> BoxFuture<'a, Result<(), BoxError>> + use<> {
        let this = self.clone();
        move |x| Box::pin(ready(this.attempt(*x).map(drop)))
    }

    fn attempts_at(&self, x: u32) -> usize {
        let attempts = self.attempts.lock().unwrap();
        attempts.iter().filter(|y| **y == x).count()
    }

    fn count(&self) -> usize {
        self.attempts.lock().unwrap().len()
    }
}
