//! The same by a plain map of all words, to compare with.

use std::collections::HashMap;
use std::sync::Arc;

use crate::pipeline::{self, Counted};

/// How often each word came.
#[derive(Default)]
pub struct Exact {
    counts: HashMap<Arc<str>, u64>,
    words: u64,
}

impl Exact {
    pub fn count(&mut self, line: &str) {
        for word in pipeline::words(line) {
            *self.counts.entry(word).or_default() += 1;
            self.words += 1;
        }
    }

    /// Words in all, and distinct ones.
    pub fn sizes(&self) -> (u64, usize) {
        (self.words, self.counts.len())
    }

    /// How far the counts may be too high, where only so many words are counted.
    pub fn bound(&self, max_words: usize) -> u64 {
        match self.counts.len() <= max_words {
            true => 0,
            false => self.words / max_words as u64,
        }
    }

    /// Whether `found` are the commonest words with their counts, as far as the bound allows.
    pub fn check(&self, found: &[Counted], top: usize, max_words: usize) -> Result<(), String> {
        let bound = self.bound(max_words);
        let all = self.counts.iter().map(|(word, n)| (word.clone(), *n));
        let expected = pipeline::ranked(Vec::new(), all.collect(), top);
        if bound == 0 && found != expected {
            return Err(format!("{found:?} instead of {expected:?}"));
        }
        for (word, count) in found {
            let exact = self.counts.get(word).copied().unwrap_or(0);
            if !(exact..=exact + bound).contains(count) {
                return Err(format!(
                    "{word:?}: {count} instead of {exact}, or up to {bound} more"
                ));
            }
        }
        // A word that came oftener than the bound has a count, and so has its rank.
        let least = found.last().map_or(0, |(_, count)| *count);
        for (word, exact) in expected {
            if exact > least.max(bound) && !found.iter().any(|(other, _)| *other == word) {
                return Err(format!("{word:?} came {exact} times and is missing"));
            }
        }
        Ok(())
    }
}
