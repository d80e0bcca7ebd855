//! An element waits: for room, for time, for a future.

mod aside;
mod buffer;
mod conflate;
mod debounce;
mod delay;
mod from_acked_stream;
mod from_stream;
mod latest;
mod map_async;
mod map_blocking;
mod newest;
mod on_idle;
mod pace;
mod pump;
mod rate_limit;
mod sample;
mod speed;
mod throttle;
mod timetable;

pub use buffer::{Buffer, OnFull, Overflow};
pub use conflate::Conflate;
pub use debounce::Debounce;
pub use delay::Delay;
pub use from_acked_stream::FromAckedStream;
pub use from_stream::FromStream;
pub use latest::Latest;
pub use map_async::{MapAsync, TryMapAsync};
pub use map_blocking::{MapBlocking, TryMapBlocking};
pub use on_idle::OnIdle;
pub use pace::Pace;
pub use pump::FromIter;
pub use rate_limit::RateLimit;
pub use sample::Sample;
pub use speed::{InvalidSpeed, Speed};
pub use throttle::Throttle;
