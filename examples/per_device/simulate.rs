//! Ten thousand devices that don't exist.

use std::fmt;

pub const DEVICES: u32 = 10_000;
/// One reading in so many is far out.
const RARE: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub device: u32,
    /// Counts all readings.
    pub number: u64,
    pub value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anomaly {
    pub reading: Reading,
    /// Distance from the device's mean, in standard deviations.
    pub score: f64,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading {
            device,
            number,
            value,
        } = self.reading;
        write!(
            f,
            "reading {number:>9}, device {device:>5}: {value:>8.2} is {:>+5.1} deviations away",
            self.score
        )
    }
}

/// Readings of all devices, mixed; the same each time.
pub struct Readings {
    seed: u64,
    number: u64,
}

impl Readings {
    pub fn new() -> Readings {
        Readings {
            seed: 0x9e37_79b9_7f4a_7c15,
            number: 0,
        }
    }

    fn draw(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed
    }
}

impl Iterator for Readings {
    type Item = Reading;

    fn next(&mut self) -> Option<Reading> {
        let drawn = self.draw();
        // Some report far oftener than others.
        let uniform = (drawn >> 40) as f64 / (1u64 << 24) as f64;
        let device = (uniform.powi(3) * f64::from(DEVICES)) as u32;
        // The sum of four bytes is near enough to a bell.
        let noise: u32 = (drawn as u32)
            .to_le_bytes()
            .into_iter()
            .map(u32::from)
            .sum();
        let usual = f64::from(device % 100);
        let scale = 0.01 * f64::from(1 + device % 7);
        let far = if self.draw().is_multiple_of(RARE) {
            20.0
        } else {
            0.0
        };
        self.number += 1;
        Some(Reading {
            device,
            number: self.number,
            value: usual + scale * (f64::from(noise) - 510.0 + 148.0 * far),
        })
    }
}
