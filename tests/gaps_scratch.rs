//! x
use headwater::prelude::*;
use headwater::*;
use std::time::Duration;
#[test]
fn scratch() {
    type B = fn(&Source<u64>, &Source<u64>) -> Vec<Shared<u64>>;
    let bs: Vec<(&str, B)> = vec![
        ("plain", |s, _| {
            let h = s.take(1).share();
            h.sink(drop);
            vec![h]
        }),
        ("zero", |s, _| {
            let h = s.take(0).share();
            h.sink(drop);
            vec![h]
        }),
        ("union", |s, o| {
            let h = s.take(1).share();
            h.union(o).sink(drop);
            vec![h]
        }),
        ("zip", |s, o| {
            let h = s.take(1).share();
            h.zip(o).sink(drop);
            vec![h]
        }),
        ("delay", |s, _| {
            let h = s.take(1).share();
            h.delay(Duration::from_secs(1)).sink(drop);
            vec![h]
        }),
        ("delay front", |s, _| {
            let h = s.delay(Duration::from_secs(1)).take(1).share();
            h.sink(drop);
            vec![h]
        }),
        ("delay behind", |s, _| {
            let h = s.take(1).delay(Duration::from_secs(1)).share();
            h.sink(drop);
            vec![h]
        }),
        ("share share", |s, _| {
            let h = s.take(1).share();
            let k = h.map(|x| x).share();
            k.sink(drop);
            vec![h, k]
        }),
        ("share then take", |s, _| {
            let h = s.share();
            h.take(1).sink(drop);
            vec![h]
        }),
        ("share, take, share", |s, _| {
            let h = s.share();
            let k = h.take(1).share();
            k.sink(drop);
            vec![h, k]
        }),
        ("take_until", |s, o| {
            let h = s.take_until(o).share();
            h.sink(drop);
            vec![h]
        }),
        ("split", |s, _| {
            let (a, b) = s.take(1).split(|x| *x == 0);
            a.sink(drop);
            b.sink(drop);
            vec![]
        }),
        ("split share", |s, _| {
            let (a, b) = s.take(1).split(|x| *x == 0);
            let a = a.share();
            let b = b.share();
            a.sink(drop);
            b.sink(drop);
            vec![a, b]
        }),
        ("from_iter", |s, _| {
            let h = s.graph().from_iter(0..9u64).take(3).share();
            h.sink(drop);
            vec![h]
        }),
        ("from_iter all", |s, _| {
            let h = s.graph().from_iter(0..9u64).share();
            h.sink(drop);
            vec![h]
        }),
        ("connect", |s, o| {
            let h = s.take(1).share();
            h.connect(o);
            vec![h]
        }),
        ("two takes", |s, _| {
            let h = s.take(3).share();
            h.take(1).sink(drop);
            h.take(1).sink(drop);
            vec![h]
        }),
        ("stream", |s, _| {
            let h = s.take(1).share();
            drop(h.into_stream(1));
            vec![h]
        }),
    ];
    for (name, b) in bs {
        for how in 0..3 {
            let graph = Graph::new();
            let time = graph.drive_manually();
            let source = graph.source::<u64>();
            let other = graph.source::<u64>();
            let mut h = b(&source, &other);
            if how == 1 {
                h.clear();
            }
            for x in 0..4 {
                source.emit(x).unwrap();
                other.emit(x).unwrap();
                time.settle();
            }
            time.advance(Duration::from_secs(3));
            if how == 2 {
                h.clear();
                time.settle();
            }
            let names: Vec<_> = graph
                .topology()
                .nodes()
                .iter()
                .map(|n| n.label().title().to_string())
                .collect();
            println!("{name:20} {how} {names:?}");
        }
    }
}
