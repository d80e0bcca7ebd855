//! What is requested, and how.

use std::io::Read;

use flate2::read::GzDecoder;
use headwater::metrics::opentsdb::{Answers, Resolution, Sanitize};
use headwater::metrics::{Delivery, Element, MetricSink, OpenTsdbHttpSink, Tags};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::{Request, front, names, sink, status};
use crate::opentsdb::{Fate, Got, deliver, element, elements, failure};

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
