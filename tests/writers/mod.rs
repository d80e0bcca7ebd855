//! A writer with little room, and how a pipeline delivers to a sink that writes into it.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};

use headwater::metrics::{Element, MetricSink, SinkError};

/// Takes a few bytes a call, as long as there is room; then it is full until there is more.
#[derive(Clone, Default)]
pub struct Narrow(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    taken: Vec<u8>,
    room: usize,
    at_once: usize,
}

impl Narrow {
    pub fn new(at_once: usize) -> Narrow {
        let narrow = Narrow::default();
        narrow.0.lock().unwrap().at_once = at_once;
        narrow
    }

    pub fn more_room(&self, bytes: usize) {
        self.0.lock().unwrap().room += bytes;
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().taken.clone()).unwrap()
    }
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().unwrap();
        let taken = bytes.len().min(inner.room).min(inner.at_once);
        if taken == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        inner.room -= taken;
        inner.taken.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Delivers a batch as a pipeline does: after an error that allows it, the rest again, before which it
/// calls `again`.
pub async fn deliver(
    sink: &mut impl MetricSink,
    batch: &[Element],
    mut again: impl FnMut(),
) -> Result<(), SinkError> {
    let mut rest = batch;
    while let Err(error) = sink.deliver(rest).await {
        rest = &rest[error.done_count()..];
        if !error.can_retry() {
            return Err(error);
        }
        assert!(!rest.is_empty(), "what is done with is not tried again");
        again();
    }
    Ok(())
}
