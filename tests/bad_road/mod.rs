//! A proxy of HTTP on a bad road: what goes through it comes late, in part, as something else, or never.
//!
//! What happens to which exchange is a script's to say, or a seed's. Times are tokio's: they may be virtual.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::http_front::{Asked, read};

/// What happens to an exchange. The server has had the request, but where another one answers in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It goes through, later.
    Late(Duration),
    /// The connection is closed before the request goes on.
    HungUp,
    /// The connection is reset before anything is answered.
    Reset,
    /// The connection is reset after so many percent of the body.
    ResetWithin(usize),
    /// The connection ends in order after so many percent of the body.
    Cut(usize, Frame),
    /// Instead of the server's, a status, with a page such as gateways have; after so many seconds one may ask
    /// again.
    Status(u16, Option<u64>),
    /// Instead of the server's answer, this body with status 200.
    Instead(&'static str),
    /// The right answer, said to be gzip, which it is not.
    NoGzip,
    /// A body that goes on for ever, without a pause or with one.
    Endless(Duration),
    /// The connection stays open, and nothing comes.
    Silence,
    /// The body comes by so many percent at a time, with a pause after each.
    Trickle(usize, Duration),
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// The length of the whole was said before.
    Length,
    /// It comes in chunks, and the last one is missing.
    Chunks,
    /// It is where the connection ends: what is cut looks whole.
    Close,
    /// The length of the part was said before: it looks whole, too.
    OfThePart,
}

impl Fault {
    /// What kind of fault it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Late(_) => "late",
            Fault::HungUp => "hung up",
            Fault::Reset => "reset",
            Fault::ResetWithin(_) => "reset within",
            Fault::Cut(_, Frame::Length) => "cut before its length",
            Fault::Cut(_, Frame::Chunks) => "cut within its chunks",
            Fault::Cut(_, Frame::Close) => "cut by the close",
            Fault::Cut(_, Frame::OfThePart) => "cut by its length",
            Fault::Status(429, None) => "429",
            Fault::Status(429, Some(_)) => "429 with patience",
            Fault::Status(500.., _) => "5xx",
            Fault::Status(..) => "4xx",
            Fault::Instead(_) => "something else",
            Fault::NoGzip => "no gzip",
            Fault::Endless(_) => "endless",
            Fault::Silence => "silence",
            Fault::Trickle(..) => "trickle",
        }
    }
}

/// How many kinds there are.
pub const KINDS: usize = 17;

/// What is JSON, or nearly, and no answer to a query of one metric.
pub const NO_ANSWERS: [&str; 9] = [
    "<html><body>Please sign in</body></html>",
    "",
    "null",
    "[]",
    "{}",
    r#"{"queries": []}"#,
    r#"{"queries": [{"sample_size": 1}]}"#,
    r#"{"queries": [{"results": [{"name": "m", "values": [["now", 1]]}]}]}"#,
    r#"{"queries": [{"results": []}]} and more"#,
];

/// What a seed makes of the exchange of this number: one in `one_in` goes wrong. Those who ask have a patience:
/// some of what is slow is still in time, and some is not.
pub fn by_chance(
    seed: u64,
    one_in: u64,
    patience: Duration,
) -> impl FnMut(usize) -> Option<Fault> + Send + 'static {
    move |n| {
        let chance = |what: &str, below: u64| {
            let hasher = BuildHasherDefault::<DefaultHasher>::default();
            hasher.hash_one((seed, n, what)) % below
        };
        if chance("whether", one_in) > 0 {
            return None;
        }
        let share = chance("share", 101) as usize;
        let some = patience.mul_f64(chance("time", 150) as f64 / 100.0);
        Some(match chance("fault", 17) {
            0 => Fault::Late(some),
            1 => Fault::HungUp,
            2 => Fault::Reset,
            3 => Fault::ResetWithin(share),
            4 => Fault::Cut(share.min(99), Frame::Length),
            5 => Fault::Cut(share, Frame::Chunks),
            6 => Fault::Cut(share.min(99), Frame::Close),
            7 => Fault::Cut(share.min(99), Frame::OfThePart),
            8 => Fault::Status(429, None),
            // In whole seconds, as HTTP has it.
            9 => Fault::Status(429, Some(some.as_secs())),
            10 => Fault::Status(500 + chance("status", 5) as u16, None),
            11 => Fault::Status(401 + chance("status", 5) as u16, None),
            12 => Fault::Instead(NO_ANSWERS[chance("body", NO_ANSWERS.len() as u64) as usize]),
            13 => Fault::NoGzip,
            14 => Fault::Endless(some / 100),
            15 => Fault::Silence,
            _ => Fault::Trickle(1 + share / 4, some / 20),
        })
    }
}

