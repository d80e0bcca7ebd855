//! The sink that speaks OpenTSDB's telnet protocol: what is on the wire, and what becomes of elements
//! when the wire breaks.

#![cfg(feature = "opentsdb")]

#[path = "../opentsdb/mod.rs"]
mod opentsdb;

mod characters;
mod complaints;
mod confirming;
mod connections;
mod line_format;

use std::time::Duration;

use headwater::metrics::opentsdb::Confirm;
use headwater::metrics::{Element, OpenTsdbSink};
use opentsdb::{Fate, Front, Got, deliver};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// OpenTSDB answers `version` by two lines.
const VERSION: &str =
    "net.opentsdb.tools 2.4.0 built at revision abc (MINT)\nBuilt on 2018/12/16 by us\n";

/// A receiver that reads to the end, and closes then. Keeps what came, by connection.
async fn closing(got: &Got<(usize, String)>) -> Front {
    let got = got.clone();
    Front::new(move |n, mut stream| {
        let got = got.clone();
        async move {
            let mut text = String::new();
            if stream.read_to_string(&mut text).await.is_ok() {
                got.push((n, text));
            }
        }
    })
    .await
}

/// Does as OpenTSDB does: keeps lines, answers `version`, and has errors for values called `bad`.
async fn answer_lines(n: usize, stream: TcpStream, got: Got<(usize, String)>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        let answer = match line.as_str() {
            "version" => VERSION.to_owned(),
            bad if bad.contains("bad") => "put: unknown metric: No such name\n".to_owned(),
            _ => String::new(),
        };
        got.push((n, line));
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn answering(got: &Got<(usize, String)>) -> Front {
    let got = got.clone();
    Front::new(move |n, stream| answer_lines(n, stream, got.clone())).await
}

fn sink(front: &Front) -> OpenTsdbSink {
    OpenTsdbSink::connect(front.address.to_string()).timeout(Duration::from_secs(20))
}

/// All lines that came, on whatever connection.
fn all_lines(got: &Got<(usize, String)>) -> Vec<String> {
    let texts = got.take().into_iter().map(|(_, text)| text);
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The points among them.
fn points(got: &Got<(usize, String)>) -> Vec<String> {
    all_lines(got)
        .into_iter()
        .filter(|line| line.starts_with("put "))
        .collect()
}

/// What goes over the wire for these elements.
async fn wire(
    configure: impl FnOnce(OpenTsdbSink) -> OpenTsdbSink,
    batch: &[Element],
) -> (String, Fate) {
    let got = Got::default();
    let front = closing(&got).await;
    let mut sink = configure(sink(&front).confirm(Confirm::Close));
    let fate = deliver(&mut sink, batch).await;
    let texts = got.take().into_iter().map(|(_, text)| text);
    (texts.collect(), fate)
}
