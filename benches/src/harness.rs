//! Measuring: same checksums first, then rounds in which every variant takes its turn.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::workload::{Role, Variant, Workload};

/// Elements of the run that compares checksums. Counts are multiples of [`GRANULE`], so that every
/// workload ends on a full batch and a full sweep of its windows.
const CHECKED: u64 = 100_000;
const GRANULE: u64 = 10_000;
/// A run lasts about this long: above the timer's noise, and short enough that a machine shared with
/// others disturbs few rounds.
const SLICE: Duration = Duration::from_millis(40);
const QUICK_SLICE: Duration = Duration::from_millis(10);
/// Pairs are many, and their figures coarser: shorter runs, and rounds not more than these.
const PAIR_SLICE: Duration = Duration::from_millis(15);
const PAIR_ROUNDS: usize = 7;
const MOST: u64 = 100_000_000;

/// What was measured of one variant.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Nanoseconds a step: the median of the rounds, and their fastest and slowest.
    pub(crate) nanos: f64,
    pub(crate) fastest: f64,
    pub(crate) slowest: f64,
}

/// Runs one variant once, untimed, and returns its checksum.
pub(crate) fn once(workload: &Workload, variant: &str, count: u64) -> Result<u64, String> {
    let variant = workload
        .variants
        .iter()
        .find(|candidate| candidate.name == variant)
        .ok_or_else(|| format!("{} has no variant {variant}", workload.name))?;
    Ok(timed(variant, count).1)
}

/// Measures the variants the options ask for, interleaved.
pub(crate) fn measure(workload: &Workload, options: &Options) -> Result<Vec<Row>, String> {
    let variants: Vec<&Variant> = workload
        .variants
        .iter()
        .filter(|variant| options.takes_variant(variant.name))
        .collect();
    same_checksums(workload, &variants)?;
    let (slice, rounds) = match (options.quick, workload.table) {
        (true, _) => (QUICK_SLICE, options.rounds()),
        (false, None) => (SLICE, options.rounds()),
        (false, Some(_)) => (PAIR_SLICE, options.rounds().min(PAIR_ROUNDS)),
    };
    let counts: Vec<u64> = variants
        .iter()
        .map(|variant| options.count.unwrap_or_else(|| fitting(variant, slice)))
        .collect();
    let mut samples = vec![Vec::new(); variants.len()];
    // Rounds outside, variants inside: a noisy second hits all of them alike.
    for _ in 0..rounds {
        for ((variant, &count), samples) in variants.iter().zip(&counts).zip(&mut samples) {
            samples.push(timed(variant, count).0.as_nanos() as f64 / count as f64);
        }
    }
    let rows = variants.iter().zip(samples).map(|(variant, mut samples)| {
        samples.sort_by(f64::total_cmp);
        Row {
            name: variant.name,
            role: variant.role,
            nanos: samples[samples.len() / 2],
            fastest: samples[0],
            slowest: samples[samples.len() - 1],
        }
    });
    Ok(rows.collect())
}

/// A variant that computes something else would make a fine figure of nothing.
fn same_checksums(workload: &Workload, variants: &[&Variant]) -> Result<(), String> {
    let Some(expected) = workload.variants.first() else {
        return Ok(());
    };
    let sum = timed(expected, CHECKED).1;
    for variant in variants {
        let found = timed(variant, CHECKED).1;
        if found != sum {
            let (workload, base) = (workload.name, expected.name);
            return Err(format!(
                "{workload}: {} computes {found:#x} where {base} computes {sum:#x}",
                variant.name
            ));
        }
    }
    Ok(())
}

/// The count with which a run fills the slice.
fn fitting(variant: &Variant, slice: Duration) -> u64 {
    let run = variant.prepare(black_box(CHECKED));
    // By the clock on the wall: of some only a part is timed.
    let start = Instant::now();
    black_box(run());
    let took = start.elapsed();
    let fits = slice.as_nanos() * u128::from(CHECKED) / took.as_nanos().max(1);
    let fits = u64::try_from(fits).unwrap_or(MOST).clamp(GRANULE, MOST);
    fits.next_multiple_of(GRANULE)
}

fn timed(variant: &Variant, count: u64) -> (Duration, u64) {
    let run = variant.prepare(black_box(count));
    let start = Instant::now();
    let done = black_box(run());
    (done.took.unwrap_or_else(|| start.elapsed()), done.sum)
}
