//! Figures of each of ten thousand devices, for each reading: a running mean, and a rolling one.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::hint::black_box;

use rustc_hash::FxHashMap;

use super::per_key_promises;
use crate::target::at_most;
use crate::workload::{Role, Variant, Workload};

/// Devices; drawn at random, so that neighbours in the input are strangers in memory.
pub(crate) const DEVICES: u32 = 10_000;
/// Readings of a device that its rolling mean is of.
pub(crate) const WIDTH: usize = 100;

/// A device, and what it read.
pub(crate) type Reading = (u32, f64);

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "running mean per key, 10 000 keys";
    let by_hand = Variant::prepared("loop", Role::Hand, by_hand);
    Workload::new("per_key", what, by_hand)
        .variant(Variant::prepared("loop, std map", Role::Hand, by_std_map))
        .variant(Variant::prepared("loop, boxed states", Role::Hand, boxed))
        .variant(Variant::prepared(
            "loop, batches, last uses",
            Role::Hand,
            batched,
        ))
        .variant(Variant::prepared(
            "loop, the same promises",
            Role::Hand,
            per_key_promises::by_hand,
        ))
        .target(at_most("headwater per_key", 1.5, "loop"))
        .target(at_most("headwater per_key", 1.5, "loop, std map"))
        .target(at_most("headwater per_key", 1.5, "loop, the same promises"))
        .target(at_most("headwater map_with_state_by_key", 1.5, "loop"))
}

/// As [`workload`], with the mean of the last readings of the device.
pub(crate) fn rolling() -> Workload {
    let what = "mean of the last 100 per key, 10 000 keys";
    let by_hand = Variant::prepared("loop", Role::Hand, rolling_by_hand);
    let per_key = "headwater per_key, rolling";
    Workload::new("per_key_rolling", what, by_hand)
        .variant(Variant::prepared(
            "loop, std map",
            Role::Hand,
            rolling_by_std_map,
        ))
        .target(at_most(per_key, 1.5, "loop"))
        .target(at_most(per_key, 1.5, "loop, std map"))
}

/// `n` readings, the same for every variant: made from their numbers in a few steps, and not drawn from an
/// array, which would have to be large, and whose memory would be what is measured.
pub(crate) fn readings(n: u64) -> impl Iterator<Item = Reading> + Send + Sync + 'static {
    (0..n).map(|at| {
        let mixed = (at ^ (at >> 15)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let device = ((mixed >> 32) * u64::from(DEVICES)) >> 32;
        (device as u32, (mixed & 0xffff) as f64)
    })
}

/// The mean of what a device has read so far.
#[derive(Default)]
pub(crate) struct Mean {
    count: u64,
    sum: f64,
}

impl Mean {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) -> f64 {
        self.count += 1;
        self.sum += value;
        self.sum / self.count as f64
    }
}

/// A figure to compare results by: the sum of all means, without the digits that rounding decides.
pub(crate) fn checksum(total: f64) -> u64 {
    total.round() as u64
}

/// A reading of each device, so that no key is new when the clock starts.
pub(crate) fn first() -> impl Iterator<Item = Reading> {
    (0..DEVICES).map(|device| (device, 0.0))
}

/// As many readings of each device as its rolling mean is of, so that all windows are full when the clock starts:
/// as long as they grow, it is their memory that is measured.
pub(crate) fn filling() -> impl Iterator<Item = Reading> {
    (0..WIDTH).flat_map(|_| first())
}

/// With the fastest of hashes, which who chooses the keys can make collide.
fn by_hand(n: u64) -> impl FnOnce() -> u64 {
    by_map(FxHashMap::default(), n)
}

/// With the map that comes with the language, whose hash has a random seed as `per_key`'s has.
fn by_std_map(n: u64) -> impl FnOnce() -> u64 {
    by_map(HashMap::new(), n)
}

fn by_map<S: BuildHasher>(mut means: HashMap<u32, Mean, S>, n: u64) -> impl FnOnce() -> u64 {
    let total = run(&mut means, first());
    let readings = readings(n);
    move || checksum(total + run(&mut means, readings))
}

