//! Proficloud as the tests have it: gateways that check tokens, and a service that gives some.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http_front::{Asked, Front, Reply};

pub const USER: &str = "somebody@example.com";
pub const PASSWORD: &str = "p&ss wörd+1";

/// What the service of tokens knows, and how it is disposed.
#[derive(Debug, Default)]
pub struct Cloud {
    pub given: u32,
    /// Tokens that are good.
    pub access: BTreeSet<String>,
    pub refresh: BTreeSet<String>,
    /// In seconds.
    pub life: f64,
    pub refresh_life: Option<f64>,
    /// What requests for tokens are answered instead.
    pub broken: Option<Reply>,
    /// How long they take.
    pub takes: Duration,
    /// What queries are answered instead of points, if their token is good.
    pub answers: Option<Reply>,
    /// By metric: times as text, and values.
    pub points: BTreeMap<String, Vec<(String, Value)>>,
    /// Kinds of requests, in their order.
    pub log: Vec<&'static str>,
}

pub type Shared = Arc<Mutex<Cloud>>;

pub fn form(asked: &Asked) -> BTreeMap<String, String> {
    let text = String::from_utf8(asked.body.clone()).unwrap();
    let url = reqwest::Url::parse(&format!("http://form/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}

pub fn parameters(asked: &Asked) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://front{}", asked.path)).unwrap();
    url.query_pairs().into_owned().collect()
}

pub fn unauthorized() -> Reply {
    let body = r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#;
    Reply::status(401, body)
}

impl Cloud {
    pub fn shared() -> Shared {
        Arc::new(Mutex::new(Cloud {
            life: 300.0,
            ..Cloud::default()
        }))
    }

    fn tokens(&mut self) -> Reply {
        self.given += 1;
        let access = format!("access-{}", self.given);
        let refresh = format!("refresh-{}", self.given);
        let mut body = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.life,
            "refresh_token": refresh,
        });
        if let Some(life) = self.refresh_life {
            body["refresh_expires_in"] = life.into();
        }
        self.access.insert(access);
        self.refresh.insert(refresh);
        Reply::ok(body.to_string())
    }

    /// What a request for a token is answered.
    pub fn grant(&mut self, form: &BTreeMap<String, String>) -> Reply {
        let said = |name: &str| form.get(name).map_or("", String::as_str);
        let by_password = said("grant_type") == "password";
        self.log
            .push(if by_password { "password" } else { "refresh" });
        if let Some(reply) = &self.broken {
            return reply.clone();
        }
        let good = match by_password {
            true => said("username") == USER && said("password") == PASSWORD,
            false => self.refresh.remove(said("refresh_token")),
        };
        if said("client_id") != "grafana-frontend" {
            return Reply::status(400, r#"{"error":"invalid_client"}"#);
        }
        match good {
            true => self.tokens(),
            false if by_password => unauthorized(),
            false => Reply::status(
                400,
                r#"{"error":"invalid_grant","error_description":"Token is not active"}"#,
            ),
        }
    }

    /// Whether a query has a token that is good.
    pub fn admits(&mut self, asked: &Asked) -> bool {
        let token = asked.header("authorization").unwrap_or_default();
        let good = self
            .access
            .contains(token.strip_prefix("Bearer ").unwrap_or_default());
        self.log.push(if good { "data" } else { "refused" });
        good
    }

    /// All points of one metric.
    fn influx(&mut self, asked: &Asked) -> Reply {
        if !self.admits(asked) {
            return Reply::status(401, "");
        }
        let rows = self.points.values().next().unwrap();
        Reply::ok(json!({"results": [{"series": [{"values": rows}]}]}).to_string())
    }

    fn data(&mut self, asked: &Asked) -> Reply {
        if !self.admits(asked) {
            return Reply::status(401, r#"{"message":"the token has expired"}"#);
        }
        if let Some(reply) = &self.answers {
            return reply.clone();
        }
        let said = parameters(asked);
        let metrics = said["timeSeriesName"].split(',');
        let parts = metrics.filter_map(|metric| {
            let points = self.points.get(metric)?;
            // Text of one form is in the order of time.
            let within =
                |time: &&(String, Value)| time.0 >= said["fromDate"] && time.0 < said["toDate"];
            let points = points.iter().filter(within);
            let points: Vec<Value> = points
                .map(|(time, value)| json!({"timestamp": time, "values": {"value": value}}))
                .collect();
            Some(json!({ &said["uuid"]: { metric: points } }))
        });
        Reply::ok(Value::Array(parts.collect()).to_string())
    }
}

/// The services of proficloud.io, both at one address.
pub async fn cloud_front(cloud: Shared) -> Front {
    Front::waiting(move |_, asked| {
        let (cloud, asked) = (cloud.clone(), asked.clone());
        async move {
            let path = asked.path.split('?').next().unwrap_or_default();
            match (&*asked.method, path) {
                ("POST", "/auth/realms/kaa/protocol/openid-connect/token") => {
                    let takes = cloud.lock().unwrap().takes;
                    tokio::time::sleep(takes).await;
                    cloud.lock().unwrap().grant(&form(&asked))
                }
                ("POST", "/epts/token") => {
                    let mut cloud = cloud.lock().unwrap();
                    cloud.log.push("simple");
                    match asked.json() == json!({"username": USER, "password": PASSWORD}) {
                        true => cloud.tokens(),
                        false => Reply::status(401, ""),
                    }
                }
                ("GET", "/query") => cloud.lock().unwrap().influx(&asked),
                ("GET", "/epts/data") => cloud.lock().unwrap().data(&asked),
                _ => Reply::status(404, ""),
            }
        }
    })
    .await
}

/// Waits until there were so many requests, and no more are under way.
pub async fn settled(cloud: &Shared, requests: usize) {
    while cloud.lock().unwrap().log.len() < requests {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // What was answered has come.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Lets time pass, at once.
pub async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}
