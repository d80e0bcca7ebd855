//! The order within each layer, such that few edges cross: by barycentres, sweeping down and up
//! (Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures",
//! 1981).

use super::layers::Item;

const SWEEPS: usize = 24;

/// The items of one part of the graph, layer by layer from the top, in the order found.
pub(super) fn ordered(items: &[Item], part: &[usize]) -> Vec<Vec<usize>> {
    let depth = part.iter().map(|&i| items[i].layer + 1).max().unwrap_or(0);
    let mut rows = vec![Vec::new(); depth];
    for item in walked(items, part) {
        rows[items[item].layer].push(item);
    }
    let mut place = vec![0; items.len()];
    number(&rows, &mut place);
    let mut best = (crossings(items, &rows, &place), rows.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        for step in 1..depth {
            let row = if down { step } else { depth - 1 - step };
            sort(items, &mut rows[row], &place, down);
            for (at, &item) in rows[row].iter().enumerate() {
                place[item] = at;
            }
        }
        let crossed = crossings(items, &rows, &place);
        if crossed < best.0 {
            best = (crossed, rows.clone());
        }
    }
    best.1
}

/// Depth first, so that what hangs together begins side by side.
fn walked(items: &[Item], part: &[usize]) -> Vec<usize> {
    let mut seen = vec![false; items.len()];
    let mut order = Vec::with_capacity(part.len());
    let roots = part.iter().filter(|&&i| items[i].above.is_empty());
    for &root in roots.chain(part) {
        let mut open = vec![root];
        while let Some(item) = open.pop() {
            if !std::mem::replace(&mut seen[item], true) {
                order.push(item);
                open.extend(items[item].below.iter().rev());
            }
        }
    }
    order
}

fn number(rows: &[Vec<usize>], place: &mut [usize]) {
    for row in rows {
        for (at, &item) in row.iter().enumerate() {
            place[item] = at;
        }
    }
}

/// By the mean place of the neighbours above, or below; who has none there keeps its place.
fn sort(items: &[Item], row: &mut Vec<usize>, place: &[usize], down: bool) {
    let mut keyed: Vec<(f64, usize)> = row
        .iter()
        .map(|&item| {
            let neighbours = match down {
                true => &items[item].above,
                false => &items[item].below,
            };
            let sum: usize = neighbours.iter().map(|&other| place[other]).sum();
            match neighbours.len() {
                0 => (place[item] as f64, item),
                n => (sum as f64 / n as f64, item),
            }
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    row.clear();
    row.extend(keyed.into_iter().map(|(_, item)| item));
}

/// How many pairs of edges between adjacent layers cross.
fn crossings(items: &[Item], rows: &[Vec<usize>], place: &[usize]) -> usize {
    let mut total = 0;
    for row in rows {
        let mut ends = Vec::new();
        for &item in row {
            let from = ends.len();
            ends.extend(items[item].below.iter().map(|&other| place[other]));
            ends[from..].sort_unstable();
        }
        total += inversions(&mut ends);
    }
    total
}

/// How many pairs stand in the wrong order, counted by merging.
fn inversions(values: &mut [usize]) -> usize {
    if values.len() < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(values.len() / 2);
    let mut count = inversions(left) + inversions(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut l, mut r) = (0, 0);
    while l < left.len() && r < right.len() {
        if left[l] <= right[r] {
            merged.push(left[l]);
            l += 1;
        } else {
            merged.push(right[r]);
            r += 1;
            count += left.len() - l;
        }
    }
    merged.extend_from_slice(&left[l..]);
    merged.extend_from_slice(&right[r..]);
    values.copy_from_slice(&merged);
    count
}
