//! Pictures of graphs: the layout's promises, and what the three forms say.

use std::time::Duration;

use headwater::prelude::*;
use headwater::{Layout, Topology, union, zip};
use proptest::prelude::*;

type Point = (f64, f64);

/// Nothing overlaps, no edge crosses a box, no text is cut, all lies within the picture.
fn assert_readable(topology: &Topology) -> Result<(), TestCaseError> {
    let layout = topology.layout();
    prop_assert_eq!(layout.frames.len(), topology.nodes().len());
    prop_assert_eq!(layout.wires.len(), topology.edges().len());
    for (at, a) in layout.frames.iter().enumerate() {
        prop_assert!(a.x >= 0.0 && a.y >= 0.0, "left of the picture: {a:?}");
        prop_assert!(a.x + a.width <= layout.width && a.y + a.height <= layout.height);
        for line in &a.lines {
            prop_assert!(line.width() + 2.0 <= a.width, "cut: {line:?}");
        }
        for b in &layout.frames[at + 1..] {
            let apart = a.x + a.width < b.x
                || b.x + b.width < a.x
                || a.y + a.height < b.y
                || b.y + b.height < a.y;
            prop_assert!(apart, "{a:?} overlaps {b:?}");
        }
    }
    for wire in &layout.wires {
        for pair in wire.points.windows(2) {
            for frame in &layout.frames {
                let (x, y) = (frame.x, frame.y);
                let inside = overlaps((pair[0].0, pair[1].0), (x, x + frame.width))
                    && overlaps((pair[0].1, pair[1].1), (y, y + frame.height));
                prop_assert!(!inside, "{:?} crosses {frame:?}", wire.points);
            }
        }
        assert_ends(&layout, wire)?;
    }
    Ok(())
}

/// Whether two stretches share more than an end.
fn overlaps(a: Point, b: Point) -> bool {
    let (from, to) = (a.0.min(a.1), a.0.max(a.1));
    if from == to {
        b.0 < from && from < b.1
    } else {
        from < b.1 && b.0 < to
    }
}

/// It leaves a side of the one box and ends at a side of the other.
fn assert_ends(layout: &Layout, wire: &headwater::Wire) -> Result<(), TestCaseError> {
    let ends = [
        (wire.edge.from, wire.points[0]),
        (wire.edge.to, wire.points[wire.points.len() - 1]),
    ];
    for (node, (x, y)) in ends {
        let frame = layout.frames.iter().find(|f| f.node == node).unwrap();
        prop_assert!(frame.x < x && x < frame.x + frame.width);
        prop_assert!(y == frame.y || y == frame.y + frame.height);
    }
    Ok(())
}

fn five() -> Graph {
    let graph = Graph::new();
    let numbers = graph.source::<u32>().named("numbers");
    let evens = numbers.filter(|x| x % 2 == 0);
    evens
        .map(|x| x * 2)
        .timed_window(Duration::from_secs(1))
        .sink(drop);
    graph
}

/// Sixty nodes: sources, forks, diamonds, long edges past many layers, joins of several, a cycle.
fn sixty() -> Graph {
    let graph = Graph::new();
    let source = graph
        .source::<u64>()
        .named("the first of all the sources there are");
    let shared = source.share().named("valid");
    let mut tips = Vec::new();
    for branch in 0..6 {
        let mut flow = shared
            .map(|x| x + 1)
            .named(format!("branch {branch}"))
            .boxed();
        for _ in 0..branch {
            flow = flow.filter(|x| x % 7 != 0).boxed();
        }
        tips.push(flow.share());
    }
    for pair in tips.windows(2) {
        zip((&pair[0], &pair[1])).map(|(a, b)| a + b).sink(drop);
    }
    union((&shared, &tips[5], &tips[0]))
        .buffer(10)
        .sink(drop)
        .named("end & <end> \"quoted\"");
    let last = graph.source::<u64>().named("feedback");
    last.union(&tips[4]).filter(|x| *x > 0).connect(&last);
    while graph.topology().nodes().len() < 60 {
        shared.sink(drop);
    }
    graph
}

#[test]
fn a_chain_of_five_is_drawn_straight_down() {
    let topology = five().topology();
    assert_eq!(topology.nodes().len(), 5);
    assert_readable(&topology).unwrap();
    let layout = topology.layout();
    let middle = layout.width / 2.0;
    for frame in &layout.frames {
        assert!((frame.x + frame.width / 2.0 - middle).abs() < 1e-6);
    }
    assert!(layout.frames.windows(2).all(|pair| pair[0].y != pair[1].y));
}

#[test]
fn sixty_nodes_are_drawn_without_overlaps() {
    let topology = sixty().topology();
    assert_eq!(topology.nodes().len(), 60);
    assert_readable(&topology).unwrap();
}

#[test]
fn figures_and_long_names_find_room_in_their_boxes() {
    let graph = sixty();
    let time = graph.drive_manually();
    let before = graph.snapshot().unwrap();
    time.advance(Duration::from_secs(2));
    let after = graph.snapshot().unwrap();
    assert_readable(&graph.topology().with_rates(&before, &after)).unwrap();
    assert_readable(&graph.topology().with_counts(&after)).unwrap();
}

#[test]
fn a_graph_of_nothing_is_a_picture_too() {
    let topology = Graph::new().topology();
    assert_readable(&topology).unwrap();
    assert!(topology.to_svg().ends_with("</svg>\n"));
    assert_eq!(topology.to_mermaid(), "flowchart TD\n");
}

