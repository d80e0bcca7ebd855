//! The dataflow algebra.

pub mod aggregate;
