//! `sink_async`: a future takes each element.

use std::future::Future;

use futures_core::future::BoxFuture;

use super::try_branch::{TryBranch, TryRefBranch};
use crate::engine::{BoxError, Branch, Done, Flight, Handover, Plan, Role, Workers, in_flight};
use crate::flow::{InGraph, Run};

/// Ends `run` in the futures that `work` makes. An end of its own, and not a `map_async` with a
/// sink behind it, so that the graph's picture shows what the user wrote.
fn end<R, F, J>(run: R, flight: Flight<R::Item>, work: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) -> J + InGraph,
    J: Future<Output = Result<(), BoxError>> + InGraph,
{
    let mut plan = Plan::new(run.graph());
    let how = (flight.unordered(), Role::End);
    in_flight::build(run, how, work, Done::end, &mut plan);
    plan.install()
}

/// As [`end`], with a policy that may come later.
fn try_end<R, F, J>(run: R, flight: Flight<R::Item>, work: F) -> TryBranch<R::Item>
where
    R: Run,
    F: FnMut(R::Item) -> J + InGraph,
    J: Future<Output = Result<(), BoxError>> + InGraph,
{
    let policy = Handover::default();
    let branch = end(run, flight.retry_later(policy.clone()), work);
    TryBranch::new(branch, policy)
}

#[track_caller]
pub(crate) fn sink_async<R, F, Fut>(run: R, n: usize, mut f: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) -> Fut + InGraph,
    Fut: Future<Output = ()> + InGraph,
{
    end(run, Flight::new("sink_async", n), move |item| {
        let write = f(item);
        async move {
            write.await;
            Ok(())
        }
    })
}

#[track_caller]
pub(crate) fn try_sink_async<R, F, Fut>(run: R, n: usize, f: F) -> TryBranch<R::Item>
where
    R: Run,
    F: FnMut(R::Item) -> Fut + InGraph,
    Fut: Future<Output = Result<(), BoxError>> + InGraph,
{
    try_end(run, Flight::new("try_sink_async", n), f)
}

#[track_caller]
pub(crate) fn try_sink_async_ref<R, F>(run: R, n: usize, f: F) -> TryRefBranch<R::Item>
where
    R: Run<Item: Sync>,
    F: for<'a> FnMut(&'a R::Item) -> BoxFuture<'a, Result<(), BoxError>> + InGraph,
{
    let policy = Handover::default();
    let flight = Flight::new("try_sink_async_ref", n).retry_later(policy.clone());
    let mut plan = Plan::new(run.graph());
    let how = (flight.unordered(), Role::End);
    in_flight::build_lending(run, how, f, Done::end, &mut plan);
    TryRefBranch::new(plan.install(), policy)
}

#[track_caller]
pub(crate) fn sink_blocking<R, F>(run: R, n: usize, f: F) -> Branch
where
    R: Run,
    F: Fn(R::Item) + InGraph + Sync,
{
    let flight = Flight::new("sink_blocking", n);
    let workers = Workers::new(n, move |item| {
        f(item);
        Ok(())
    });
    end(run, flight, move |item| workers.run(item))
}

#[track_caller]
pub(crate) fn try_sink_blocking<R, F>(run: R, n: usize, f: F) -> TryBranch<R::Item>
where
    R: Run,
    F: Fn(R::Item) -> Result<(), BoxError> + InGraph + Sync,
{
    let flight = Flight::new("try_sink_blocking", n);
    let workers = Workers::new(n, f);
    try_end(run, flight, move |item| workers.run(item))
}
