//! The telnet lines of a batch.

use super::point::{Format, Unfit};
use super::rejects::Rejects;
use crate::metrics::Element;

/// The lines of a batch, and where each ends.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    /// The end of a line, and the place of its element in the batch.
    ends: Vec<(usize, usize)>,
}

impl Lines {
    /// Of all elements that can be points.
    pub(super) fn new(
        batch: &[Element],
        format: &Format,
        max_line: usize,
        rejects: &mut Rejects,
    ) -> Lines {
        let mut lines = Lines::default();
        for (place, element) in batch.iter().enumerate() {
            let begin = lines.text.len();
            let length = format.point(element).map(|point| {
                point.line(&mut lines.text);
                lines.text.len() - begin - 1
            });
            match length {
                Ok(length) if length <= max_line => lines.ends.push((lines.text.len(), place)),
                Ok(length) => {
                    lines.text.truncate(begin);
                    let max = max_line;
                    rejects.at(place, element.name(), &Unfit::Long { length, max });
                }
                Err(unfit) => rejects.at(place, element.name(), &unfit),
            }
        }
        lines
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The text. Where lines end in it stays known.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text).into_bytes()
    }

    /// How many lines were written at least in part, if so many bytes were, and how many elements of the
    /// batch are done with thereby.
    pub(super) fn begun(&self, written: usize) -> (usize, usize) {
        let whole = self.ends.partition_point(|&(end, _)| end <= written);
        let begin = whole.checked_sub(1).map_or(0, |last| self.ends[last].0);
        let begun = (whole + usize::from(written > begin)).min(self.ends.len());
        (
            begun,
            begun.checked_sub(1).map_or(0, |last| self.ends[last].1 + 1),
        )
    }
}