/// This once, and nothing after it.
pub fn once(faults: impl IntoIterator<Item = Fault>) -> impl FnMut(usize) -> Option<Fault> {
    let mut faults: std::collections::VecDeque<Fault> = faults.into_iter().collect();
    move |_| faults.pop_front()
}

type Plan = Box<dyn FnMut(usize) -> Option<Fault> + Send>;

/// A proxy on a free port of this machine.
#[derive(Debug)]
pub struct BadRoad {
    pub address: SocketAddr,
    road: Arc<Mutex<Road>>,
    task: tokio::task::JoinHandle<()>,
}

struct Road {
    plan: Option<Plan>,
    exchanges: usize,
    dealt: BTreeMap<&'static str, usize>,
}

impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} exchanges, {:?}", self.exchanges, self.dealt)
    }
}

/// What the server has answered.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl BadRoad {
    /// A road to the server of this URL, good so far.
    pub async fn to(server: impl Into<String>) -> BadRoad {
        let (listener, server) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            server.into(),
        );
        let address = listener.local_addr().unwrap();
        let road = Arc::new(Mutex::new(Road {
            plan: None,
            exchanges: 0,
            dealt: BTreeMap::new(),
        }));
        // A connection for each request, as the server may be killed at any time.
        let client = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shared = road.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                while connections.try_join_next().is_some() {}
                let (client, server, road) = (client.clone(), server.clone(), shared.clone());
                connections.spawn(async move {
                    let mut stream = stream;
                    // A head must not wait for the other side's word before its body may follow.
                    stream.set_nodelay(true).unwrap();
                    while travel(&mut stream, &client, &server, &road).await.is_some() {}
                });
            }
        });
        BadRoad {
            address,
            road,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on the plan says what goes wrong; it is asked for each exchange, which are numbered from 0 on.
    pub fn worsen(&self, plan: impl FnMut(usize) -> Option<Fault> + Send + 'static) {
        self.road.lock().unwrap().plan = Some(Box::new(plan));
    }

    /// From now on all goes well.
    pub fn repair(&self) {
        self.road.lock().unwrap().plan = None;
    }

    /// How often each kind of fault has happened.
    pub fn dealt(&self) -> BTreeMap<&'static str, usize> {
        self.road.lock().unwrap().dealt.clone()
    }

    /// How many requests have come.
    pub fn exchanges(&self) -> usize {
        self.road.lock().unwrap().exchanges
    }
}

