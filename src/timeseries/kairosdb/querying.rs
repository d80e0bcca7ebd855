//! The client's calls that take a query.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use reqwest::{Method, Url};
use serde_json::Value;

use super::answer::Answer;
use super::client::KairosDb;
use super::error::KairosError;
use super::query::Query;
use super::store::KairosStore;
use crate::timeseries::rest::{Reason, Response, asked, read_aside};

impl KairosDb {
    /// Asks for points.
    ///
    /// # Errors
    /// See [`KairosError`].
    #[doc(alias = "queryMetrics")]
    pub async fn query(&self, query: &Query) -> Result<Answer, KairosError> {
        let path = self.path(&self.0.settings.query_path);
        self.answer(path, query).await
    }

    /// Asks for points by a query in JSON.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn query_raw(&self, json: impl Into<Bytes>) -> Result<Answer, KairosError> {
        let path = self.path(&self.0.settings.query_path);
        self.answer_raw(path, json.into()).await
    }

    /// Asks which tags and values the metrics of a query have in its stretch of time, without their points.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn query_tags(&self, query: &Query) -> Result<Answer, KairosError> {
        let path = self.path("datapoints/query/tags");
        self.answer(path, query).await
    }

    /// The names of all tags that the metrics of a query have in its stretch of time, sorted.
    ///
    /// KairosDB up to 1.2 had a call for the tags of all metrics and all times; 1.3 has none.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn tag_names(&self, query: &Query) -> Result<Vec<String>, KairosError> {
        let tags = self.all_tags(query).await?;
        Ok(tags.into_keys().collect())
    }

    /// The values of a tag that the metrics of a query have in its stretch of time, sorted.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn tag_values(&self, query: &Query, tag: &str) -> Result<Vec<String>, KairosError> {
        let mut tags = self.all_tags(query).await?;
        Ok(tags.remove(tag).unwrap_or_default().into_iter().collect())
    }

    async fn all_tags(
        &self,
        query: &Query,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, KairosError> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let answer = self.query_tags(query).await?;
        let results = answer.queries.into_iter().flat_map(|query| query.results);
        for (name, values) in results.flat_map(|result| result.tags) {
            all.entry(name).or_default().extend(values);
        }
        Ok(all)
    }

    /// Deletes the points that a query would find. Where it takes several attempts, points that were written in
    /// between go too.
    ///
    /// # Errors
    /// See [`KairosError`].
    pub async fn delete(&self, query: &Query) -> Result<(), KairosError> {
        let path = self.path("datapoints/delete");
        self.post_query(path, query).await?;
        Ok(())
    }

    /// The metrics of a query as a [`Store`](crate::timeseries::Store) that can be polled.
    #[must_use]
    pub fn store(&self, query: Query) -> KairosStore {
        KairosStore::new(self.clone(), query)
    }

    async fn answer(&self, path: Url, query: &Query) -> Result<Answer, KairosError> {
        let asked = asked(&Method::POST, &path);
        let response = self.post_query(path, query).await?;
        let kept = response.clone();
        let answer = read_answer(asked.clone(), response).await?;
        let (metrics, entries) = (query.asked_metrics().len(), answer.queries.len());
        if metrics == entries {
            return Ok(answer);
        }
        // Taken for an answer, it would say of a metric that it has no points.
        let why = format!("{entries} entries for {metrics} metrics");
        Err(kept.undecodable(&asked, &why).into())
    }

    async fn answer_raw(&self, path: Url, body: Bytes) -> Result<Answer, KairosError> {
        let asked = asked(&Method::POST, &path);
        let response = self.post(path, body).await?;
        read_answer(asked, response).await
    }

    async fn post_query(&self, path: Url, query: &Query) -> Result<Response, KairosError> {
        let json = query.to_json();
        if let Some(at) = null(&json, "query") {
            let why = format!(
                "{at} is null: a number that JSON does not have (NaN, an infinity), or nothing that could be there"
            );
            let asked = asked(&Method::POST, &path);
            return Err(KairosError::new(asked, 0, Reason::BadQuery(why)));
        }
        self.post(path, json.to_string().into()).await
    }
}

async fn read_answer(asked: String, response: Response) -> Result<Answer, KairosError> {
    let server_time = response.server_time;
    let mut answer: Answer = read_aside(asked, response).await?;
    answer.server_time = server_time;
    Ok(answer)
}

/// Where there is a null in a query: a float that JSON has no number for.
fn null(json: &Value, at: &str) -> Option<String> {
    match json {
        Value::Null => Some(at.to_owned()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(n, item)| null(item, &format!("{at}[{n}]")))
        }
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(name, field)| null(field, &format!("{at}.{name}")))
        }
        _ => None,
    }
}
