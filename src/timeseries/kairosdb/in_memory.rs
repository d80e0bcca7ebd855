// What stands in for KairosDB in the examples, which include this file: it keeps points in memory, answers every
// query of a metric with all of them, whatever their times, and groups them by tags. Its URL is returned.
pub fn kairosdb_in_memory() -> std::io::Result<String> {
    use serde_json::{Value, json};
    use std::io::{BufRead, BufReader, Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        let mut stored: Vec<Value> = Vec::new();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream?);
            let (mut path, mut length) = (String::new(), 0);
            stream.read_line(&mut path)?;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                match line.trim_end().split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.parse().unwrap_or(0);
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let answer = match path.contains("/query") {
                false => {
                    stored.extend(body.as_array().into_iter().flatten().cloned());
                    "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned()
                }
                true => {
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
                    let json = json!({"queries": queries.collect::<Vec<_>>()}).to_string();
                    let length = json.len();
                    let head = format!("content-length: {length}\r\nconnection: close");
                    format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{json}")
                }
            };
            stream.get_mut().write_all(answer.as_bytes())?;
        }
        std::io::Result::Ok(())
    });
    Ok(url)
}
