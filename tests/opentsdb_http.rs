//! The sink that speaks OpenTSDB's HTTP protocol: what is requested, and what each answer means.
#![cfg(feature = "opentsdb")]

mod opentsdb;

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use headwater::metrics::opentsdb::{Answers, Resolution, Sanitize};
use headwater::metrics::{
    Delivery, Element, Metric, MetricSink, MetricsPipeline, OpenTsdbHttpSink, Tags,
};
use headwater::prelude::*;
use opentsdb::{Fate, Front, Got, deliver, element, elements, failure};
use proptest::prelude::*;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};
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

fn point_error(element: &Element, why: &str) -> Value {
    let tags: serde_json::Map<String, Value> = element
        .tags()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_string().into()))
        .collect();
    // OpenTSDB makes a text of the value.
    let value = element.value().to_string();
    let datapoint = json!({
        "metric": element.name(), "timestamp": element.millis(), "value": value, "tags": tags,
    });
    json!({ "error": why, "datapoint": datapoint })
}

#[tokio::test]
async fn a_receiver_may_ask_who_sends() {
    let got = Got::default();
    let front = front(&got, |request: &Request| {
        let known = request.head.contains("authorization: bearer open-sesame");
        status(if known { 204 } else { 401 })
    })
    .await;
    let batch = [element("m", 1, 1)];
    let refused = sink(&front).deliver(&batch).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");

    let token = HeaderValue::from_static("Bearer open-sesame");
    let headers = HeaderMap::from_iter([(AUTHORIZATION, token)]);
    let client = reqwest::Client::builder().default_headers(headers);
    let mut sink = sink(&front).client(client.build().unwrap());
    sink.deliver(&batch).await.unwrap();
}

#[tokio::test]
async fn points_are_posted_as_json() {
    let got = Got::default();
    let front = front(&got, |_| status(204)).await;
    let batch = [
        element("requests.sum", 3, 7),
        Element::new("größe mean", 0.5)
            .tagged(Tags::from([("route", "/home?a b")]).with("code", 200))
            .at(element("", 0, 999).time()),
    ];
    let mut sink = sink(&front);
    assert_eq!(
        deliver(&mut sink, &batch).await,
        Fate {
            delivered: 2,
            attempts: 1,
            ..Fate::default()
        }
    );
    let requests = got.take();
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert!(
        request
            .head
            .starts_with("post /api/put?details http/1.1\r\n"),
        "{}",
        request.head
    );
    assert!(request.head.contains("content-type: application/json"));
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        "[{\"metric\":\"requests.sum\",\"timestamp\":1700000000007,\"value\":3,\"tags\":{\"host\":\"a\"}},\
         {\"metric\":\"größe_x20_mean\",\"timestamp\":1700000000999,\"value\":0.5,\
         \"tags\":{\"code\":\"200\",\"route\":\"/home_x3f_a_x20_b\"}}]"
    );
    assert_eq!(sink.delivery(), Delivery::AtLeastOnce);
}

#[tokio::test]
async fn integers_and_floats_stay_what_they_are() {
    let got = Got::default();
    let front = front(&got, |_| status(204)).await;
    let time = element("", 0, 0).time();
    let values = [
        Element::new("m", i64::MIN),
        Element::new("m", 3.0),
        Element::new("m", 1e300),
        Element::new("m", f64::NAN),
    ];
    let batch = values.map(|element| element.at(time));
    let mut sink = sink(&front)
        .resolution(Resolution::Seconds)
        .default_tag("a", "b")
        .sanitize(Sanitize::escape().ascii());
    let error = failure(&mut sink, &batch).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (4, 1, false)
    );
    let text = String::from_utf8(got.take().remove(0).body).unwrap();
    let point = |value: &str| {
        format!(
            "{{\"metric\":\"m\",\"timestamp\":1700000000,\"value\":{value},\"tags\":{{\"a\":\"b\"}}}}"
        )
    };
    let expected = ["-9223372036854775808", "3.0", "1e+300"]
        .map(point)
        .join(",");
    assert_eq!(text.replace("1e300", "1e+300"), format!("[{expected}]"));
}

