//! `with_latest`: the main flow, with the latest elements of another one.

use headwater::Loss;
use headwater::prelude::*;

use super::{DISCARDED, DONE, Unique, held, lost, outcomes, unless};

#[test]
fn with_latest_copies_nothing() {
    let graph = Graph::new();
    let (main, flow) = graph.pipe::<Unique>();
    let (config, settings) = graph.pipe::<Unique>();
    let sums = flow
        .with_latest(settings, Unique(100), |x, c| Unique(x.0 + c.0))
        .sink_to_list();
    main.emit(Unique(1)).unwrap();
    config.emit(Unique(200)).unwrap();
    main.emit(Unique(2)).unwrap();
    assert_eq!(sums.take(), [Unique(101), Unique(202)]);
}

#[test]
fn with_latest_emits_for_the_main_flow_only_and_makes_nobody_wait() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main.with_latest(&config, 0, |x, c| (x, *c)).sink_to_list();
    assert_eq!(main.emit_all(0..5000).unwrap(), 5000);
    assert_eq!(list.take().len(), 5000);
    assert_eq!(config.emit_all(0..5000).unwrap(), 5000);
    assert!(list.is_empty());
    assert_eq!(held(&graph, "with_latest"), 1);
    assert_eq!(lost(&graph, "with_latest", Loss::Superseded), 4999);
}

#[test]
fn with_latest_finds_the_other_flow_of_the_same_source_up_to_date() {
    for batch in [false, true] {
        let source = Source::<u32>::new();
        let list = source
            .map(|x| x)
            .with_latest(source.map(|x| 10 * x), 0, |x, ten| (x, *ten));
        let list = list.sink_to_list();
        if batch {
            source.emit_all([1, 2, 3]).unwrap();
        } else {
            (1..=3).for_each(|x| source.emit(x).unwrap());
        }
        assert_eq!(list.take(), [(1, 10), (2, 20), (3, 30)]);
    }
}

#[test]
fn with_latest_of_two_shared_flows_follows_the_order_in_which_they_were_connected() {
    let source = Source::<u32>::new();
    let early = source.map(|x| x).share();
    let late = source.map(|x| 10 * x).share();
    let behind = early.with_latest(&late, 0, |x, c| (x, *c)).sink_to_list();
    let abreast = late.with_latest(&early, 0, |x, c| (x, *c)).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(behind.take(), [(1, 0), (2, 10)]);
    assert_eq!(abreast.take(), [(10, 1), (20, 2)]);
}

#[test]
fn with_latest_goes_on_after_the_other_flow_closed_and_ends_with_the_main_flow() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main
        .with_latest(&config, 0, |x, c| x + c)
        .partition(10)
        .sink_to_list();
    let used = config.emit_tracked(10).unwrap();
    config.close();
    main.emit(1).unwrap();
    assert_eq!(used.outcome(), None);
    main.close();
    assert_eq!(used.outcome(), DONE);
    assert_eq!(list.take(), [vec![11]]);
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn with_latest_counts_what_its_closure_never_saw() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main.with_latest(&config, 0, |x, c| x + c).sink_to_list();
    let [superseded, used, unpaired] = [
        config.emit_tracked(1).unwrap(),
        config.emit_tracked(2).unwrap(),
        {
            main.emit(10).unwrap();
            config.emit_tracked(3).unwrap()
        },
    ];
    assert_eq!(
        outcomes([&superseded, &used, &unpaired]),
        [DISCARDED, DONE, None]
    );
    main.close();
    let unheard = config.emit_tracked(4).unwrap();
    assert_eq!(outcomes([&unpaired, &unheard]), [DISCARDED; 2]);
    for loss in [Loss::Superseded, Loss::Unpaired, Loss::Unheard] {
        assert_eq!(lost(&graph, "with_latest", loss), 1, "{loss:?}");
    }
    assert_eq!(held(&graph, "with_latest"), 0);
    assert_eq!(list.take(), [12]);
}

#[test]
fn the_receipt_of_a_latest_element_waits_for_all_that_was_made_of_it() {
    for batch in [false, true] {
        let graph = Graph::new();
        let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
        let list = main
            .with_latest(&config, 0, |x, c| x + c)
            .buffer(9)
            .sink_to_list();
        let time = graph.drive_manually();
        let config_1 = config.emit_tracked(1).unwrap();
        if batch {
            main.emit_all([10, 20]).unwrap();
        } else {
            main.emit(10).unwrap();
            main.emit(20).unwrap();
        }
        let main_3 = main.emit_tracked(30).unwrap();
        config.emit(2).unwrap();
        assert_eq!(outcomes([&config_1, &main_3]), [None; 2]);
        time.settle();
        assert_eq!(outcomes([&config_1, &main_3]), [DONE; 2]);
        assert_eq!(list.take(), [11, 21, 31]);
    }
}

#[test]
fn failures_keep_their_place_in_with_latest_and_those_of_the_other_flow_take_none() {
    let source = Source::<u32>::new();
    let config = source.graph().source::<u32>();
    let fit = config.try_filter(|c| unless(*c < 100));
    let rows = source
        .try_filter(|x| unless(*x != 2))
        .with_latest(fit, 0, |x, c| x + c)
        .zip(&source)
        .sink_to_list();
    config.emit(10).unwrap();
    source.emit(1).unwrap();
    assert!(matches!(config.emit(100), Err(EmitError::Failed(_))));
    assert!(matches!(source.emit(2), Err(EmitError::Failed(_))));
    source.emit(3).unwrap();
    assert_eq!(rows.take(), [(11, 1), (13, 3)]);
}

#[test]
fn a_full_holder_below_with_latest_stops_the_main_flow_and_not_the_other() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main
        .with_latest(&config, 0, |x, c| x + c)
        .buffer(2)
        .sink_to_list();
    let time = graph.drive_manually();
    let error = main.emit_all(0..10).unwrap_err();
    assert_eq!((error.accepted, error.cause.is_full()), (2, true));
    assert_eq!(config.emit_all([5, 6, 7]).unwrap(), 3);
    time.settle();
    main.emit(2).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1, 9]);
}

#[test]
fn a_closure_of_with_latest_may_feed_its_own_other_flow() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let back = config.downgrade();
    let list = main.with_latest(&config, 0, move |x, c| {
        back.emit(x + c).unwrap();
        *c
    });
    let list = list.sink_to_list();
    (1..=3).for_each(|x| main.emit(x).unwrap());
    assert_eq!(list.take(), [0, 1, 3]);
}

#[test]
#[should_panic(expected = "`with_latest` combines flows of two graphs")]
fn with_latest_of_two_graphs_panics() {
    let other = Source::<u32>::new();
    let _ = Source::<u32>::new().with_latest(&other, 0, |x, _| x);
}
