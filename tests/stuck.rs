//! "Why is it stuck?": what a snapshot says, in print and to programs.

use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{Failure, OnFull, Retry, combine_latest, zip, zip_all};

const SECOND: Duration = Duration::from_secs(1);

/// The printed screen of a graph, of which nothing wraps at 80 columns.
fn screen(graph: &Graph) -> String {
    let screen = graph.snapshot().unwrap().to_string();
    for line in screen.lines() {
        assert!(line.chars().count() <= 80, "too long: {line}");
        assert_eq!(line, line.trim_end());
    }
    // Places in this file move whenever it is edited.
    let mut parts = screen.split("stuck.rs:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "stuck.rs:#" + part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
    })
}

#[test]
fn a_graph_that_is_not_stuck_prints_its_table() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let lines = graph.source::<u32>().named("lines");
    lines.buffer(16).named("queue").sink(drop).named("out");
    lines.emit(1).unwrap();
    assert_eq!(
        screen(&graph),
        "\
node                               in              held     failed    dropped\n\
lines (source)                      1                 0          0          0\n\
queue (buffer)                      1           1 of 16          0          0\n\
out (sink)                          0                 0          0          0\n"
    );
}

#[test]
fn a_chain_of_who_waits_for_whom_leads_to_the_cause() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let lines = graph.source::<u32>().named("lines");
    lines
        .buffer(3)
        .named("queue")
        .sink_async(2, |_| pending())
        .named("write");
    time.advance(SECOND);
    for n in 0..9 {
        let _ = lines.emit(n);
        time.settle();
    }
    let mut waits = pin!(lines.send(9));
    assert!(
        waits
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    time.advance(Duration::from_millis(3_200));
    assert_eq!(
        screen(&graph),
        "\
`lines` waits for `queue`, which has been full for 3.2s (3 of 3).\n\
`queue` waits for `write`, which has been full for 3.2s (2 of 2).\n\
1 task or thread waits in `send` at `lines`.\n\
`write` has 2 futures in flight; none has finished for 3.2s.\n\
\n\
node                               in              held     failed    dropped\n\
lines (source)                      5                 0          0          0\n\
queue (buffer)                      5            3 of 3          0          0\n\
\x20   full for 3.2s\n\
write (sink_async)                  2            2 of 2          0          0\n\
\x20   full for 3.2s\n"
    );
}

#[test]
fn a_join_says_what_its_inputs_hold_and_which_is_empty() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let a = graph.source::<u32>().named("a");
    let b = graph.source::<u32>();
    let c = graph.source::<u32>().named("c");
    let rows = zip((&a, b.map(|x| x), c.map(|x| x).named("doubled")));
    rows.capacity(4).sink(drop).named("rows");
    combine_latest((&a, &c)).sink(drop).named("both");
    a.emit_all(0..3).unwrap();
    c.emit(1).unwrap();
    let receipt = a.emit_tracked(3).unwrap();
    time.advance(5 * SECOND);
    assert_eq!(
        screen(&graph),
        "\
`a` waits for `zip` (stuck.rs:#), which has been full for 5.0s (4 of 4).\n\
`zip` (stuck.rs:#) holds 4 at input 0 from `a` and 1 at input 2 from `doubled`,\n\
\x20 and nothing at input 1 from `source` (stuck.rs:#).\n\
The oldest unacknowledged element came in 5.0s ago.\n\
\n\
node                               in              held     failed    dropped\n\
a (source)                          4                 0          0          0\n\
source                              0                 0          0          0\n\
c (source)                          1                 0          0          0\n\
zip                                 5            4 of 4          0          0\n\
\x20   by input 4 0 1, full for 5.0s\n\
rows (sink)                         0                 0          0          0\n\
combine_latest                      5                 2          0          2\n\
\x20   2 superseded, by input 1 1\n\
both (sink)                         2                 0          0          0\n"
    );
    drop(receipt);
}

#[test]
fn an_undriven_graph_says_so_and_when_its_next_deadline_is() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>().named("readings");
    let _ = source.timed_window(3 * SECOND).sink_to_list();
    source.emit(1).unwrap();
    time.advance(SECOND);
    drop(time);
    assert_eq!(
        screen(&graph),
        "\
Nobody drives the graph, which has timers or futures: call `spawn`,\n\
\x20 `spawn_thread` or `drive_manually` on it. The next deadline comes in 2.0s.\n\
\n\
node                               in              held     failed    dropped\n\
readings (source)                   1                 0          0          0\n\
timed_window                        1        1 of 65536          0          0\n\
sink                                0                 0          0          0\n"
    );
}

