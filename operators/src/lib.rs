//! The dataflow algebra of headwater: flows, junctions, operators and the engine under them.
//!
//! This package has no runtime, no input and no output; the package `headwater` adds those and
//! re-exports everything here. Start there.

#![warn(unreachable_pub)]

pub mod aggregate;
pub mod engine;
pub mod flow;

mod end;
mod group;
mod hold;
mod join;
mod picture;
mod shape;

pub use end::*;
pub use engine::*;
pub use flow::{Flow, Forkable, InGraph, Run};
/// What closures return that are lent their elements: `Box::pin(async move { … })`, or `.boxed()` of
/// `FutureExt`. It is the one of `futures`. See [`Flow::try_map_async_ref`].
pub use futures_core::future::BoxFuture;

pub use group::*;
pub use hold::*;
pub use join::*;
pub use picture::*;
pub use shape::*;

/// What most programs import: `use headwater_operators::prelude::*`.
pub mod prelude {
    pub use crate::aggregate::{
        Aggregate, ApproxQuantile, Count, First, Last, Max, Mean, Median, Min, Of, Quantile,
        StdDev, Sum, TopK, Variance,
    };
    pub use crate::engine::{
        BoxError, Branch, EmitError, Failure, Graph, GraphError, OnError, OnFull, Retry, Sharded,
        Shards, Shared, Source, Time,
    };
    pub use crate::flow::{Flow, Run};
    pub use crate::group::{Keep, Keys};
    pub use crate::shape::BoxFlow;
}

/// The README's example is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