#[inline(never)]
fn run<S: BuildHasher>(
    means: &mut HashMap<u32, Mean, S>,
    readings: impl Iterator<Item = Reading>,
) -> f64 {
    let mut total = 0.0;
    for (device, value) in readings {
        total += means.entry(device).or_default().add(value);
    }
    total
}

/// What a device's readings go into, of whichever type: as a key's run of operators is.
trait Device {
    fn read(&mut self, value: f64, total: &mut f64);
}

impl Device for Mean {
    fn read(&mut self, value: f64, total: &mut f64) {
        *total += self.add(value);
    }
}

/// The loop with a box and a virtual call for each device.
fn boxed(n: u64) -> impl FnOnce() -> u64 {
    let mut devices: FxHashMap<u32, Box<dyn Device>> = FxHashMap::default();
    let total = run_boxed(&mut devices, first());
    let readings = readings(n);
    move || checksum(total + run_boxed(&mut devices, readings))
}

#[inline(never)]
fn run_boxed(
    devices: &mut FxHashMap<u32, Box<dyn Device>>,
    readings: impl Iterator<Item = Reading>,
) -> f64 {
    let mut total = 0.0;
    for (device, value) in readings {
        let device = devices.entry(device);
        let device = device.or_insert_with(|| Box::new(Mean::default()));
        device.read(value, &mut total);
    }
    total
}

/// The loop as who shares the map with others would write it: readings are drawn outside of a lock, a
/// batch at a time, and each notes when its device was used last.
fn batched(n: u64) -> impl FnOnce() -> u64 {
    let mut means: FxHashMap<u32, Used> = FxHashMap::default();
    let total = run_batched(&mut means, first());
    let readings = readings(n);
    move || checksum(total + run_batched(&mut means, readings))
}

#[derive(Default)]
struct Used {
    mean: Mean,
    last: u64,
}

#[inline(never)]
fn run_batched(
    means: &mut FxHashMap<u32, Used>,
    mut readings: impl Iterator<Item = Reading>,
) -> f64 {
    let (mut total, mut uses) = (0.0, 0);
    let mut batch = Vec::with_capacity(256);
    loop {
        batch.extend(readings.by_ref().take(256));
        if batch.is_empty() {
            // The one that would have to go.
            black_box(means.values().map(|used| used.last).min());
            return total;
        }
        for (device, value) in batch.drain(..) {
            uses += 1;
            let used = means.entry(device).or_default();
            used.last = uses;
            total += used.mean.add(value);
        }
    }
}

/// The last readings of a device, and their sum.
#[derive(Default)]
struct Ring {
    values: VecDeque<f64>,
    sum: f64,
}

impl Ring {
    #[inline]
    fn add(&mut self, value: f64) -> f64 {
        if self.values.len() == WIDTH
            && let Some(oldest) = self.values.pop_front()
        {
            self.sum -= oldest;
        }
        self.values.push_back(value);
        self.sum += value;
        self.sum / self.values.len() as f64
    }
}

fn rolling_by_hand(n: u64) -> impl FnOnce() -> u64 {
    roll_by_map(FxHashMap::default(), n)
}

fn rolling_by_std_map(n: u64) -> impl FnOnce() -> u64 {
    roll_by_map(HashMap::new(), n)
}

fn roll_by_map<S: BuildHasher>(mut rings: HashMap<u32, Ring, S>, n: u64) -> impl FnOnce() -> u64 {
    let total = roll(&mut rings, filling());
    let readings = readings(n);
    move || checksum(total + roll(&mut rings, readings))
}

#[inline(never)]
fn roll<S: BuildHasher>(
    rings: &mut HashMap<u32, Ring, S>,
    readings: impl Iterator<Item = Reading>,
) -> f64 {
    let mut total = 0.0;
    for (device, value) in readings {
        total += rings.entry(device).or_default().add(value);
    }
    total
}
