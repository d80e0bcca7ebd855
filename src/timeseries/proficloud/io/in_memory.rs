// What stands in for proficloud.io in the examples of the docs, which include this file: it gives a token to
// everybody, and answers every query with one point. Its URL is returned.
pub fn proficloud_in_memory() -> std::io::Result<String> {
    use std::io::{BufRead, BufReader, Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
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
            let json = match path.starts_with("POST") {
                true => r#"{"access_token": "t", "expires_in": 300, "refresh_token": "r"}"#,
                false => {
                    r#"[{"7d0e": {"temperature": [
                        {"timestamp": "2023-11-14T22:13:20.123Z", "values": {"value": 21.5}}]}}]"#
                }
            };
            let head = format!("content-length: {}\r\nconnection: close", json.len());
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{json}");
            stream.get_mut().write_all(answer.as_bytes())?;
        }
        std::io::Result::Ok(())
    });
    Ok(url)
}
