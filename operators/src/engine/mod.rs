//! The machine under the operators: one protocol, one context, one lock for a graph.
//!
//! Users of flows need nothing of this; those who write operators in this crate start at
//! [`push`](self::Push) and the file of `map`.

mod broadcast;
mod cell;
mod census;
mod clock;
mod context;
mod doors;
mod drive;
mod emit_all;
mod emitter;
mod ending;
mod error;
mod fault;
mod fifo;
mod fork;
mod graph;
mod head;
pub(crate) mod in_flight;
mod inbox;
mod inlet;
mod line;
mod lineage;
mod node;
mod park;
mod plan;
mod present;
mod pressure;
mod push;
mod shared;
mod shutdown;
mod source;
mod source_sink;
mod thread;
mod topology;
mod waking;
mod way;
mod workers;

pub use census::{Counts, Loss, NodeSnapshot, Report, Snapshot};
pub use clock::Time;
pub use context::Cx;
pub use drive::{Driving, Manual, Turn};
pub use emitter::Emitter;
pub use error::{BoxError, EmitAllError, EmitError, Failure, GraphError, OnError};
pub use graph::Graph;
pub use head::{Head, Pipe};
pub use inlet::INBOX_CAPACITY;
pub use lineage::{Lost, Outcome, Receipt, Token};
pub use plan::{Branch, Plan};
pub use push::{Push, Signal, Tail};
pub use shared::Shared;
pub use source::{Source, WeakSource};
pub use source_sink::SourceSink;
pub use thread::DriverThread;
pub use topology::{Edge, Label, NodeId, Role, Site, Topology, TopologyNode};
pub use workers::WorkerPanicked;

pub(crate) use cell::{Cell, Entry, Node, Port};
pub(crate) use clock::{Alarm, Clock};

pub(crate) use emit_all::BATCH;
pub(crate) use fifo::{Fifo, Slot};
pub(crate) use fork::Fork;
pub(crate) use graph::Core;
pub(crate) use in_flight::{Done, Limits};
pub(crate) use inlet::SourceCell;
pub(crate) use node::NodeState;
pub(crate) use pressure::Pressure;
pub(crate) use push::Nobody;
pub(crate) use workers::Workers;