#[test]
fn a_stopped_graph_tells_the_cause_before_all_else() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let source = graph.source::<&str>().named("lines");
    source
        .try_map(|text| Ok(text.parse::<u32>()?))
        .named("parse")
        .sink(drop);
    let _ = source.emit("two");
    assert_eq!(
        screen(&graph),
        "\
The graph stopped after `parse` at tests/stuck.rs:# failed: invalid digit\n\
\x20 found in string.\n\
\n\
node                               in              held     failed    dropped\n\
lines (source)                      1                 0          0          0\n\
parse (try_map)                                       0          1          0\n\
sink                                0                 0          0          0\n"
    );
}

#[test]
fn losses_and_what_has_gone_are_in_the_table() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source
        .buffer(2)
        .on_full(OnFull::DropOldest)
        .sink(drop)
        .named("newest");
    let other = source.buffer(100).sink(drop);
    source.emit_all(0..10).unwrap();
    other.discard();
    time.settle();
    assert_eq!(
        screen(&graph),
        "\
node                               in              held     failed    dropped\n\
source                             10                 0          0          0\n\
buffer                             10            0 of 2          0          8\n\
\x20   8 overflow\n\
newest (sink)                       2                 0          0          0\n\
2 nodes that are gone                                            0         10\n\
\x20   10 discarded\n"
    );
}

#[test]
fn long_names_and_many_of_a_kind_still_fit_on_a_screen() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let mut sources = Vec::new();
    for n in 0..7 {
        let name = format!("a source whose name is long enough to need a cut, number {n}");
        let source = graph.source::<u32>().named(name);
        source
            .buffer(1)
            .named("a_name_of_one_single_word_that_is_too_long_for_a_line_of_eighty_columns")
            .sink(drop);
        source.emit(n).unwrap();
        sources.push(source);
    }
    let screen = screen(&graph);
    assert!(screen.contains("\n2 more origins wait.\n"), "{screen}");
    assert!(screen.starts_with(
        "`a source whose name is long enough to n…` waits for\n  \
         `a_name_of_one_single_word_that_is_too_l…`, which has been full for 0s (1 of\n  1).\n"
    ));
    assert!(screen.contains(
        "\na source whose name is lo…          1                 0          0          0\n"
    ));
}

#[test]
fn programs_read_the_same_facts() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let a = graph.source::<u32>().named("a");
    let b = graph.source::<u32>().named("b");
    a.buffer(1).named("queue").sink_async(1, |_| pending());
    let _ = zip((&b, &a)).sink_to_list();
    a.emit(1).unwrap();
    time.settle();
    let _ = a.emit(2);
    time.advance(SECOND);
    let snapshot = graph.snapshot().unwrap();
    let waits: Vec<_> = snapshot
        .waits
        .iter()
        .map(|wait| (wait.origin.title(), wait.holder.title(), wait.since))
        .collect();
    assert_eq!(
        waits,
        [
            ("a", "queue", Time::ZERO),
            ("queue", "sink_async", Time::ZERO),
        ]
    );
    let zip = snapshot.named("zip").unwrap();
    assert!(zip.is_starved());
    let inputs: Vec<_> = zip.inputs.iter().map(|input| input.held).collect();
    assert_eq!(inputs, [0, 2]);
    assert_eq!(zip.inputs[0].from.as_ref().unwrap().title(), "b");
    let write = snapshot.named("sink_async").unwrap();
    assert_eq!(write.in_flight, 1);
    assert_eq!(write.in_flight_since, Some(Time::ZERO));
    assert!(!snapshot.undriven && snapshot.stopped.is_none());
}

