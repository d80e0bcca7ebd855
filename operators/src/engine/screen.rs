//! A snapshot for people: why a graph is stuck, in sentences, and a table under them.

use std::fmt::{self, Write};
use std::time::Duration;

use super::census::{Counts, LOSSES};
use super::snapshot::{NodeSnapshot, Snapshot, Wait};
use super::topology::Label;

/// No line is longer, so that a terminal does not wrap any.
const WIDTH: usize = 80;
const TITLE: usize = 26;
/// Sentences of one kind: more are summed up, so that all fits on a screen.
const AT_MOST: usize = 5;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentences = self.sentences();
        for sentence in &sentences {
            paragraph(f, sentence, "")?;
        }
        if !sentences.is_empty() {
            writeln!(f)?;
        }
        self.table(f)
    }
}

impl Snapshot {
    /// What keeps elements from moving on.
    fn sentences(&self) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(cause) = &self.stopped {
            all.push(format!("The graph stopped after {cause}."));
        }
        if self.undriven {
            all.push(self.undriven());
        }
        let held_by = |label: &Label| self.node(label.id()).map(held);
        let wait = |wait: &Wait| {
            let held = held_by(&wait.holder).unwrap_or_default();
            let (origin, holder) = (name(&wait.origin), name(&wait.holder));
            let since = self.ago(wait.since);
            format!("{origin} waits for {holder}, which has been full for {since} ({held}).")
        };
        let waits = self.waits.iter().map(wait);
        summed_up(&mut all, waits, "origins wait");
        let senders = self.nodes.iter().filter(|node| node.senders > 0);
        let senders = senders.map(|node| {
            let (who, verb) = match node.senders {
                1 => ("task or thread".to_owned(), "waits"),
                n => (format!("{n} tasks or threads"), "wait"),
            };
            let who = if node.senders == 1 {
                format!("1 {who}")
            } else {
                who
            };
            // What is sent into shards never waits; who wants it in the graph may.
            let call = match node.label.kind() {
                "sharded" => "flushed",
                _ => "send",
            };
            format!("{who} {verb} in `{call}` at {}.", name(&node.label))
        });
        summed_up(&mut all, senders, "sources have senders that wait");
        let flights = self.nodes.iter().filter(|node| node.in_flight > 0);
        let flights = flights.map(|node| {
            let since = node.in_flight_since.unwrap_or(self.at);
            let futures = match node.in_flight {
                1 => "1 future".to_owned(),
                n => format!("{n} futures"),
            };
            let label = name(&node.label);
            format!(
                "{label} has {futures} in flight; none has finished for {}.",
                self.ago(since)
            )
        });
        summed_up(&mut all, flights, "operators have futures in flight");
        let starved = self.nodes.iter().filter(|node| node.is_starved());
        summed_up(&mut all, starved.map(starves), "joins wait for an input");
        if let Some(age) = self.oldest_unacknowledged {
            let age = short(age);
            all.push(format!(
                "The oldest unacknowledged element came in {age} ago."
            ));
        }
        all
    }

    fn undriven(&self) -> String {
        let mut text = String::from(
            "Nobody drives the graph, which has timers or futures: call `spawn`, `spawn_thread` or \
             `drive_manually` on it.",
        );
        if let Some(at) = self.next_deadline {
            let _ = match at > self.at {
                true => write!(text, " The next deadline comes in {}.", short(at - self.at)),
                false => write!(text, " The next deadline was {} ago.", self.ago(at)),
            };
        }
        text
    }

    fn ago(&self, since: super::clock::Time) -> String {
        short(self.at - since)
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "node", ["in", "held", "failed", "dropped"])?;
        for node in &self.nodes {
            let counts = &node.counts;
            row(
                f,
                &self.title(&node.label),
                [
                    &came_in(counts),
                    &held(node),
                    &digits(counts.failed),
                    &digits(counts.dropped()),
                ],
            )?;
            paragraph(f, &self.notes(node), "    ")?;
        }
        if self.gone.nodes > 0 {
            let gone = &self.gone;
            let title = match gone.nodes {
                1 => "1 node that is gone".to_owned(),
                n => format!("{} nodes that are gone", digits(n)),
            };
            let (failed, dropped) = (digits(gone.counts.failed), digits(gone.counts.dropped()));
            row(f, &title, ["", "", &failed, &dropped])?;
            let mut notes = losses(&gone.counts);
            for (count, what) in [
                (gone.counts.retried, "retried"),
                (gone.counts.dead_lettered, "dead-lettered"),
                (gone.accepted, "in"),
                (gone.delivered, "out"),
            ] {
                if count > 0 {
                    notes.push(format!("{} {what}", digits(count)));
                }
            }
            paragraph(f, &notes.join(", "), "    ")?;
        }
        Ok(())
    }

    /// Name and kind; the place where several are called alike.
    fn title(&self, label: &Label) -> String {
        if let Some(name) = label.name() {
            return format!("{name} ({})", label.kind());
        }
        let alike =
            |node: &&NodeSnapshot| node.label.name().is_none() && node.label.kind() == label.kind();
        match self.nodes.iter().filter(alike).count() {
            0 | 1 => label.kind().to_owned(),
            _ => {
                let place = label.location();
                let file = place.file().rsplit(['/', '\\']).next().unwrap_or_default();
                format!("{} {file}:{}", label.kind(), place.line())
            }
        }
    }

    fn notes(&self, node: &NodeSnapshot) -> String {
        let counts = &node.counts;
        let mut notes = losses(counts);
        for (count, what) in [
            (counts.out_of_turn, "out of turn"),
            (counts.retried, "retried"),
            (counts.dead_lettered, "dead-lettered"),
            (counts.keys, "keys"),
            (counts.early, "early"),
            (counts.skipped, "skipped"),
            (counts.expired, "expired"),
        ] {
            if count > 0 {
                notes.push(format!("{} {what}", digits(count)));
            }
        }
        if node.inputs.iter().any(|input| input.held > 0) {
            let shown = node.inputs.iter().take(8);
            let held: Vec<_> = shown.map(|input| digits(input.held as u64)).collect();
            let more = if node.inputs.len() > 8 { ", …" } else { "" };
            notes.push(format!("by input {}{more}", held.join(" ")));
        }
        if let Some(since) = node.blocked_since {
            notes.push(format!("full for {}", self.ago(since)));
        }
        notes.join(", ")
    }
}

