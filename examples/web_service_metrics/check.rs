//! Whether what the service measured is what its clients saw.

use std::collections::BTreeMap;

use headwater::metrics::{FacadeSnapshot, PipelineSnapshot, Tags};

use crate::clients::Answers;
use crate::ledger::Ledger;

/// What is missing in a scrape.
pub fn scrape_faults(scraped: &str) -> Vec<String> {
    let wanted = [
        "requests_total{",
        "latency_milliseconds_count{",
        "cache_lookups_total{",
    ];
    let missing = wanted.into_iter().filter(|name| !scraped.contains(name));
    missing
        .map(|name| format!("there is no {name}…}} in what Prometheus would get"))
        .collect()
}

/// What does not add up, in sentences.
pub fn faults(
    ledger: &Ledger,
    answers: &Answers,
    report: &PipelineSnapshot,
    facade: &FacadeSnapshot,
) -> Vec<String> {
    let books = ledger.books();
    let total = |name: &str, tags: &Tags| {
        let key = (name.to_owned(), tags.key());
        books.totals.get(&key).copied().unwrap_or_default()
    };
    let all = |name: &str| -> f64 {
        let of = books.totals.iter().filter(|((known, _), _)| known == name);
        of.map(|(_, total)| total).sum()
    };
    let mut faults = Vec::new();
    let mut same = |what: String, measured: f64, counted: u64| {
        if measured != counted as f64 {
            faults.push(format!("{what}: measured {measured}, counted {counted}"));
        }
    };

    let mut by_route: BTreeMap<&str, u64> = BTreeMap::new();
    for ((route, code), counted) in answers {
        let tags = Tags::from([("route", route)]).with("code", *code);
        let measured = total("requests.sum", &tags);
        same(format!("answers {code} of {route}"), measured, *counted);
        *by_route.entry(route).or_default() += counted;
    }
    let answered = by_route.values().sum();
    same("answers in all".to_owned(), all("requests.sum"), answered);
    for (route, counted) in &by_route {
        let measured = total("latency.count", &Tags::from([("route", route)]));
        same(format!("durations of {route}"), measured, *counted);
    }

    // By the facade, and by spans.
    let of = |route: &str| by_route.get(route).copied().unwrap_or_default();
    let lookups = all("cache_lookups.sum");
    same("lookups".to_owned(), lookups, of("/product/{id}"));
    let misses = total("cache_lookups.sum", &Tags::from([("outcome", "miss")]));
    let products = total("query.count", &Tags::from([("table", "products")]));
    same("queries of products".to_owned(), products, misses as u64);
    let orders = total("query.count", &Tags::from([("table", "orders")]));
    same("queries of orders".to_owned(), orders, of("/checkout"));
    same(
        "requests under way in the end".to_owned(),
        total("under_way.last", &Tags::new()),
        0,
    );

    let refused = facade.clashed + facade.overflow + facade.invalid;
    if report.overflow + refused > 0 {
        faults.push(format!(
            "{} values were dropped, {refused} refused",
            report.overflow
        ));
    }
    for sink in &report.sinks {
        if sink.delivered < sink.elements {
            let lost = sink.elements - sink.delivered;
            faults.push(format!("{lost} elements did not reach {}", sink.name));
        }
    }
    faults
}
