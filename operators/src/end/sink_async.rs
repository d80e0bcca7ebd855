//! `sink_async`: a future takes each element.

use std::future::Future;

use crate::engine::{BoxError, Branch, Done, Flight, Plan, Role, Workers, in_flight};
use crate::flow::{InGraph, Run};

/// Ends `run` in the futures that `work` makes. An end of its own, and not a `map_async` with a
/// sink behind it, so that the graph's picture shows what the user wrote.
#[track_caller]
fn end<R, F, J>(run: R, n: usize, kind: &'static str, work: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) -> J + InGraph,
    J: Future<Output = Result<(), BoxError>> + InGraph,
{
    let mut plan = Plan::new(run.graph());
    let how = (Flight::new(kind, n).unordered(), Role::End);
    in_flight::build(run, how, work, Done::end, &mut plan);
    plan.install()
}

#[track_caller]
pub(crate) fn sink_async<R, F, Fut>(run: R, n: usize, mut f: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) -> Fut + InGraph,
    Fut: Future<Output = ()> + InGraph,
{
    end(run, n, "sink_async", move |item| {
        let write = f(item);
        async move {
            write.await;
            Ok(())
        }
    })
}

#[track_caller]
pub(crate) fn try_sink_async<R, F, Fut>(run: R, n: usize, f: F) -> Branch
where
    R: Run,
    F: FnMut(R::Item) -> Fut + InGraph,
    Fut: Future<Output = Result<(), BoxError>> + InGraph,
{
    end(run, n, "try_sink_async", f)
}

#[track_caller]
pub(crate) fn sink_blocking<R, F>(run: R, n: usize, f: F) -> Branch
where
    R: Run,
    F: Fn(R::Item) + InGraph + Sync,
{
    let workers = Workers::new(n, move |item| {
        f(item);
        Ok(())
    });
    end(run, n, "sink_blocking", move |item| workers.run(item))
}

#[track_caller]
pub(crate) fn try_sink_blocking<R, F>(run: R, n: usize, f: F) -> Branch
where
    R: Run,
    F: Fn(R::Item) -> Result<(), BoxError> + InGraph + Sync,
{
    let workers = Workers::new(n, f);
    end(run, n, "try_sink_blocking", move |item| workers.run(item))
}
