//! EWIMA, the time series of a building's meters.

use super::token::Token;
use crate::timeseries::kairosdb::{Gateway, KairosDb, KairosDbBuilder};

/// EWIMA, the service of proficloud.net for energy and water meters: [KairosDB](KairosDb) behind a gateway that
/// asks for a [`Token`] of an endpoint's uuid and its password.
///
/// What it makes is a builder of a [`KairosDb`], with all of its options, queries, answers and errors.
///
/// - **Points can be queried**, as from [`Tsd`](super::Tsd), with the same quota.
/// - **Points can be written**, by [`write`](KairosDb::write) and its kin, and by the
///   [sink](crate::timeseries::kairosdb::KairosDbSink). Each gets the tag `uuid`: the name of the token.
/// - **All other calls fail** with [`Reason::Unsupported`](crate::timeseries::kairosdb::Reason::Unsupported), and
///   nothing is sent.
///
/// ```
/// use headwater::timeseries::Point;
/// use headwater::timeseries::proficloud::{Ewima, Token};
///
/// let token: Token = "NGY2YzFkOnNlY3JldA==".parse()?; // 4f6c1d:secret
/// let client = Ewima::builder(&token).build()?;
/// assert_eq!(client.url(), "https://emalytics.proficloud.net/ds/v1/kairos/api/v1/");
///
/// let points = [Point::new("energy", 1_700_000_000_000, 12.5)]; // will have the tag uuid=4f6c1d
/// let queued = client.write(&points); // .await
/// # drop(queued);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "ProficloudMetrics")]
pub enum Ewima {}

impl Ewima {
    /// Where the service is.
    pub const URL: &'static str = "https://emalytics.proficloud.net/ds/v1/kairos/";
    /// Where its staging environment is.
    pub const STAGING_URL: &'static str = "https://ewima.proficloud-staging.net/ds/v1/kairos/";

    /// A client to be made, for the service.
    #[doc(alias = "clientToken")]
    pub fn builder(token: &Token) -> KairosDbBuilder {
        Ewima::at(Ewima::URL, token)
    }

    /// A client to be made, for the staging environment.
    #[doc(alias = "useStaging")]
    pub fn staging(token: &Token) -> KairosDbBuilder {
        Ewima::at(Ewima::STAGING_URL, token)
    }

    /// A client to be made, for the same service elsewhere.
    pub fn at(url: impl Into<String>, token: &Token) -> KairosDbBuilder {
        let gateway = Gateway {
            service: "EWIMA",
            query_path: "datapoints/query/",
            write_path: "datapoints/write",
            writes: true,
            over_quota: Some(504),
        };
        KairosDb::builder(url)
            .behind(gateway, token.credentials())
            .tag("uuid", token.name())
    }
}