#[test]
fn depth_and_capacity_are_what_the_user_wrote_and_early_results_stand_beside_them() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>().named("asked");
    source
        .map_async(2, |n| async move {
            if n == 0 {
                pending::<()>().await;
            }
            n
        })
        .named("ask")
        .sink(drop)
        .named("out");
    let keyed = graph.source::<u32>().named("keyed");
    keyed
        .map_async(3, |_| pending::<()>())
        .by_key(|n| n % 2)
        .named("store")
        .sink(drop)
        .named("stored");
    for n in 0..4 {
        source.emit(n).unwrap();
        keyed.emit(2 * n).unwrap();
        time.settle();
    }
    let snapshot = graph.snapshot().unwrap();
    let ask = snapshot.named("ask").unwrap().counts;
    assert_eq!((ask.held, ask.capacity, ask.out_of_turn), (4, 2, 3));
    assert_eq!(
        screen(&graph),
        "\
`ask` has 1 future in flight; none has finished for 0s.\n\
`store` has 1 future in flight; none has finished for 0s.\n\
\n\
node                               in              held     failed    dropped\n\
asked (source)                      4                 0          0          0\n\
keyed (source)                      4                 0          0          0\n\
ask (map_async)                     4            1 of 2          0          0\n\
\x20   3 out of turn\n\
out (sink)                          0                 0          0          0\n\
store (map_async)                   4            1 of 3          0          0\n\
\x20   3 out of turn\n\
stored (sink)                       0                 0          0          0\n"
    );
    let counted = graph.topology().with_counts(&snapshot).to_mermaid();
    assert!(counted.contains("1 of 2 held"), "{counted}");
    assert!(counted.contains("3 out of turn"), "{counted}");
}

#[test]
fn retries_and_dead_letters_are_counted_where_they_happen() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let dead = graph.source::<Failure>().named("dead");
    dead.sink(drop).named("letters");
    let texts = graph.source::<&str>().named("texts");
    let numbers = texts
        .try_map_async(4, |text| async move { Ok(text.parse::<u32>()?) })
        .retry(Retry::attempts(3))
        .named("parse")
        .dead_letter(&dead)
        .sink_to_list();
    texts.emit_all(["1", "two", "3"]).unwrap();
    time.advance(9 * SECOND);
    assert_eq!(numbers.take(), [1, 3]);
    let snapshot = graph.snapshot().unwrap();
    let counts = |title| snapshot.named(title).unwrap().counts;
    assert_eq!(counts("parse").retried, 2);
    assert_eq!(counts("dead_letter").dead_lettered, 1);
    assert_eq!(
        screen(&graph),
        "\
node                               in              held     failed    dropped\n\
dead (source)                       1                 0          0          0\n\
texts (source)                      3                 0          0          0\n\
letters (sink)                      1                 0          0          0\n\
parse (try_map_async)               3            0 of 4          0          0\n\
\x20   2 retried\n\
dead_letter                                           0          0          0\n\
\x20   1 dead-lettered\n\
sink                                2                 0          0          0\n"
    );
    numbers.branch().disconnect();
    let text = screen(&graph);
    assert!(text.contains("2 retried"), "{text}");
    assert!(text.contains("1 dead-lettered"), "{text}");
    let report = graph.close().unwrap();
    assert_eq!(
        (report.snapshot.retried(), report.snapshot.dead_lettered()),
        (2, 1)
    );
    let text = report.to_string();
    assert!(
        text.contains("0 failed, 1 dead-lettered, 2 retried"),
        "{text}"
    );
}

#[test]
fn what_came_in_counts_at_joins_and_ends_as_at_holders() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let a = graph.source::<u32>();
    let b = graph.source::<u32>();
    a.zip(&b).sink(drop);
    a.zip_latest(&b).sink(drop);
    a.combine_latest(&b).sink(drop);
    a.with_latest(&b, 0, |x, y| x + y).sink(drop);
    a.union(&b).sink(drop);
    a.chain(&b).sink(drop);
    zip_all(vec![a.map(|x| x).boxed(), b.map(|x| x).boxed()])
        .named("all")
        .sink(drop);
    a.sink_async(4, |_| pending());
    a.forward(futures::sink::drain());
    a.emit_all(0..3).unwrap();
    a.emit(3).unwrap();
    b.emit(0).unwrap();
    b.emit_all(1..3).unwrap();
    time.settle();
    let snapshot = graph.snapshot().unwrap();
    let counts = |title| snapshot.named(title).unwrap().counts;
    for join in [
        "zip",
        "zip_latest",
        "combine_latest",
        "with_latest",
        "union",
        "chain",
        "all",
    ] {
        assert_eq!(counts(join).passed, 7, "{join}");
    }
    let ends = ["sink_async", "forward"].map(counts);
    assert_eq!(
        ends.map(|end| (end.passed, end.delivered)),
        [(4, 0), (4, 4)]
    );
}
