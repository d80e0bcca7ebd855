//! Sorted numbers, into which one is inserted and from which one is removed at a time.

/// Pieces are split in two when they are longer.
const LONGEST: usize = 512;
/// Neighbours are joined when both together are shorter.
const SHORT: usize = 128;

/// Sorted numbers that are not NaN, in pieces: to shift the rest of a piece costs less than any tree
/// up to hundreds of numbers, and many thousands of them only need more pieces.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// None of them is empty.
    pieces: Vec<Vec<f64>>,
    len: usize,
}

impl Sorted {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The piece in which `number` is, or would have to be.
    #[inline]
    fn piece(&self, number: f64) -> usize {
        if self.pieces.len() <= 1 {
            return 0;
        }
        let ends_before = |piece: &Vec<f64>| piece.last().is_some_and(|last| *last < number);
        let at = self.pieces.partition_point(ends_before);
        at.min(self.pieces.len() - 1)
    }

    #[inline]
    pub(super) fn insert(&mut self, number: f64) {
        // There is no other way to tell the two zeros apart than to have only one of them.
        let number = number + 0.0;
        let at = self.piece(number);
        self.len += 1;
        let Some(piece) = self.pieces.get_mut(at) else {
            return self.pieces.push(vec![number]);
        };
        let place = piece.partition_point(|x| *x < number);
        piece.insert(place, number);
        if piece.len() > LONGEST {
            let rest = piece.split_off(LONGEST / 2);
            self.pieces.insert(at + 1, rest);
        }
    }

    /// Removes one number, which is there.
    #[inline]
    pub(super) fn remove(&mut self, number: f64) {
        let at = self.piece(number);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        let place = piece.partition_point(|x| *x < number);
        if place < piece.len() {
            piece.remove(place);
            self.len -= 1;
        }
        if piece.len() < SHORT / 2 && self.pieces.len() > 1 {
            self.join(at);
        }
    }

    /// Joins a short piece to a neighbour, unless that makes it long.
    #[cold]
    fn join(&mut self, at: usize) {
        if self.pieces[at].is_empty() {
            self.pieces.remove(at);
            return;
        }
        let left = at.saturating_sub(1);
        if self.pieces[left].len() + self.pieces[left + 1].len() < SHORT {
            let right = self.pieces.remove(left + 1);
            self.pieces[left].extend(right);
        }
    }

    /// The number at a place and the one after it, or twice the last.
    #[inline]
    pub(super) fn pair(&self, place: usize) -> (f64, f64) {
        let mut place = place;
        let mut pieces = self.pieces.iter();
        for piece in pieces.by_ref() {
            if let Some(left) = piece.get(place) {
                let right = piece.get(place + 1);
                let right = right.or_else(|| pieces.next().and_then(|next| next.first()));
                return (*left, *right.unwrap_or(left));
            }
            place -= piece.len();
        }
        (f64::NAN, f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_sorted_whatever_comes_and_goes(
            width in 1_usize..3000,
            // Few different numbers, so that many are equal, and many.
            few in any::<bool>(),
            numbers in prop::collection::vec(0_u32..100_000, 0..6000),
        ) {
            let number = |x: &u32| f64::from(if few { x % 7 } else { *x }) - 3.0;
            let numbers: Vec<f64> = numbers.iter().map(number).collect();
            let mut sorted = Sorted::default();
            for (i, number) in numbers.iter().enumerate() {
                if let Some(oldest) = i.checked_sub(width) {
                    sorted.remove(numbers[oldest]);
                }
                sorted.insert(*number);
            }
            let mut left = numbers[numbers.len().saturating_sub(width)..].to_vec();
            left.sort_by(f64::total_cmp);
            prop_assert_eq!(sorted.len(), left.len());
            for (place, number) in left.iter().enumerate() {
                let after = left.get(place + 1).unwrap_or(number);
                prop_assert_eq!(sorted.pair(place), (*number, *after));
            }
            let longest = sorted.pieces.iter().map(Vec::len).max();
            prop_assert!(longest.unwrap_or(0) <= LONGEST);
            prop_assert!(sorted.pieces.iter().all(|piece| !piece.is_empty()));
            for number in left {
                sorted.remove(number);
            }
            prop_assert_eq!(sorted.len(), 0);
        }
    }
}
