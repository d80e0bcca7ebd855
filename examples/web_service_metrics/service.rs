//! The service: a shop with a home page, products behind a cache, and a checkout that sometimes fails.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use headwater::metrics::{Gauge, MetricsPipeline, Tags, Timer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{Instrument, info_span};

mod cache;

/// A service that is running.
pub struct Service {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

struct Shop {
    metrics: MetricsPipeline,
    under_way: Gauge,
    products: cache::Cache,
}

/// Starts it on a port of the system's choice.
pub async fn start(metrics: &MetricsPipeline) -> Result<Service, Box<dyn std::error::Error>> {
    let shop = Arc::new(Shop {
        metrics: metrics.clone(),
        under_way: metrics.gauge("under_way", ())?,
        products: cache::Cache::default(),
    });
    let router = Router::new()
        .route("/", get(home))
        .route("/product/{id}", get(product))
        .route("/checkout", get(checkout))
        .layer(from_fn_with_state(shop.clone(), measure))
        // Behind the layer: scrapes are not part of what is measured.
        .route("/metrics", metrics.prometheus()?.route())
        .with_state(shop);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // Whoever dropped the other end wants it to stop, too.
        let _ = stopped.await;
    });
    let task = tokio::spawn(server.into_future());
    Ok(Service {
        address,
        stop,
        task,
    })
}

impl Service {
    /// Answers what is under way, and stops.
    pub async fn stop(self) -> io::Result<()> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

/// Every request passes here.
async fn measure(
    State(shop): State<Arc<Shop>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    // A path of the client's own would be a tag of the client's choice.
    let route = path.as_ref().map_or("other", |path| path.as_str());
    shop.measured(route, next.run(request)).await
}

impl Shop {
    async fn measured(&self, route: &str, answer: impl Future<Output = Response>) -> Response {
        // Both end when they are dropped, also if the client goes away half-way.
        let _under_way = self.under_way.hold(1.0);
        let _timer = self.latency(route);
        let response = answer.await;
        let tags = Tags::from([("route", route)]).with("code", response.status().as_u16());
        // A measurement that fails is no reason to fail the request.
        if let Err(error) = self.metrics.send_tagged("requests", 1, tags) {
            tracing::debug!(%error, "a request was not counted");
        }
        response
    }

    fn latency(&self, route: &str) -> Option<Timer> {
        let timer = self.metrics.timer("latency").ok()?;
        Some(timer.tag("route", route).start())
    }
}

async fn home() -> &'static str {
    "welcome"
}

async fn product(State(shop): State<Arc<Shop>>, Path(id): Path<u64>) -> String {
    if let Some(name) = shop.products.get(id) {
        return name;
    }
    let query = async {
        tokio::time::sleep(Duration::from_millis(2 + id % 5)).await;
        format!("product {id}")
    };
    let name = query.instrument(info_span!("query", table = "products"));
    let name = name.await;
    shop.products.put(id, &name);
    name
}

async fn checkout(request: Request) -> StatusCode {
    // Every 20th order is of somebody without money.
    let order = request.uri().query().and_then(|query| query.parse().ok());
    let order: u64 = order.unwrap_or_default();
    let query = tokio::time::sleep(Duration::from_millis(5 + order % 10));
    query
        .instrument(info_span!("query", table = "orders"))
        .await;
    match order % 20 {
        0 => StatusCode::PAYMENT_REQUIRED,
        _ => StatusCode::OK,
    }
}
