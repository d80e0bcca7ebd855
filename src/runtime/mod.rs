//! Who drives graphs: a task of tokio. (`Graph::spawn_thread` needs no runtime, and is in the
//! engine.)

mod spawn;

pub use spawn::{Driver, Spawn};
