include!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/timeseries/rest/in_memory.rs"
));

// What stands in for proficloud.io in the examples of the docs, which include this file: it gives a token to
// everybody, and answers every query with one point. Its URL is returned.
pub fn proficloud_in_memory() -> std::io::Result<String> {
    served(|request, _| {
        let json = match request.starts_with("POST") {
            true => r#"{"access_token": "t", "expires_in": 300, "refresh_token": "r"}"#,
            false => {
                r#"[{"7d0e": {"temperature": [
                    {"timestamp": "2023-11-14T22:13:20.123Z", "values": {"value": 21.5}}]}}]"#
            }
        };
        Some(json.to_owned())
    })
}
