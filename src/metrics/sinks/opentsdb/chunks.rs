//! Points as JSON, and which of them go into a request together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use serde::Deserialize;

use super::point::{Format, Point};
use super::rejects::Rejects;
use crate::metrics::Element;

/// The points of a batch as JSON texts, without those that can't be sent.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// Place in the batch, and JSON.
    points: Vec<(usize, Vec<u8>)>,
    /// How many elements the batch has.
    batch: usize,
}

impl Encoded {
    pub(super) fn new(batch: &[Element], format: &Format, rejects: &mut Rejects) -> Encoded {
        let mut points = Vec::with_capacity(batch.len());
        for (place, element) in batch.iter().enumerate() {
            match format.point(element) {
                Ok(point) => points.push((place, json(&point))),
                Err(unfit) => rejects.at(place, element.name(), &unfit),
            }
        }
        let batch = batch.len();
        Encoded { points, batch }
    }

    pub(super) fn all(&self) -> Range<usize> {
        0..self.points.len()
    }

    /// Where in the batch a point is; the batch's end for the one after the last.
    pub(super) fn place(&self, point: usize) -> usize {
        self.points
            .get(point)
            .map_or(self.batch, |&(place, _)| place)
    }

    /// How many points from `begin` on fit into these limits: one at least.
    pub(super) fn fitting(&self, range: Range<usize>, points: usize, bytes: usize) -> Range<usize> {
        let mut size = 2;
        let fits = |(_, json): &&(usize, Vec<u8>)| {
            size += json.len() + 1;
            size - 1 <= bytes
        };
        let fitting = self.points[range.clone()]
            .iter()
            .take(points)
            .take_while(fits);
        let count = fitting.count().max(1).min(range.len());
        range.start..range.start + count
    }

    /// The body of a request.
    pub(super) fn body(&self, range: Range<usize>) -> Vec<u8> {
        let texts: Vec<&[u8]> = self.points[range]
            .iter()
            .map(|(_, json)| &json[..])
            .collect();
        [b"[", &texts.join(&b","[..])[..], b"]"].concat()
    }

    /// These points by what a receiver names them by.
    pub(super) fn named(&self, range: Range<usize>) -> HashMap<Named, VecDeque<usize>> {
        let mut named: HashMap<Named, VecDeque<usize>> = HashMap::new();
        for point in range {
            if let Ok(name) = serde_json::from_slice(&self.points[point].1) {
                named.entry(name).or_default().push_back(point);
            }
        }
        named
    }
}

fn json(point: &Point<'_>) -> Vec<u8> {
    // Texts, finite numbers and maps by text: JSON has all of them.
    serde_json::to_vec(point).unwrap_or_default()
}

/// What tells points apart, without the value: that may have become text on the way.
#[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
pub(super) struct Named {
    metric: String,
    timestamp: u64,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}
