include!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/timeseries/rest/in_memory.rs"
));

// What stands in for KairosDB in the examples, which include this file: it keeps points in memory, answers every
// query of a metric with all of them, whatever their times, and groups them by tags. Its URL is returned.
pub fn kairosdb_in_memory() -> std::io::Result<String> {
    use serde_json::{Value, json};

    let mut stored: Vec<Value> = Vec::new();
    served(move |request, body| {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if !request.contains("/query") {
            stored.extend(body.as_array().into_iter().flatten().cloned());
            return None;
        }
        let asked = body["metrics"].as_array().into_iter().flatten();
        let queries = asked.map(|metric| {
            let found = stored.iter().filter(|one| one["name"] == metric["name"]);
            let results = found.map(|one| {
                let tags = one["tags"].as_object().into_iter().flatten();
                let tags = tags.map(|(name, value)| (name.clone(), json!([value])));
                let tags: serde_json::Map<_, _> = tags.collect();
                let groups = metric["group_by"].as_array().into_iter().flatten();
                let groups = groups.filter(|by| by["name"] == "tag").map(|by| {
                    let names = by["tags"].as_array().into_iter().flatten();
                    let names = names.filter_map(Value::as_str);
                    let value = |name| one["tags"][name].as_str().unwrap_or_default();
                    let group: std::collections::BTreeMap<_, _> =
                        names.map(|name| (name, value(name))).collect();
                    json!({"name": "tag", "tags": by["tags"], "group": group})
                });
                let groups: Vec<_> = groups.collect();
                json!({
                    "name": one["name"], "group_by": groups, "tags": tags,
                    "values": one["datapoints"],
                })
            });
            json!({"results": results.collect::<Vec<_>>()})
        });
        Some(json!({"queries": queries.collect::<Vec<_>>()}).to_string())
    })
}
