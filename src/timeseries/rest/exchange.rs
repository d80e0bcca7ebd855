//! The last exchange with the store: what was sent, what came back, how long it took.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::secrets::Secrets;

/// A request and its answer, for people who want to know what goes over the wire.
///
/// Credentials are not in it. Of long payloads and answers the beginning is kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// Method and path: `POST /api/v1/datapoints/query`.
    pub asked: String,
    /// The payload, as it was before it was compressed.
    pub payload: Excerpt,
    /// How many bytes of payload were sent.
    pub sent_bytes: usize,
    /// How often it was tried.
    pub attempts: u32,
    /// The status of the last attempt, if it was answered.
    pub status: Option<u16>,
    /// The body of the last answer, unpacked.
    pub answer: Excerpt,
    /// When it began, by this machine's clock.
    pub started: SystemTime,
    /// From the beginning of the last attempt to the head of its answer.
    pub until_head: Option<Duration>,
    /// From the beginning of the first attempt to the end of the last: with delays between them, and with
    /// waiting for the client's other requests.
    pub total: Duration,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The beginning of a text, and how long it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    bytes: Bytes,
    len: usize,
}

impl Excerpt {
    pub(in crate::timeseries) fn of(bytes: &[u8], limit: usize) -> Excerpt {
        let kept = &bytes[..bytes.len().min(limit)];
        Excerpt {
            // A copy: a part of the whole would keep all of it in memory.
            bytes: Bytes::copy_from_slice(kept),
            len: bytes.len(),
        }
    }

    /// The beginning without what is secret: nothing of it is left at the end either.
    pub(super) fn without(secrets: &Secrets, bytes: &[u8], limit: usize) -> Excerpt {
        let looked_at = bytes.len().min(limit.saturating_add(secrets.longest()));
        Excerpt {
            len: bytes.len(),
            ..Excerpt::of(&secrets.hide_bytes(&bytes[..looked_at]), limit)
        }
    }

    /// What is kept of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is kept of it, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// How many bytes there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether all of it was kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.len
    }
}

/// An exchange under way, which all attempts write to.
#[derive(Debug, Clone)]
pub(super) struct Record(Arc<Mutex<Exchange>>);

impl Record {
    pub(super) fn new(asked: &str, payload: Excerpt, sent_bytes: usize) -> Record {
        Record(Arc::new(Mutex::new(Exchange {
            asked: asked.to_owned(),
            payload,
            sent_bytes,
            attempts: 0,
            status: None,
            answer: Excerpt::default(),
            started: SystemTime::now(),
            until_head: None,
            total: Duration::ZERO,
            error: None,
        })))
    }

    pub(super) fn note(&self, write: impl FnOnce(&mut Exchange)) {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn read(&self) -> Exchange {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
