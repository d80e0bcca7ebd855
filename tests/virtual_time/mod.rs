//! Virtual time where `#[tokio::test]` does not reach: within a property, or on a thread that is watched.

/// Does the work on a runtime of its own, whose clock moves only when nothing else does, and ends it.
pub fn in_virtual_time<R>(work: impl Future<Output = R>) -> R {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.unwrap().block_on(work)
}
