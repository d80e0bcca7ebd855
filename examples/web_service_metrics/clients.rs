//! The load: clients that ask, wait for the answer, and count it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many answers there were, by route and status.
pub type Answers = BTreeMap<(String, u16), u64>;

const CLIENTS: u64 = 16;

/// Has all clients ask for so long.
pub async fn run(address: SocketAddr, duration: Duration) -> Answers {
    let end = Instant::now() + duration;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(address, number, end));
    }
    let mut all = Answers::new();
    for answers in clients.join_all().await {
        for (key, count) in answers {
            *all.entry(key).or_default() += count;
        }
    }
    all
}

/// What Prometheus would get.
pub async fn scrape(address: SocketAddr) -> reqwest::Result<String> {
    let url = format!("http://{address}/metrics");
    let answer = reqwest::get(url).await?.error_for_status()?;
    answer.text().await
}

async fn client(address: SocketAddr, number: u64, end: Instant) -> Answers {
    let http = reqwest::Client::new();
    let mut answers = Answers::new();
    let mut random = Random(number);
    while Instant::now() < end {
        let dice = random.next();
        // A few products are popular: the smaller of two numbers.
        let product = (random.next() % 200).min(random.next() % 200);
        let (route, path) = match dice % 10 {
            0..=3 => ("/", "/".to_owned()),
            4..=7 => ("/product/{id}", format!("/product/{product}")),
            8 => ("/checkout", format!("/checkout?{}", random.next() % 1_000)),
            _ => ("other", format!("/no/such/page/{dice}")),
        };
        match http.get(format!("http://{address}{path}")).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                *answers.entry((route.to_owned(), status)).or_default() += 1;
            }
            Err(error) => eprintln!("a client got no answer: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(random.next() % 5)).await;
    }
    answers
}

/// A linear congruential generator, by Knuth's figures for 64 bits: the same load in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}
