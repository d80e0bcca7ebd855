//! The example `replay`, in virtual time: at every speed it finds the same.

#[path = "../examples/replay/by_hand.rs"]
mod by_hand;
#[path = "../examples/replay/pipeline.rs"]
mod pipeline;
#[path = "../examples/replay/recording.rs"]
mod recording;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::Speed;
use headwater::prelude::*;
use pipeline::Figure;

/// What is found while `takes` passes, and after a close at that moment.
fn found(speed: Speed, takes: Duration) -> (Vec<Figure>, Vec<Figure>) {
    let figures = Arc::new(Mutex::new(Vec::new()));
    let shown = figures.clone();
    let analysis = pipeline::analyse(move |figure| shown.lock().unwrap().push(figure));
    let graph = Graph::new();
    let time = graph.drive_manually();
    pipeline::replay(&graph, recording::read().unwrap(), speed, analysis.clone());
    time.advance(takes);
    let meanwhile = figures.lock().unwrap().clone();
    analysis.close();
    let all = figures.lock().unwrap().clone();
    (meanwhile, all)
}

#[test]
fn the_figures_are_the_same_at_every_speed_and_by_hand() {
    let recording = recording::read().unwrap();
    let first = recording.first().unwrap().at;
    let last = recording.iter().map(|reading| reading.at).max().unwrap();
    let length = last - first;
    let (at_once, all) = found(Speed::Max, Duration::ZERO);
    assert!(at_once.len() > 10);
    assert_eq!(
        found(Speed::Times(1.0), length),
        (at_once.clone(), all.clone())
    );
    assert_eq!(
        found(Speed::Times(10.0), length / 10),
        (at_once, all.clone())
    );

    let expected = by_hand::figures(&recording);
    assert_eq!(expected.len(), all.len());
    assert!(by_hand::begins(&expected, &all), "{all:?}\n{expected:?}");

    let (half, _) = found(Speed::Times(1.0), length / 2);
    assert!((all.len() / 2 - 2..=all.len() / 2).contains(&half.len()));
    assert_eq!(half, all[..half.len()]);
}
