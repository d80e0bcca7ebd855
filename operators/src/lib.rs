//! The dataflow algebra.
