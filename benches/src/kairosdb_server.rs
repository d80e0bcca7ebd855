//! What the rows of KairosDB's client talk to: a server in this process that does next to nothing, so that what
//! the clients do is what is measured.

use std::sync::{LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use tokio::runtime::Runtime;

/// Its URL. It runs on a thread of its own, for as long as the program.
pub(crate) static URL: LazyLock<String> = LazyLock::new(|| {
    let (told, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let routes = Router::new()
                .route("/api/v1/datapoints", post(swallow))
                .route("/api/v1/datapoints/query", post(replay));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("loopback has ports");
            let addr = listener.local_addr().expect("it is bound");
            told.send(format!("http://{addr}"))
                .expect("it is waited for");
            axum::serve(listener, routes).await.expect("it goes on");
        });
    });
    hear.recv().expect("the server starts")
});

/// The answer to all queries, as it is and compressed.
static ANSWER: Mutex<(Bytes, Bytes)> = Mutex::new((Bytes::new(), Bytes::new()));

/// What is answered from now on.
pub(crate) fn answer(json: Vec<u8>) {
    let packed = crate::workloads::kairosdb::gzip(&json);
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = (json.into(), packed.into());
}

/// A runtime for one thread.
pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// Reads a body to its end, and keeps nothing of it.
async fn swallow(body: Body) -> StatusCode {
    use futures::StreamExt;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        if piece.is_err() {
            return StatusCode::BAD_REQUEST;
        }
    }
    StatusCode::NO_CONTENT
}

/// The same answer again, compressed for whoever takes that.
async fn replay(headers: HeaderMap) -> impl IntoResponse {
    let (plain, packed) = ANSWER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    match headers.contains_key(header::ACCEPT_ENCODING) {
        true => (kind, [(header::CONTENT_ENCODING, "gzip")], packed).into_response(),
        false => (kind, plain).into_response(),
    }
}
