// A server of HTTP on loopback for the examples of the docs, which include this file: for each request it is asked by
// its first line and its body, and answers in JSON, or without content. Its URL is returned.
fn served(
    mut answer: impl FnMut(&str, &[u8]) -> Option<String> + Send + 'static,
) -> std::io::Result<String> {
    use std::io::{BufRead, BufReader, Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream?);
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first)?;
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
            let answer = match answer(&first, &body) {
                None => "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
                Some(json) => {
                    let head = format!("content-length: {}\r\nconnection: close", json.len());
                    format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{json}")
                }
            };
            stream.get_mut().write_all(answer.as_bytes())?;
        }
        std::io::Result::Ok(())
    });
    Ok(url)
}