/// Blank where something happened to elements, and nobody counted them as they came: operators inside
/// a run don't.
fn came_in(counts: &Counts) -> String {
    let happened = counts.failed + counts.dropped() + counts.dead_lettered > 0;
    match counts.passed {
        0 if happened => String::new(),
        passed => digits(passed),
    }
}

fn losses(counts: &Counts) -> Vec<String> {
    let lost = LOSSES.iter().filter(|loss| counts.lost(**loss) > 0);
    lost.map(|loss| {
        let what = format!("{loss:?}").to_lowercase();
        format!("{} {what}", digits(counts.lost(*loss)))
    })
    .collect()
}

/// What a join holds and what it lacks.
fn starves(node: &NodeSnapshot) -> String {
    let input = |port: usize| match &node.inputs[port].from {
        Some(from) => format!("input {port} from {}", name(from)),
        None => format!("input {port}"),
    };
    let mut full = Vec::new();
    let mut empty = Vec::new();
    for (port, at) in node.inputs.iter().enumerate() {
        match at.held {
            0 => empty.push(input(port)),
            held => full.push(format!("{held} at {}", input(port))),
        }
    }
    format!(
        "{} holds {}, and nothing at {}.",
        name(&node.label),
        listed(&full, "and"),
        listed(&empty, "or")
    )
}

fn listed(parts: &[String], word: &str) -> String {
    let shown = &parts[..parts.len().min(AT_MOST)];
    let more = parts.len() - shown.len();
    match shown {
        _ if more > 0 => format!("{} {word} {more} more", shown.join(", ")),
        [all @ .., last] if !all.is_empty() => format!("{} {word} {last}", all.join(", ")),
        _ => shown.join(", "),
    }
}

/// How a sentence calls a node: by its name, or by its kind and its place in the user's source.
fn name(label: &Label) -> String {
    match label.name() {
        Some(name) => format!("`{}`", cut(name, 40)),
        None => {
            let place = label.location();
            let file = place.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!("`{}` ({file}:{})", label.kind(), place.line())
        }
    }
}

fn held(node: &NodeSnapshot) -> String {
    let counts = &node.counts;
    // The capacity of a join is that of each of its inputs: the fullest makes origins wait.
    let fullest = node.inputs.iter().map(|input| input.held as u64).max();
    match (counts.capacity, fullest) {
        (1.., Some(held)) => format!("{} of {}", digits(held), digits(counts.capacity)),
        _ => held_at_all(counts),
    }
}

fn held_at_all(counts: &Counts) -> String {
    match counts.capacity {
        0 => digits(counts.held),
        capacity => {
            let held = counts.held.saturating_sub(counts.out_of_turn);
            format!("{} of {}", digits(held), digits(capacity))
        }
    }
}

/// At most seven characters.
fn digits(count: u64) -> String {
    match count {
        0..=999_999 => count.to_string(),
        1_000_000..=9_999_999_999 => format!("{:.1}M", count as f64 / 1e6).replace(".0M", "M"),
        _ => format!("{:.0e}", count as f64),
    }
}

fn short(time: Duration) -> String {
    match time {
        Duration::ZERO => "0s".to_owned(),
        _ => format!("{time:.1?}"),
    }
}

fn summed_up(all: &mut Vec<String>, sentences: impl Iterator<Item = String>, more: &str) {
    let mut sentences = sentences.fuse();
    all.extend(sentences.by_ref().take(AT_MOST));
    match sentences.count() {
        0 => {}
        count => all.push(format!("{count} more {more}.")),
    }
}

fn row(f: &mut fmt::Formatter<'_>, title: &str, columns: [&str; 4]) -> fmt::Result {
    let [passed, held, failed, dropped] = columns;
    let title = cut(title, TITLE);
    let row = format!("{title:<TITLE$} {passed:>10} {held:>17} {failed:>10} {dropped:>10}");
    writeln!(f, "{}", row.trim_end())
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width - 1) {
        Some((at, last)) if at + last.len_utf8() < text.len() => format!("{}…", &text[..at]),
        _ => text.to_owned(),
    }
}

/// Writes words into lines that fit; a single word that does not is cut.
fn paragraph(f: &mut fmt::Formatter<'_>, text: &str, indent: &str) -> fmt::Result {
    let mut line = String::new();
    for word in text.split_whitespace() {
        let word = cut(word, WIDTH - indent.len() - 2);
        let room = WIDTH - indent.len() - if line.is_empty() { 0 } else { 1 };
        if line.chars().count() + word.chars().count() > room {
            writeln!(f, "{indent}{line}")?;
            // What goes on is set in, so that one sees where a sentence begins.
            line = String::from("  ");
            line.push_str(&word);
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    if line.is_empty() {
        return Ok(());
    }
    writeln!(f, "{indent}{line}")
}
