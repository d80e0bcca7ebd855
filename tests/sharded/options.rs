//! Options that make no sense.

use std::time::Duration;

use headwater::prelude::*;

#[test]
#[should_panic(expected = "`hand_over(0)` leaves nothing to hand over")]
fn nothing_cannot_be_handed_over() {
    let _ = Shards::default().hand_over(0);
}

#[test]
#[should_panic(expected = "`capacity(0)` could hold nothing")]
fn no_capacity_is_no_shard() {
    let _ = Shards::default().capacity(0);
}

#[test]
#[should_panic(expected = "has 1 shard at least")]
fn no_shard_is_no_source() {
    let _ = Shards::default().count(0);
}

#[test]
#[should_panic(expected = "leaves no time to gather a batch")]
fn no_age_is_no_batch() {
    let _ = Shards::default().max_age(Duration::ZERO);
}