#[tokio::test]
async fn requests_have_so_many_points_and_bytes_at_most() {
    let got = Got::default();
    let front = front(&got, |_| status(204)).await;
    let batch = elements(10);
    let mut by_points = sink(&front).max_points(4);
    assert_eq!(deliver(&mut by_points, &batch).await.delivered, 10);
    let requests = got.take();
    assert_eq!(
        requests
            .iter()
            .map(|request| request.points().len())
            .collect::<Vec<_>>(),
        [4, 4, 2]
    );

    let size = requests[2].body.len();
    let mut by_bytes = sink(&front).max_bytes(size);
    assert_eq!(deliver(&mut by_bytes, &batch).await.delivered, 10);
    let requests = got.take();
    assert!(
        requests
            .iter()
            .all(|request| request.body.len() <= size && request.points().len() == 2)
    );
    assert_eq!(
        names(&requests).concat(),
        batch.iter().map(Element::name).collect::<Vec<_>>()
    );

    // A point that is larger than that goes alone.
    assert_eq!(
        deliver(&mut sink(&front).max_bytes(1), &batch)
            .await
            .delivered,
        10
    );
    assert_eq!(got.take().len(), 10);
    // By default OpenTSDB reads 8192 bytes.
    let large = elements(2000);
    assert_eq!(deliver(&mut sink(&front), &large).await.delivered, 2000);
    let requests = got.take();
    assert!(
        requests
            .iter()
            .all(|request| request.body.len() <= 8192 && request.points().len() <= 50)
    );
}

#[tokio::test]
async fn bodies_are_compressed_if_wanted() {
    let got = Got::default();
    let front = front(&got, |_| status(204)).await;
    assert_eq!(
        deliver(&mut sink(&front).gzip(true), &elements(50))
            .await
            .delivered,
        50
    );
    let request = got.take().remove(0);
    assert!(
        request.head.contains("content-encoding: gzip"),
        "{}",
        request.head
    );
    let mut body = Vec::new();
    GzDecoder::new(&request.body[..])
        .read_to_end(&mut body)
        .unwrap();
    assert!(body.len() > request.body.len());
    assert_eq!(
        Request {
            head: String::new(),
            body
        }
        .points()
        .len(),
        50
    );
}

