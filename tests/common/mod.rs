//! A predicate as an operator of the tests' own, on the public protocol of the engine.
#![allow(dead_code, reason = "each test uses a part")]

use headwater::prelude::*;
use headwater::{Cx, Failure, InGraph, Plan, Push, Signal};

/// The predicate fails on an element.
pub(crate) struct Unfit;

/// Some failure: operators outside of the crate have no label to make one of.
fn failure() -> Failure {
    let source = Source::<()>::new();
    let _rows = keep(&source, |()| false)
        .zip(&source)
        .capacity(1)
        .sink_to_list();
    source.emit(()).unwrap();
    match source.emit(()) {
        Err(EmitError::Failed(failure)) => failure,
        other => panic!("the zip does not starve: {other:?}"),
    }
}

/// Lets elements pass, drop or fail: `None` drops, `Some(Err)` fails.
pub(crate) struct Sieve<R, F> {
    upstream: R,
    f: F,
    failure: Option<Failure>,
}

pub(crate) fn sieve<Fl: Flow, U, F>(flow: Fl, f: F) -> Sieve<Fl::Run, F>
where
    U: InGraph,
    F: FnMut(Fl::Item) -> Option<Result<U, Unfit>> + InGraph,
{
    Sieve {
        upstream: flow.into_run(),
        f,
        failure: Some(failure()),
    }
}

/// Keeps what fulfils the predicate.
pub(crate) fn keep<Fl: Flow>(
    flow: Fl,
    mut p: impl FnMut(&Fl::Item) -> bool + InGraph,
) -> impl Run<Item = Fl::Item> {
    Sieve {
        upstream: flow.into_run(),
        f: move |x| p(&x).then_some(Ok(x)),
        failure: None,
    }
}

/// Fails on what does not fulfil the predicate.
pub(crate) fn fail_unless<Fl: Flow>(
    flow: Fl,
    mut p: impl FnMut(&Fl::Item) -> bool + InGraph,
) -> impl Run<Item = Fl::Item> {
    sieve(flow, move |x| Some(if p(&x) { Ok(x) } else { Err(Unfit) }))
}

impl<R, F, U> Run for Sieve<R, F>
where
    R: Run,
    U: InGraph,
    F: FnMut(R::Item) -> Option<Result<U, Unfit>> + InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let (f, failure) = (self.f, self.failure);
        self.upstream.build(SievePush { f, failure, next }, plan);
    }
}

struct SievePush<F, N> {
    f: F,
    failure: Option<Failure>,
    next: N,
}

impl<T, U, F, N> Push<T> for SievePush<F, N>
where
    F: FnMut(T) -> Option<Result<U, Unfit>> + InGraph,
    N: Push<U>,
{
    fn push(&mut self, item: T, cx: &mut Cx) {
        match (self.f)(item) {
            Some(Ok(item)) => self.next.push(item, cx),
            Some(Err(Unfit)) => {
                let failure = self.failure.clone().expect("only `fail_unless` fails");
                self.next.signal(Signal::Fail(failure), cx);
            }
            None => {}
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.next.signal(signal, cx);
    }
}
