//! Options that make no sense.

use std::time::Duration;

use headwater::Speed;
use headwater::prelude::*;

use crate::words::ms;

fn said(build: impl FnOnce(&Source<u32>) + std::panic::UnwindSafe) -> String {
    let source = std::panic::AssertUnwindSafe(Source::<u32>::new());
    let panic = std::panic::catch_unwind(move || build(&source)).unwrap_err();
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn times_capacities_and_speeds_that_make_no_sense_are_refused_with_a_sentence() {
    let zero = Duration::ZERO;
    assert_eq!(
        said(move |s| drop(s.delay(zero))),
        "`delay` of zero would change nothing: give it a longer time, or leave it out"
    );
    assert!(said(move |s| drop(s.rate_limit(zero))).starts_with("`rate_limit` of zero"));
    assert!(said(move |s| drop(s.throttle(zero))).starts_with("`throttle` of zero"));
    assert!(said(move |s| drop(s.sample(zero))).starts_with("`sample` of zero"));
    assert!(said(move |s| drop(s.debounce(zero))).starts_with("`debounce` of zero"));
    assert!(said(move |s| drop(s.on_idle(zero, || 0))).starts_with("`on_idle` after zero"));
    assert_eq!(
        said(|s| drop(s.delay(ms(1)).capacity(0))),
        "`capacity(0)` could hold nothing: let at least 1 element wait"
    );
    assert!(said(|s| drop(s.rate_limit(ms(1)).at_most(0))).starts_with("`at_most(0)`"));
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let text = said(move |s| drop(s.pace(|_| Time::ZERO, speed)));
        assert_eq!(
            text,
            format!(
                "`pace` can't replay at Times({speed:?}): give it a speed above 0, or `Speed::Max`"
            )
        );
        assert!(speed.to_string().parse::<Speed>().is_err());
    }
    let pause = said(move |s| drop(s.pace(|_| Time::ZERO, 1.0).max_pause(zero)));
    assert!(pause.starts_with("`max_pause` of zero"));
    assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
    assert_eq!(
        "fast".parse::<Speed>().unwrap_err().to_string(),
        "\"fast\" is not a speed: give a number above 0, or \"max\""
    );
}
