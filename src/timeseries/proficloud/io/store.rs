//! The metrics of a query, to be polled.

use super::client::ProficloudIo;
use super::query::IoQuery;
use crate::timeseries::{Fetched, Range, Store, StoreError};

/// The metrics of a query as a store that can be polled; from [`ProficloudIo::store`]. The query's own times are
/// replaced by those that are asked for.
///
/// [`Polling`](crate::timeseries::Polling) makes a stream of it. Tokens that expire meanwhile are renewed; a password
/// that is wrong makes the stream [down](crate::timeseries::PollState::Down), until
/// [`authenticate`](ProficloudIo::authenticate) is called with the right one, on any handle of the client.
///
/// ```
/// use futures::StreamExt;
/// use headwater::timeseries::Polling;
/// use headwater::timeseries::proficloud::{IoQuery, ProficloudIo};
/// use std::time::Duration;
/// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/proficloud/io/in_memory.rs")); }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let url = stand_in::proficloud_in_memory()?;
/// # let builder = ProficloudIo::builder().data_url(&url).auth_url(&url);
/// # let _ = stringify! {
/// let builder = ProficloudIo::builder();
/// # };
/// let client = builder.user("somebody@example.com", "secret").build()?;
/// // MetricsStreamIO(client, "7d0e", ["temperature"], 1000, timedelta(minutes=10))
/// let mut points = Polling::new(client.store(IoQuery::new("7d0e").metric("temperature")))
///     .every(Duration::from_secs(1))
///     .buffer(Duration::from_secs(600))
/// #   .wall_clock(|| std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_060))
///     .start()?;
/// let first = points.next().await.unwrap();
/// assert_eq!(first.point().to_string(), "temperature{uuid=7d0e} 21.5 @ 1700000000123");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "MetricsStreamIO")]
pub struct IoStore {
    client: ProficloudIo,
    query: IoQuery,
}

impl IoStore {
    pub(super) fn new(client: ProficloudIo, query: IoQuery) -> IoStore {
        IoStore { client, query }
    }
}

impl Store for IoStore {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        if range.is_empty() {
            return Ok(Fetched::default());
        }
        let answer = self.client.query(&self.query.clone().range(range)).await?;
        let within = |millis| (range.from..=range.to).contains(&millis);
        Ok(Fetched {
            points: answer
                .points()
                .filter(|point| within(point.millis()))
                .collect(),
            server_time: answer.server_time,
        })
    }

    fn name(&self) -> String {
        format!("proficloud.io at {}", self.client.url())
    }
}
