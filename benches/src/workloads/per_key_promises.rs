//! A running mean per key by hand, with all that `per_key` promises: where its floor is.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::vec::Drain;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::per_key::{DEVICES, Mean, Reading, checksum, first, readings};

/// Elements that enter at once, as many as a graph takes.
const BATCH: usize = 512;

/// The loop as who shares the keys with others would write it, who is not to be flooded with keys, or
/// with keys of one hash, and whose states are of a type that the table of keys does not know.
pub(super) fn by_hand(n: u64) -> impl FnOnce() -> u64 {
    let devices = Mutex::new(Devices::new());
    run(&devices, first());
    let readings = readings(n);
    move || {
        run(&devices, readings);
        let devices = devices.lock().unwrap_or_else(PoisonError::into_inner);
        black_box((devices.passed, devices.expired));
        checksum(devices.total)
    }
}

#[inline(never)]
fn run(devices: &Mutex<Devices>, mut readings: impl Iterator<Item = Reading>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.extend(readings.by_ref().take(BATCH));
        if batch.is_empty() {
            return;
        }
        let mut devices = devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.push(&mut batch);
    }
}

/// The keys, the states beside them, and what comes out.
struct Devices {
    keys: KeyTable,
    states: Box<dyn States>,
    /// The keys of the batch under way, and what comes of it.
    numbers: Vec<u32>,
    means: Vec<f64>,
    total: f64,
    passed: u64,
    expired: u64,
}

impl Devices {
    fn new() -> Self {
        Devices {
            keys: KeyTable::default(),
            states: Box::new(Vec::<Mean>::new()),
            numbers: Vec::new(),
            means: Vec::new(),
            total: 0.0,
            passed: 0,
            expired: 0,
        }
    }

    #[inline(never)]
    fn push(&mut self, batch: &mut Vec<Reading>) {
        self.passed += batch.len() as u64;
        loop {
            let new = self.keys.find_all(batch, &mut self.numbers);
            let known = batch.drain(..self.numbers.len());
            self.states.push(&self.numbers, known, &mut self.means);
            let Some((hash, device)) = new else { break };
            // Of what came before, everything is in its state by now.
            self.expired += u64::from(self.keys.make_room());
            self.states.open(self.keys.insert(hash, device));
        }
        for mean in self.means.drain(..) {
            self.total += mean;
        }
    }
}

/// States by the numbers of their keys.
trait States: Send {
    /// A new key has this number.
    fn open(&mut self, number: u32);

    fn push(&mut self, numbers: &[u32], readings: Drain<'_, Reading>, means: &mut Vec<f64>);
}

impl States for Vec<Mean> {
    fn open(&mut self, number: u32) {
        let at = number as usize;
        self.resize_with(self.len().max(at + 1), Mean::default);
        self[at] = Mean::default();
    }

    fn push(&mut self, numbers: &[u32], readings: Drain<'_, Reading>, means: &mut Vec<f64>) {
        for (number, (_, value)) in numbers.iter().zip(readings) {
            if let Some(mean) = self.get_mut(*number as usize) {
                means.push(mean.add(value));
            }
        }
    }
}

/// As many keys as there may be, of which the least recently used one goes.
#[derive(Default)]
struct KeyTable {
    /// Seeded at random.
    hasher: DefaultHashBuilder,
    places: HashTable<Place>,
    uses: u64,
    free: Option<u32>,
}

struct Place {
    device: u32,
    number: u32,
    used: u64,
}

impl KeyTable {
    /// Notes the numbers of devices up to the first that is new, and returns that.
    #[inline]
    fn find_all(&mut self, batch: &[Reading], numbers: &mut Vec<u32>) -> Option<(u64, u32)> {
        numbers.clear();
        for (device, _) in batch {
            let hash = self.hasher.hash_one(device);
            let found = self.places.find_mut(hash, |place| place.device == *device);
            let Some(place) = found else {
                return Some((hash, *device));
            };
            self.uses += 1;
            place.used = self.uses;
            numbers.push(place.number);
        }
        None
    }

    /// Returns whether a key had to go. Looks at all: here none has to, once the clock runs.
    #[cold]
    fn make_room(&mut self) -> bool {
        if self.places.len() < DEVICES as usize {
            return false;
        }
        let places = self.places.iter();
        let Some(oldest) = places
            .min_by_key(|place| place.used)
            .map(|place| place.device)
        else {
            return false;
        };
        let hash = self.hasher.hash_one(oldest);
        let entry = self.places.find_entry(hash, |place| place.device == oldest);
        self.free = entry.ok().map(|entry| entry.remove().0.number);
        true
    }

    fn insert(&mut self, hash: u64, device: u32) -> u32 {
        let next = self.places.len() as u32;
        let number = self.free.take().unwrap_or(next);
        let place = Place {
            device,
            number,
            used: self.uses,
        };
        let hasher = &self.hasher;
        self.places
            .insert_unique(hash, place, |place| hasher.hash_one(place.device));
        number
    }
}
