//! Batches grouped by tags.

use headwater::aggregate::{GroupBy, Of};
use headwater::metrics::{Element, Metric, Tags};
use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Role, Variant, Workload};
use crate::workloads::group_by_tags::{BATCH, digest, set, value};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload
        .variant(Variant::prepared("headwater GroupBy", Role::Ours, group_by))
        .variant(Variant::prepared("headwater Metric", Role::Ours, metric))
}

fn tags(set: u64) -> Tags {
    Tags::from([
        ("host", format!("web-{set}")),
        ("route", format!("/api/v1/items/{set}")),
        ("zone", "eu-west-1".to_owned()),
    ])
}

fn group_by(n: u64) -> impl FnOnce() -> u64 {
    let records: Vec<(Tags, f64)> = (0..n).map(|i| (tags(set(i)), value(i))).collect();
    move || {
        let (mut out, total) = outbox();
        let source = Source::<(Tags, f64)>::new();
        let figures = Of::new((Sum, Mean, Max), |r: &(Tags, f64)| r.1);
        source
            .fold_partition(BATCH, GroupBy::new(|r: &(Tags, f64)| r.0.clone(), figures))
            .flatten()
            .sink(move |(_, (sum, mean, max))| out.add(digest(sum, mean, max)));
        source.emit_all(records).expect("nothing fails");
        drop(source);
        total.take()
    }
}

fn metric(n: u64) -> impl FnOnce() -> u64 {
    let name = std::sync::Arc::<str>::from("m");
    let element = |i| Element::new(name.clone(), value(i)).tagged(tags(set(i)));
    let records: Vec<Element> = (0..n).map(element).collect();
    move || {
        let (mut out, total) = outbox();
        let source = Source::<Element>::new();
        let metric = Metric::new("m")
            .agg("sum", Sum)
            .agg("mean", Mean)
            .agg("max", Max)
            .batch(BATCH);
        let elements = metric.aggregate(&source).expect("it is complete");
        // Of each group three elements come, aggregator by aggregator: they are counted one by one.
        elements.sink(move |element| {
            let bits = element.value().as_f64().to_bits();
            let turn = match element.name() {
                "m.sum" => 0,
                "m.mean" => 7,
                _ => 13,
            };
            out.add(bits.rotate_left(turn));
        });
        source.emit_all(records).expect("nothing fails");
        drop(source);
        total.take()
    }
}
