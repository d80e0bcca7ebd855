//! Figures of each of ten thousand devices, for each reading.

use headwater::aggregate;
use headwater::prelude::*;

use crate::outbox::outbox_of;
use crate::workload::{Role, Variant, Workload};
use crate::workloads::per_key::{
    DEVICES, Mean, Reading, WIDTH, checksum, filling, first, readings,
};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload
        .variant(Variant::prepared("headwater per_key", Role::Ours, per_key))
        .variant(Variant::prepared(
            "headwater map_with_state_by_key",
            Role::Ours,
            by_state,
        ))
}

/// Adds headwater's row to the rolling workload.
pub(crate) fn add_rolling(workload: Workload) -> Workload {
    let name = "headwater per_key, rolling";
    workload.variant(Variant::prepared(name, Role::Ours, rolling))
}

fn per_key(n: u64) -> impl FnOnce() -> u64 {
    let (mut out, total) = outbox_of(0.0);
    let source = Source::<Reading>::new();
    source
        .per_key(
            |reading| reading.0,
            keys(),
            |_, flow| flow.map_with_state(Mean::default(), |mean, (_, value)| mean.add(value)),
        )
        .sink(move |mean| out.add(mean));
    source.emit_all(first()).expect("nothing fails");
    move || {
        source.emit_all(readings(n)).expect("nothing fails");
        drop(source);
        checksum(total.take())
    }
}

fn by_state(n: u64) -> impl FnOnce() -> u64 {
    let (mut out, total) = outbox_of(0.0);
    let source = Source::<Reading>::new();
    source
        .map_with_state_by_key(
            |reading| reading.0,
            keys(),
            |_| Mean::default(),
            |mean, (_, value)| mean.add(value),
        )
        .sink(move |mean| out.add(mean));
    source.emit_all(first()).expect("nothing fails");
    move || {
        source.emit_all(readings(n)).expect("nothing fails");
        drop(source);
        checksum(total.take())
    }
}

fn rolling(n: u64) -> impl FnOnce() -> u64 {
    let (mut out, total) = outbox_of(0.0);
    let source = Source::<Reading>::new();
    source
        .per_key(
            |reading| reading.0,
            keys(),
            |_, flow| flow.map(|(_, value)| value).rolling(WIDTH, aggregate::Mean),
        )
        .sink(move |mean| out.add(mean));
    source.emit_all(filling()).expect("nothing fails");
    move || {
        source.emit_all(readings(n)).expect("nothing fails");
        drop(source);
        checksum(total.take())
    }
}

fn keys() -> Keys {
    Keys::max(DEVICES as usize)
}
