//! TSD, the time series of proficloud.net.

use super::token::Token;
use crate::timeseries::kairosdb::{Gateway, KairosDb, KairosDbBuilder};

/// TSD, the Time Series Data service of proficloud.net: [KairosDB](KairosDb) behind a gateway that asks for a
/// [`Token`].
///
/// What it makes is a builder of a [`KairosDb`], with all of its options, queries, answers and errors.
///
/// - **Queries go to** `api/v1/datapoints/query/` below the service's URL, with that slash at the end
///   ([`query_path`](KairosDbBuilder::query_path) says another path), with the token as basic authentication.
/// - **Points can be queried**, by [`query`](KairosDb::query), [`query_raw`](KairosDb::query_raw) and
///   [`store`](KairosDb::store), for polling.
/// - **All other calls fail** with [`Reason::Unsupported`](crate::timeseries::kairosdb::Reason::Unsupported), and
///   nothing is sent: the service takes no points, and does not list metrics.
/// - **An answer that would be too large** is refused with status 504. That is
///   [`Reason::OverQuota`](crate::timeseries::kairosdb::Reason::OverQuota), and is not repeated: ask for a shorter
///   time, or use aggregators. A stream that [polls](crate::timeseries::Polling) asks for shorter stretches by itself.
///
/// ```
/// use headwater::timeseries::kairosdb::{Query, Relative};
/// use headwater::timeseries::proficloud::{Token, Tsd};
///
/// let token = Token::new("account", "password")?; // or `Token::from_file`, or `text.parse()`
/// let client = Tsd::builder(&token).build()?;
/// assert_eq!(client.url(), "https://tsd.proficloud.net/ds/v1/kairos/api/v1/");
///
/// let query = Query::since(Relative::minutes(10)).metric("temperature");
/// let answer = client.query(&query); // .await
/// # drop(answer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "ProficloudMetrics")]
pub enum Tsd {}

impl Tsd {
    /// Where the service is.
    pub const URL: &'static str = "https://tsd.proficloud.net/ds/v1/kairos/";
    /// Where its staging environment is.
    pub const STAGING_URL: &'static str = "https://tsd.proficloud-staging.net/ds/v1/kairos/";

    /// A client to be made, for the service.
    pub fn builder(token: &Token) -> KairosDbBuilder {
        Tsd::at(Tsd::URL, token)
    }

    /// A client to be made, for the staging environment.
    #[doc(alias = "useStaging")]
    pub fn staging(token: &Token) -> KairosDbBuilder {
        Tsd::at(Tsd::STAGING_URL, token)
    }

    /// A client to be made, for the same service elsewhere.
    pub fn at(url: impl Into<String>, token: &Token) -> KairosDbBuilder {
        let gateway = Gateway {
            service: "TSD",
            query_path: "datapoints/query/",
            write_path: "datapoints/write",
            writes: false,
            over_quota: Some(504),
        };
        KairosDb::builder(url).behind(gateway, token.credentials())
    }
}
