//! Two operators that the library does not have, and a trait that makes them methods of every flow of
//! numbers. A package of its own would look the same.

use headwater::prelude::*;
use headwater::{Outlet, Push, Stage};

/// In scope, it gives all flows of numbers the methods below.
pub trait Numbers: Flow<Item = f64> {
    /// Leaves out what lies within `band` of what was kept last, but never the last of all.
    #[track_caller]
    fn deadband(self, band: f64) -> impl Run<Item = f64> {
        let stage = Deadband {
            band,
            kept: None,
            left_out: None,
        };
        self.into_run().stage(stage).named("deadband")
    }

    /// How far the last `n` lie apart: composed of operators that there are.
    #[track_caller]
    fn spread(self, n: usize) -> impl Run<Item = f64> {
        self.into_run()
            .rolling(n, (Max, Min))
            .full()
            .map(|(max, min)| max - min)
            .named("spread")
    }
}

impl<F: Flow<Item = f64>> Numbers for F {}

/// The state of `deadband`: two numbers, however many come.
struct Deadband {
    band: f64,
    kept: Option<f64>,
    /// The latest, if it was left out.
    left_out: Option<f64>,
}

impl Stage<f64, f64> for Deadband {
    fn on_item(&mut self, x: f64, out: &mut Outlet<'_, impl Push<f64>>) {
        if !x.is_finite() {
            // A failure in its place: `catch` below may handle it, and else the graph's handler.
            return out.fail_with("not a finite number", x);
        }
        match self.kept {
            Some(kept) if (x - kept).abs() <= self.band => self.left_out = Some(x),
            _ => {
                self.kept = Some(x);
                self.left_out = None;
                out.emit(x);
            }
        }
    }

    fn on_close(&mut self, out: &mut Outlet<'_, impl Push<f64>>) {
        if let Some(last) = self.left_out {
            out.emit(last);
        }
    }
}
