//! The sink that speaks OpenTSDB's HTTP protocol: what is requested, and what each answer means.

#![cfg(feature = "opentsdb")]

#[path = "../opentsdb/mod.rs"]
mod opentsdb;

mod refusals;
mod requests;
mod troubles;
mod whatever_is_answered;

use std::sync::{Arc, Mutex};

use headwater::metrics::OpenTsdbHttpSink;
use opentsdb::{Front, Got};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request as it came.
#[derive(Debug, Clone)]
struct Request {
    /// The first line and the headers, in small letters.
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn points(&self) -> Vec<Value> {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The names of the points.
    fn names(&self) -> Vec<String> {
        let points = self.points();
        points
            .iter()
            .map(|point| point["metric"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// What a receiver does with a request.
enum Reply {
    /// Status, more headers, body.
    Answer(u16, &'static str, String),
    /// Breaks the connection off.
    Reset,
    /// Says nothing.
    Silence,
}

fn status(status: u16) -> Reply {
    Reply::Answer(status, "", String::new())
}

fn body(status: u16, body: &Value) -> Reply {
    Reply::Answer(status, "", body.to_string())
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut came = Vec::new();
    loop {
        if let Some(end) = came.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(came[..end].to_vec())
                .unwrap()
                .to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap();
            let (length, begin): (usize, usize) = (length.parse().unwrap(), end + 4);
            if came.len() == begin + length {
                let body = came[begin..].to_vec();
                return Some(Request { head, body });
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => came.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}

/// A receiver that replies by a closure, and keeps requests. Keeps its connections open.
async fn front(got: &Got<Request>, reply: impl FnMut(&Request) -> Reply + Send + 'static) -> Front {
    let (got, reply) = (got.clone(), Arc::new(Mutex::new(reply)));
    Front::new(move |_, mut stream| {
        let (got, reply) = (got.clone(), reply.clone());
        async move {
            while let Some(request) = read_request(&mut stream).await {
                let reply = (reply.lock().unwrap())(&request);
                got.push(request);
                match reply {
                    Reply::Answer(status, headers, body) => {
                        let length = match status {
                            204 => String::new(),
                            _ => format!("content-length: {}\r\n", body.len()),
                        };
                        let text = format!("HTTP/1.1 {status} X\r\n{headers}{length}\r\n{body}");
                        if stream.write_all(text.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                    Reply::Reset => {
                        stream.set_zero_linger().unwrap();
                        return;
                    }
                    Reply::Silence => {
                        let _ = stream.read(&mut [0; 1]).await;
                        return;
                    }
                }
            }
        }
    })
    .await
}

fn sink(front: &Front) -> OpenTsdbHttpSink {
    OpenTsdbHttpSink::new(format!("http://{}", front.address)).unwrap()
}

fn names(requests: &[Request]) -> Vec<Vec<String>> {
    requests.iter().map(Request::names).collect()
}