#[tokio::test]
async fn the_url_is_completed_and_checked() {
    for (base, path) in [
        ("", "/api/put?details"),
        ("/", "/api/put?details"),
        ("/tsdb/", "/tsdb/api/put?details"),
        ("/tsdb/api/put", "/tsdb/api/put?details"),
    ] {
        let got = Got::default();
        let front = front(&got, |_| status(204)).await;
        let mut sink = OpenTsdbHttpSink::new(format!("http://{}{base}", front.address)).unwrap();
        assert_eq!(deliver(&mut sink, &elements(1)).await.delivered, 1);
        assert!(
            got.take()[0]
                .head
                .starts_with(&format!("post {path} http/1.1"))
        );
    }
    for (url, why) in [
        ("127.0.0.1:4242", "127.0.0.1:4242"),
        ("ftp://host", "its scheme is \"ftp\""),
        ("http://", "http://"),
    ] {
        let error = OpenTsdbHttpSink::new(url).expect_err(url).to_string();
        assert!(
            error.contains(why) && error.contains("is not the URL of a receiver"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_receiver_is_asked_for_details_a_summary_or_neither() {
    for (answers, path) in [
        (Answers::Details, "/api/put?details "),
        (Answers::Summary, "/api/put?summary "),
        (Answers::Status, "/api/put "),
    ] {
        let got = Got::default();
        let front = front(&got, |_| status(204)).await;
        assert_eq!(
            deliver(&mut sink(&front).answers(answers), &elements(1))
                .await
                .delivered,
            1
        );
        assert!(got.take()[0].head.starts_with(&format!("post {path}")));
    }
}

#[tokio::test]
async fn what_else_the_url_asks_stays_in_it() {
    let answers = [Answers::Details, Answers::Summary, Answers::Status];
    for (query, paths) in [
        (
            "?extra_label=job=web",
            [
                "?extra_label=job=web&details ",
                "?extra_label=job=web&summary ",
                "?extra_label=job=web ",
            ],
        ),
        // Asked for what is answered, it is not asked twice.
        (
            "?summary&token=a%26b&details=true",
            [
                "?token=a%26b&details ",
                "?token=a%26b&summary ",
                "?token=a%26b ",
            ],
        ),
        ("?", ["?details ", "?summary ", " "]),
    ] {
        for (answers, path) in answers.into_iter().zip(paths) {
            let got = Got::default();
            let front = front(&got, |_| status(204)).await;
            let url = format!("http://{}/{query}", front.address);
            // The default one is asked for at once.
            let sink = OpenTsdbHttpSink::new(url).unwrap();
            let mut sink = match answers {
                Answers::Details => sink,
                other => sink.answers(Answers::Status).answers(other),
            };
            deliver(&mut sink, &elements(1)).await;
            let head = got.take()[0].head.clone();
            assert!(head.starts_with(&format!("post /api/put{path}")), "{head}");
        }
    }
}

#[tokio::test]
async fn points_that_the_receiver_calls_wrong_are_rejected_and_named() {
    let got = Got::default();
    let batch = elements(4);
    let errors = [
        point_error(&batch[1], "Unknown metric"),
        point_error(&batch[3], "Unable to parse value to a number"),
    ];
    let report = json!({ "success": 2, "failed": 2, "errors": errors });
    let front = front(&got, move |_| body(400, &report)).await;
    let error = failure(&mut sink(&front), &batch).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (4, 2, false)
    );
    assert_eq!(
        error.to_string(),
        "2 of 4 points were rejected, the first one: \"m.1\": Unknown metric"
    );
    assert_eq!(got.len(), 1, "what is wrong for good is not sent again");
}

#[tokio::test]
async fn two_points_that_are_alike_are_two() {
    let got = Got::default();
    let one = element("m", 1, 0);
    let errors = [
        point_error(&one, "Unknown metric"),
        point_error(&one, "Unknown metric"),
    ];
    let report = json!({ "success": 0, "failed": 2, "errors": errors });
    let front = front(&got, move |_| body(400, &report)).await;
    let fate = deliver(&mut sink(&front), &[one.clone(), one]).await;
    assert_eq!((fate.delivered, fate.rejected), (0, 2));
}

#[tokio::test]
async fn a_report_of_no_failure_is_success() {
    let got = Got::default();
    let front = front(&got, |_| {
        body(200, &json!({ "success": 4, "failed": 0, "errors": [] }))
    })
    .await;
    assert_eq!(
        deliver(&mut sink(&front), &elements(4)).await,
        Fate {
            delivered: 4,
            attempts: 1,
            ..Fate::default()
        }
    );
}

#[tokio::test]
async fn a_summary_is_counted_though_it_names_nobody() {
    let got = Got::default();
    // 200 as well: OpenTSDB answers so where only its storage failed.
    for status in [200, 400] {
        let front = front(&got, move |_| {
            body(status, &json!({ "success": 3, "failed": 1 }))
        })
        .await;
        let error = failure(&mut sink(&front).answers(Answers::Summary), &elements(4)).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (4, 1, false)
        );
        assert!(
            error.to_string().contains("the receiver does not say why"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_point_whose_storage_failed_is_tried_again_with_those_behind_it() {
    for why in [
        "Storage exception: region is moving",
        "Please throttle",
        "Timeout exception",
        "Write timedout",
    ] {
        let got = Got::default();
        let batch = elements(5);
        let mut reports = vec![
            Some(json!({ "success": 3, "failed": 2, "errors": [point_error(&batch[3], why), point_error(&batch[1], "Unknown metric")] })),
            None,
        ]
        .into_iter();
        let front = front(&got, move |_| match reports.next().unwrap() {
            Some(report) => body(400, &report),
            None => status(204),
        })
        .await;
        let mut sink = sink(&front);
        let error = failure(&mut sink, &batch).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (3, 1, true),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(deliver(&mut sink, &batch[3..]).await.delivered, 2);
        assert_eq!(got.take()[1].names(), ["m.3", "m.4"]);
    }
}

#[tokio::test]
async fn points_that_were_not_written_in_time_are_tried_again() {
    let got = Got::default();
    let mut first = true;
    let front = front(&got, move |_| match std::mem::take(&mut first) {
        true => body(400, &json!({ "success": 1, "failed": 0, "timeouts": 2 })),
        false => status(204),
    })
    .await;
    let fate = deliver(&mut sink(&front), &elements(3)).await;
    assert_eq!(
        fate,
        Fate {
            delivered: 3,
            attempts: 2,
            ..Fate::default()
        }
    );
    assert_eq!(got.take()[1].points().len(), 3);
}

#[tokio::test]
async fn a_request_that_is_refused_is_halved_until_the_bad_point_is_found() {
    let got = Got::default();
    let front = front(&got, |request| match request.names().iter().any(|name| name == "m.33") {
        true => body(400, &json!({ "error": { "code": 400, "message": "Unable to parse the given JSON", "details": "at m.33" } })),
        false => status(204),
    })
    .await;
    let error = failure(&mut sink(&front), &elements(50)).await;
    assert_eq!((error.done_count(), error.rejected_count()), (50, 1));
    let text = error.to_string();
    assert!(
        text.contains("\"m.33\": HTTP status 400: Unable to parse the given JSON (at m.33)"),
        "{text}"
    );
    assert!(got.len() <= 1 + 2 * 6);
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_is_not_flooded() {
    let got = Got::default();
    let front = front(&got, |_| Reply::Answer(400, "", "go away".to_owned())).await;
    let error = failure(
        &mut sink(&front).max_points(1000).max_bytes(1 << 20),
        &elements(1000),
    )
    .await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (1000, 1000, false)
    );
    assert!(
        error.to_string().contains("HTTP status 400: go away"),
        "{error}"
    );
    assert!(got.len() <= 65, "{} requests", got.len());
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved_and_later_ones_stay_smaller() {
    // OpenTSDB has words of its own for it.
    let chunked = json!({ "error": { "code": 400, "message": "Chunked request not supported." } });
    for refusal in [(413, String::new()), (400, chunked.to_string())] {
        let got = Got::default();
        let front = front(&got, move |request| match request.body.len() > 1000 {
            true => Reply::Answer(refusal.0, "", refusal.1.clone()),
            false => status(204),
        })
        .await;
        let mut sink = sink(&front);
        let batch = elements(50);
        let fate = deliver(&mut sink, &batch).await;
        assert_eq!((fate.delivered, fate.attempts), (50, 1));
        let requests = got.take().into_iter();
        let taken: Vec<Request> = requests
            .filter(|request| request.body.len() <= 1000)
            .collect();
        assert_eq!(
            names(&taken).concat(),
            batch.iter().map(Element::name).collect::<Vec<_>>()
        );
        assert_eq!(deliver(&mut sink, &batch).await.delivered, 50);
        assert!(got.take().iter().all(|request| request.body.len() <= 1000));
    }
}

#[tokio::test]
async fn a_single_point_that_is_too_large_is_rejected() {
    let got = Got::default();
    let front = front(&got, |_| status(413)).await;
    let fate = deliver(&mut sink(&front), &elements(3)).await;
    assert_eq!((fate.delivered, fate.rejected, fate.attempts), (0, 3, 1));
}

#[tokio::test]
async fn a_receiver_in_trouble_is_tried_again_from_where_it_stopped() {
    for code in [408, 425, 429, 500, 502, 503, 504, 599] {
        let got = Got::default();
        let mut answers = vec![204, code, 204, 204].into_iter();
        let front = front(&got, move |_| status(answers.next().unwrap())).await;
        let mut sink = sink(&front).max_points(4);
        let batch = elements(10);
        let error = failure(&mut sink, &batch).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (4, 0, true)
        );
        assert!(
            error.to_string().contains(&format!("HTTP status {code}")),
            "{error}"
        );
        assert_eq!(deliver(&mut sink, &batch[4..]).await.delivered, 6);
        let requests = got.take();
        assert_eq!(requests[1].names(), requests[2].names());
    }
}

#[tokio::test]
async fn what_is_unfit_counts_with_the_part_that_is_done() {
    let got = Got::default();
    let mut answers = vec![204, 500, 204].into_iter();
    let front = front(&got, move |_| status(answers.next().unwrap())).await;
    let mut batch = elements(6);
    let unfit = element("", 0, 0);
    batch.insert(1, unfit.clone());
    batch.insert(5, unfit.clone());
    batch.push(unfit);
    let mut sink = sink(&front).max_points(3);
    let error = failure(&mut sink, &batch).await;
    // m.0, unfit, m.1, m.2; then m.3.
    assert_eq!((error.done_count(), error.rejected_count()), (4, 1));
    let fate = deliver(&mut sink, &batch[4..]).await;
    assert_eq!((fate.delivered, fate.rejected), (3, 2));
}

#[tokio::test]
async fn a_receiver_is_not_asked_before_the_time_it_names() {
    let got = Got::default();
    let mut first = true;
    let front = front(&got, move |_| match std::mem::take(&mut first) {
        true => Reply::Answer(429, "retry-after: 1\r\n", "slow down".to_owned()),
        false => status(204),
    })
    .await;
    let mut sink = sink(&front);
    let error = failure(&mut sink, &elements(1)).await;
    let refused = Instant::now();
    assert!(
        error.can_retry() && error.to_string().contains("429: slow down"),
        "{error}"
    );
    assert_eq!(deliver(&mut sink, &elements(1)).await.delivered, 1);
    assert!(refused.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn what_never_will_be_taken_is_fatal() {
    for (code, headers) in [
        (301, "location: http://127.0.0.1:1/\r\n"),
        (401, ""),
        (403, ""),
        (404, ""),
        (405, ""),
    ] {
        let got = Got::default();
        let mut answers = vec![204, code].into_iter();
        let front = front(&got, move |_| {
            Reply::Answer(answers.next().unwrap(), headers, String::new())
        })
        .await;
        let mut sink = sink(&front).max_points(4);
        let error = failure(&mut sink, &elements(10)).await;
        assert_eq!(
            (
                error.done_count(),
                error.rejected_count(),
                error.can_retry()
            ),
            (4, 0, false)
        );
        assert!(
            error.to_string().contains(&format!("HTTP status {code}")),
            "{error}"
        );
        assert_eq!(got.len(), 2);
    }
}

#[tokio::test]
async fn a_client_of_ones_own_sends_what_it_sends_by_default() {
    let got = Got::default();
    let front = front(&got, |_| status(204)).await;
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-scope-orgid", "tenant".parse().unwrap());
    let client = reqwest::Client::builder()
        .default_headers(headers)
        .build()
        .unwrap();
    assert_eq!(
        deliver(&mut sink(&front).client(client), &elements(1))
            .await
            .delivered,
        1
    );
    assert!(got.take()[0].head.contains("x-scope-orgid: tenant"));
}

#[tokio::test]
async fn passwords_are_not_shown() {
    let url = "http://user:secret@127.0.0.1:1?token=secret&k";
    let mut sink = OpenTsdbHttpSink::new(url).unwrap();
    assert!(
        format!("{sink:?}").contains("?token=***&k&details"),
        "{sink:?}"
    );
    let error = failure(&mut sink, &elements(1)).await;
    assert!(
        error.can_retry() && !error.to_string().contains("secret"),
        "{error}"
    );
    assert!(!format!("{sink:?}").contains("secret"), "{sink:?}");
    let error = OpenTsdbHttpSink::new("ftp://user:secret@host?token=secret").expect_err("not HTTP");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn https_without_tls_says_so() {
    let mut sink = OpenTsdbHttpSink::new("https://127.0.0.1:1").unwrap();
    let error = failure(&mut sink, &elements(1)).await;
    assert!(error.to_string().contains("https"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_takes_points_and_breaks_off_gets_them_again() {
    let got = Got::default();
    let mut count = 0;
    let front = front(&got, move |_| {
        count += 1;
        match count % 2 {
            1 => Reply::Reset,
            _ => status(204),
        }
    })
    .await;
    let batch = elements(8);
    let fate = deliver(&mut sink(&front).max_points(4), &batch).await;
    assert_eq!(
        fate,
        Fate {
            delivered: 8,
            attempts: 3,
            ..Fate::default()
        }
    );
    let requests = got.take();
    let (first, second): (Vec<_>, Vec<_>) = (names(&requests[..2]), names(&requests[2..]));
    assert_eq!(
        (&first[0], &second[0]),
        (&first[1], &second[1]),
        "at least once: each came twice"
    );
    assert_eq!(
        [first[0].clone(), second[0].clone()].concat(),
        batch.iter().map(Element::name).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_receiver_that_stays_silent_is_given_up_after_the_timeout() {
    let got = Got::default();
    let front = front(&got, |_| Reply::Silence).await;
    let mut sink = sink(&front).timeout(Duration::from_millis(50));
    let error = failure(&mut sink, &elements(3)).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (0, 0, true)
    );
    assert_eq!(got.len(), 1);
}

/// What a receiver does, by chance.
#[derive(Debug, Clone)]
enum Mood {
    Take,
    TakeAndReset,
    Trouble,
    Refuse,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The promise: what counts as delivered has arrived, what counts as rejected was refused, and there
    /// is nothing else.
    #[test]
    fn whatever_is_answered_everything_arrives_or_is_counted(
        moods in prop::collection::vec(
            prop_oneof![Just(Mood::Take), Just(Mood::TakeAndReset), Just(Mood::Trouble), Just(Mood::Refuse)],
            0..20,
        ),
        bad in prop::collection::hash_set(0_usize..60, 0..6),
        unfit in prop::collection::hash_set(0_usize..60, 0..6),
        max_points in 1_usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (got, stored) = (Got::default(), Got::default());
            let (mut moods, to_front) = (moods.into_iter(), stored.clone());
            let bad_names: HashSet<String> = bad.iter().map(|n| format!("m.{n}")).collect();
            let front = front(&got, move |request| {
                let names = request.names();
                let take = || names.iter().for_each(|name| to_front.push(name.clone()));
                match moods.next() {
                    Some(Mood::Trouble) => status(503),
                    Some(Mood::Refuse) if names.len() > 1 => status(413),
                    _ if names.iter().any(|name| bad_names.contains(name)) => status(400),
                    Some(Mood::TakeAndReset) => {
                        take();
                        Reply::Reset
                    }
                    _ => {
                        take();
                        status(204)
                    }
                }
            })
            .await;
            let mut batch = elements(60);
            for &at in &unfit {
                batch[at] = element("", 0, 0);
            }
            let fate = deliver(&mut sink(&front).max_points(max_points), &batch).await;
            let expected: HashSet<String> = (0..60)
                .filter(|n| !bad.contains(n) && !unfit.contains(n))
                .map(|n| format!("m.{n}"))
                .collect();
            let came: HashSet<String> = stored.take().into_iter().collect();
            prop_assert_eq!(fate.delivered, expected.len());
            prop_assert_eq!(fate.rejected, 60 - expected.len());
            prop_assert_eq!(came, expected);
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_delivers_by_it_through_a_receivers_troubles() {
    let got = Got::default();
    let mut count = 0;
    let front = front(&got, move |_| {
        count += 1;
        status(if count <= 2 { 503 } else { 204 })
    })
    .await;
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("requests").agg("sum", Sum).batch(2))
        .sink(sink(&front))
        .spawn()
        .unwrap();
    for value in 1..=6 {
        metrics.send("requests", value).unwrap();
    }
    let snapshot = metrics
        .shutdown_within(Duration::from_secs(20))
        .await
        .unwrap();
    let sink = snapshot.sink("OpenTsdbHttpSink").unwrap();
    assert_eq!((sink.delivered, sink.rejected), (3, 0));
    let requests = got.take();
    let values: Vec<i64> = requests[2..]
        .iter()
        .flat_map(Request::points)
        .map(|p| p["value"].as_i64().unwrap())
        .collect();
    assert_eq!(values, [3, 7, 11]);
}