#[test]
fn a_flow_that_leads_back_into_its_source_is_drawn_upwards_and_dashed() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source.filter(|x| *x > 1).map(|x| x / 2).connect(&source);
    let topology = graph.topology();
    assert_readable(&topology).unwrap();
    let layout = topology.layout();
    let back = layout.wires.iter().find(|wire| wire.edge.feedback).unwrap();
    assert!(back.points[0].1 > back.points[back.points.len() - 1].1);
    assert_eq!(topology.to_svg().matches("wire feedback").count(), 1);
    assert_eq!(topology.to_mermaid().matches("-.->").count(), 1);
    assert_eq!(topology.to_dot().matches("style=dashed").count(), 1);
}

// case: graph/test_create_graph
#[test]
fn the_edges_are_those_that_were_connected() {
    let graph = Graph::new();
    let one = graph.source::<u32>().named("source1");
    let two = graph.source::<u32>().named("source2");
    let back = one.downgrade();
    let sums = one.zip(&two).map(|(a, b)| a + b);
    sums.sink(move |x| drop(back.emit(x)));
    let topology = graph.topology();
    let title = |id| {
        let mut nodes = topology.nodes().iter().map(|node| node.label());
        nodes.find(|label| label.id() == id).unwrap().title()
    };
    let mut edges: Vec<_> = topology
        .edges()
        .iter()
        .map(|edge| (title(edge.from), title(edge.to)))
        .collect();
    edges.sort_unstable();
    assert_eq!(
        edges,
        [
            ("map", "sink"),
            ("source1", "zip"),
            ("source2", "zip"),
            ("zip", "map")
        ]
    );
}

// case: graph/test_create_file
#[test]
fn every_form_names_the_nodes_and_marks_what_they_are() {
    let graph = Graph::new();
    let one = graph.source::<u32>().named("source1");
    let two = graph.source::<u32>().named("source2");
    let sums = one.zip(&two).map(|(a, b)| a + b).named("add");
    sums.accumulate(1, |a, b| a * b).named("mul").sink(drop);
    let topology = graph.topology();
    for picture in [topology.to_dot(), topology.to_mermaid(), topology.to_svg()] {
        for title in [
            "source1",
            "source2",
            "zip",
            "map",
            "add",
            "mul",
            "accumulate",
            "sink",
        ] {
            assert!(picture.contains(title), "{title} is missing in {picture}");
        }
    }
    let dot = topology.to_dot();
    for shape in [
        "shape=box",
        "shape=invhouse",
        "shape=hexagon",
        "shape=house",
    ] {
        assert!(dot.contains(shape), "{shape} is missing in {dot}");
    }
}

// case: graph/test_cleantext
#[test]
fn names_are_escaped_in_every_form() {
    let graph = Graph::new();
    graph
        .source::<u32>()
        .named("a<b> & \"c\" \\ #1;\n")
        .sink(drop);
    let topology = graph.topology();
    let svg = topology.to_svg();
    assert!(
        svg.contains(">a&lt;b&gt; &amp; &quot;c&quot; \\ #1; </text>"),
        "{svg}"
    );
    let dot = topology.to_dot();
    assert!(
        dot.contains("label=\"a<b> & \\\"c\\\" \\\\ #1; \\nsource\""),
        "{dot}"
    );
    let chart = topology.to_mermaid();
    assert!(
        chart.contains("\"a#60;b#62; #38; #34;c#34; #92; #35;1#59; <br>source\""),
        "{chart}"
    );
}

#[test]
fn rates_are_what_passed_between_two_snapshots() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source.timed_window(Duration::from_secs(60)).sink(drop);
    let time = graph.drive_manually();
    let before = graph.snapshot().unwrap();
    source.emit_all(0..5_000).unwrap();
    time.advance(Duration::from_secs(2));
    let after = graph.snapshot().unwrap();
    let svg = graph.topology().with_rates(&before, &after).to_svg();
    assert!(svg.contains(">2.50 k/s</text>"), "{svg}");
    let counted = graph.topology().with_counts(&after).to_mermaid();
    assert!(counted.contains("5 000 in"), "{counted}");
    // No time between them: no rate, rather than a division by zero.
    let none = graph.topology().with_rates(&after, &after).to_svg();
    assert!(!none.contains("/s<"), "{none}");
}

#[test]
fn the_same_graph_is_drawn_the_same() {
    assert_eq!(sixty().topology().to_svg(), sixty().topology().to_svg());
}

#[test]
fn a_graph_of_ten_thousand_nodes_is_laid_out_in_a_moment() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    for _ in 0..5_000 {
        source.map(|x| x).sink(drop);
    }
    let layout = graph.topology().layout();
    assert_eq!(layout.frames.len(), 10_001);
}

proptest! {
    #[test]
    fn any_graph_is_readable(steps in prop::collection::vec((0..6_u8, any::<u16>(), any::<u16>()), 1..40)) {
        let graph = Graph::new();
        let first = graph.source::<u64>();
        let mut sources = vec![first.clone()];
        let mut shared = vec![first.share()];
        for (kind, a, b) in steps {
            let one = shared[usize::from(a) % shared.len()].clone();
            let other = shared[usize::from(b) % shared.len()].clone();
            match kind {
                0 => shared.push(one.map(|x| x).share().named("x".repeat(usize::from(b) % 50))),
                1 => shared.push(one.zip(&other).map(|(a, b)| a + b).share()),
                2 => shared.push(union((&one, &other, &shared[0])).share()),
                3 => drop(one.filter(|x| x % 2 == 0).buffer(3).sink(drop)),
                4 => drop(one.map(|x| x).connect(&sources[usize::from(b) % sources.len()])),
                _ => {
                    sources.push(graph.source());
                    shared.push(sources[sources.len() - 1].share());
                }
            }
        }
        assert_readable(&graph.topology())?;
    }
}
