//! Where in its layer each item stands: as near below and above its neighbours as its place in the
//! order allows.
//!
//! Each layer is solved exactly: the least squares of the distances to where items would like to be,
//! under the gaps that they keep. With the gaps taken off, that is an isotonic regression, found by
//! pooling adjacent violators (Barlow et al., "Statistical inference under order restrictions", 1972).

use super::layers::Item;

const SWEEPS: usize = 24;

/// The middles of all items of `rows`, which are `widths` wide and keep `gap` between them; 0 for
/// items of other parts.
pub(super) fn placed(items: &[Item], rows: &[Vec<usize>], widths: &[f64], gap: f64) -> Vec<f64> {
    let mut middles = vec![0.0; items.len()];
    let each = |from_top: bool, middles: &mut Vec<f64>, wish: Wish| {
        for step in 0..rows.len() {
            let row = match from_top {
                true => &rows[step],
                false => &rows[rows.len() - 1 - step],
            };
            let wishes: Vec<f64> = row
                .iter()
                .map(|&item| wish(&items[item], middles[item], middles))
                .collect();
            settle(items, row, &wishes, widths, gap, middles);
        }
    };
    each(true, &mut middles, |_, now, _| now);
    for _ in 0..SWEEPS / 4 {
        each(true, &mut middles, |item, now, m| mean(&item.above, m, now));
        each(false, &mut middles, |item, now, m| {
            mean(&item.below, m, now)
        });
    }
    // What hangs from one thing alone now comes to stand right below it; after that an item moves only
    // as far as shortens its edges.
    each(true, &mut middles, |item, now, m| mean(&item.above, m, now));
    for sweep in 0..SWEEPS {
        each(sweep % 2 == 1, &mut middles, nearest);
    }
    middles
}

/// Where an item would like to stand, from where it stands now and the middles of all.
type Wish = fn(&Item, f64, &[f64]) -> f64;

fn mean(neighbours: &[usize], middles: &[f64], now: f64) -> f64 {
    let sum: f64 = neighbours.iter().map(|&other| middles[other]).sum();
    match neighbours.len() {
        0 => now,
        n => sum / n as f64,
    }
}

/// Between the two medians of all neighbours, as near as may be to where it stands.
fn nearest(item: &Item, now: f64, middles: &[f64]) -> f64 {
    let neighbours = item.above.iter().chain(&item.below);
    let mut places: Vec<f64> = neighbours.map(|&other| middles[other]).collect();
    if places.is_empty() {
        return now;
    }
    places.sort_by(f64::total_cmp);
    now.clamp(places[(places.len() - 1) / 2], places[places.len() / 2])
}

/// Puts one layer as near to its wishes as the gaps allow.
fn settle(
    items: &[Item],
    row: &[usize],
    wishes: &[f64],
    widths: &[f64],
    gap: f64,
    middles: &mut [f64],
) {
    // Neighbours that stand at one middle of what the gaps leave.
    struct Pool {
        sum: f64,
        weight: f64,
        count: usize,
    }
    let mut pools: Vec<Pool> = Vec::with_capacity(row.len());
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    for (at, (&item, wish)) in row.iter().zip(wishes).enumerate() {
        if at > 0 {
            offset += (widths[row[at - 1]] + widths[item]) / 2.0 + gap;
        }
        offsets.push(offset);
        // A long edge that bends is harder to follow than a box that stands aside.
        let weight = if items[item].node.is_some() { 1.0 } else { 3.0 };
        let mut pool = Pool {
            sum: (wish - offset) * weight,
            weight,
            count: 1,
        };
        while let Some(before) = pools.pop_if(|b| b.sum / b.weight >= pool.sum / pool.weight) {
            pool.sum += before.sum;
            pool.weight += before.weight;
            pool.count += before.count;
        }
        pools.push(pool);
    }
    let mut places = row.iter().zip(&offsets);
    for pool in pools {
        for (&item, offset) in places.by_ref().take(pool.count) {
            middles[item] = pool.sum / pool.weight + offset;
        }
    }
}
