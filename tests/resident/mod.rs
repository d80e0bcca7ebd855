//! What a process holds.

/// Resident memory of this process, in bytes.
pub fn resident() -> usize {
    memory_stats::memory_stats()
        .expect("the system tells resident memory")
        .physical_mem
}
