//! The handle as a route of axum.

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::{MethodRouter, get};

use super::exposition::Exposition;

impl Exposition {
    /// A route of axum that answers scrapes; with the feature `axum`.
    ///
    /// ```
    /// use axum::Router;
    /// use headwater::metrics::PrometheusSink;
    ///
    /// let sink = PrometheusSink::new();
    /// let app: Router = Router::new().route("/metrics", sink.exposition().route());
    /// # let _ = app;
    /// ```
    pub fn route<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let exposition = self.clone();
        get(async move |headers: HeaderMap| {
            let accepted = headers.get_all(ACCEPT).iter();
            let accepted: Vec<&str> = accepted.filter_map(|value| value.to_str().ok()).collect();
            let (content_type, body) = exposition.answer(Some(&accepted.join(",")));
            let content_type = HeaderValue::from_static(content_type);
            ([(CONTENT_TYPE, content_type)], body)
        })
    }
}
