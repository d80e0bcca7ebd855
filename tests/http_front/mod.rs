//! A server of HTTP that answers as a test says, well or badly.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What was asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// By name, in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Status, headers, body.
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, and the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, for ever.
    Silence,
    /// A body without end: so many bytes, then a pause, again and again.
    Endless(usize, Duration),
    /// The connection is closed.
    Close,
}

impl Reply {
    pub fn ok(body: impl Into<String>) -> Reply {
        Reply::status(200, body)
    }

    pub fn status(status: u16, body: impl Into<String>) -> Reply {
        Reply::Full(status, Vec::new(), body.into().into_bytes())
    }

    pub fn queued() -> Reply {
        Reply::status(204, "")
    }

    pub fn errors(status: u16, errors: &[&str]) -> Reply {
        Reply::status(status, serde_json::json!({ "errors": errors }).to_string())
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Reply {
        match self {
            Reply::Full(status, mut headers, body) => {
                headers.push((name, value.into()));
                Reply::Full(status, headers, body)
            }
            other => other,
        }
    }
}

/// A server on a free port of this machine.
#[derive(Debug)]
pub struct Front {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Front {
    /// Requests are numbered from 0 on.
    pub async fn new(mut answer: impl FnMut(usize, &Asked) -> Reply + Send + 'static) -> Front {
        Front::waiting(move |n, asked| std::future::ready(answer(n, asked))).await
    }

    /// Answers take their time.
    pub async fn waiting<F: Future<Output = Reply> + Send + 'static>(
        answer: impl FnMut(usize, &Asked) -> F + Send + 'static,
    ) -> Front {
        Front::over(answer, |stream| std::future::ready(Some(stream))).await
    }

    /// With something between TCP and HTTP.
    pub async fn over<F, S, C>(
        answer: impl FnMut(usize, &Asked) -> F + Send + 'static,
        mut connect: impl FnMut(tokio::net::TcpStream) -> C + Send + 'static,
    ) -> Front
    where
        F: Future<Output = Reply> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        C: Future<Output = Option<S>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let all: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (asked, answer) = (all.clone(), Arc::new(Mutex::new(answer)));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (all, answer, stream) = (all.clone(), answer.clone(), connect(stream));
                tokio::spawn(async move {
                    let mut stream = stream.await?;
                    let asked = read(&mut stream).await?;
                    let reply = {
                        let mut all = all.lock().unwrap();
                        all.push(asked.clone());
                        let n = all.len() - 1;
                        drop(all);
                        (answer.lock().unwrap())(n, &asked)
                    };
                    write(&mut stream, reply.await).await.ok()
                });
            }
        });
        Front {
            address,
            asked,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request with a body of known length; unpacked, if it came packed.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let headers = lines.filter_map(|line| line.split_once(':'));
    let mut asked = Asked {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect(),
        body: bytes.split_off(head + 4),
    };
    let length = asked.header("content-length").unwrap_or("0").parse().ok()?;
    while asked.body.len() < length {
        if stream.read_buf(&mut asked.body).await.ok()? == 0 {
            return None;
        }
    }
    if asked.header("content-encoding") == Some("gzip")
        || asked.header("content-type") == Some("application/gzip")
    {
        let mut unpacked = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&asked.body[..]);
        decoder.read_to_end(&mut unpacked).ok()?;
        asked.body = unpacked;
    }
    Some(asked)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Full(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            if status != 204 {
                head += &format!("content-length: {}\r\n", body.len());
            }
            stream.write_all(format!("{head}\r\n").as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await?,
        Reply::Silence => std::future::pending().await,
        Reply::Endless(bytes, pause) => {
            stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await?;
            let piece = vec![b' '; bytes];
            loop {
                stream.write_all(&piece).await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            }
        }
        Reply::Close => {}
    }
    stream.shutdown().await
}
