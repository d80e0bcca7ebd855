//! Work that is to come to an end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Does some work on a thread of its own, and fails where it has not ended after two minutes: it hangs.
pub fn watched<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    let worker = thread::spawn(move || {
        let result = work();
        // Gone where nobody waits any more.
        tell.send(()).ok();
        result
    });
    if told.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    let ended = worker.join();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