impl Drop for BadRoad {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Road {
    fn next(&mut self) -> Option<Fault> {
        let fault = self.plan.as_mut().and_then(|plan| plan(self.exchanges));
        self.exchanges += 1;
        if let Some(fault) = &fault {
            *self.dealt.entry(fault.kind()).or_default() += 1;
        }
        fault
    }
}

/// One exchange; `None` if the connection ends.
async fn travel(
    stream: &mut TcpStream,
    client: &reqwest::Client,
    server: &str,
    road: &Mutex<Road>,
) -> Option<()> {
    let asked = read(stream).await?;
    let fault = road.lock().unwrap().next();
    if let Some(fault @ (Fault::HungUp | Fault::Status(..) | Fault::Instead(_))) = fault {
        return answered(stream, Some(fault), page(502)).await;
    }
    let answer = ask(client, server, &asked).await.unwrap_or_else(|_| {
        // As gateways say it.
        page(502)
    });
    answered(stream, fault, answer).await
}

fn page(status: u16) -> Answer {
    let body = format!("<html><body><h1>{status}</h1></body></html>");
    Answer {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: body.into_bytes(),
    }
}

/// Asks the server.
async fn ask(
    client: &reqwest::Client,
    server: &str,
    asked: &Asked,
) -> Result<Answer, reqwest::Error> {
    let method = asked.method.parse().expect("a method");
    let mut request = client.request(method, format!("{server}{}", asked.path));
    for (name, value) in &asked.headers {
        // What was packed has been unpacked.
        let ours = ["host", "connection", "content-length", "content-encoding"];
        if !ours.contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let answer = request.body(asked.body.clone()).send().await?;
    let headers = answer.headers().iter().filter(|(name, _)| {
        !["connection", "content-length", "transfer-encoding"].contains(&name.as_str())
    });
    let text = |value: &reqwest::header::HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    };
    Ok(Answer {
        status: answer.status().as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: answer.bytes().await?.to_vec(),
    })
}

/// Answers; `None` if the connection ends with it.
async fn answered(stream: &mut TcpStream, fault: Option<Fault>, mut answer: Answer) -> Option<()> {
    let all = answer.body.len();
    let part = |percent: usize| all * percent / 100;
    match fault {
        None => {}
        Some(Fault::Late(late)) => tokio::time::sleep(late).await,
        Some(Fault::HungUp) => return None,
        Some(Fault::Reset) => return reset(stream),
        Some(Fault::ResetWithin(percent)) => {
            head(stream, &answer, Frame::Length, all).await?;
            stream.write_all(&answer.body[..part(percent)]).await.ok()?;
            return reset(stream);
        }
        Some(Fault::Cut(percent, frame)) => {
            let body = &answer.body[..part(percent)];
            let length = if frame == Frame::OfThePart {
                body.len()
            } else {
                all
            };
            head(stream, &answer, frame, length).await?;
            if frame == Frame::Chunks && !body.is_empty() {
                let size = format!("{:x}\r\n", body.len());
                stream.write_all(size.as_bytes()).await.ok()?;
                stream.write_all(body).await.ok()?;
                stream.write_all(b"\r\n").await.ok()?;
            } else {
                stream.write_all(body).await.ok()?;
            }
            stream.shutdown().await.ok()?;
            return None;
        }
        Some(Fault::Status(status, after)) => {
            answer = page(status);
            let after = after.map(|after| ("retry-after".to_owned(), after.to_string()));
            answer.headers.extend(after);
        }
        Some(Fault::Instead(body)) => {
            answer.status = 200;
            answer.body = body.as_bytes().to_vec();
        }
        Some(Fault::NoGzip) => {
            answer
                .headers
                .retain(|(name, _)| name != "content-encoding");
            let gzip = ("content-encoding".to_owned(), "gzip".to_owned());
            answer.headers.push(gzip);
            answer.body = b"this is no gzip".to_vec();
        }
        Some(Fault::Endless(pause)) => {
            answer
                .headers
                .retain(|(name, _)| name != "content-encoding");
            head(stream, &answer, Frame::Close, 0).await?;
            stream.write_all(&answer.body).await.ok()?;
            loop {
                stream.write_all(&[b' '; 4096]).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        Some(Fault::Silence) => {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]).await;
            return None;
        }
        Some(Fault::Trickle(percent, pause)) => {
            head(stream, &answer, Frame::Length, all).await?;
            for piece in answer.body.chunks(part(percent).max(1)) {
                stream.write_all(piece).await.ok()?;
                tokio::time::sleep(pause).await;
            }
            return Some(());
        }
    }
    let length = answer.body.len();
    head(stream, &answer, Frame::Length, length).await?;
    stream.write_all(&answer.body).await.ok()
}

async fn head(stream: &mut TcpStream, answer: &Answer, frame: Frame, length: usize) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    match frame {
        Frame::Length | Frame::OfThePart if answer.status != 204 => {
            head += &format!("content-length: {length}\r\n");
        }
        Frame::Length | Frame::OfThePart => {}
        Frame::Chunks => head += "transfer-encoding: chunked\r\n",
        Frame::Close => head += "connection: close\r\n",
    }
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .await
        .ok()
}

/// The other side sees a reset as soon as the connection is dropped.
fn reset(stream: &TcpStream) -> Option<()> {
    stream.set_zero_linger().ok()?;
    None
}
