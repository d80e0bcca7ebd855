//! The sinks of a pipeline: added, and taken off.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::delivery::{self, Fate};
use super::error::MetricError;
use super::options::SinkOptions;
use super::pipeline::MetricsPipeline;
use super::removed::Removed;
use super::sink::MetricSink;
use crate::{Branch, NodeId};

/// A sink that hears of what is aggregated.
pub(super) struct Connected {
    pub(super) fate: Arc<Fate>,
    /// None while it is being connected.
    branch: Option<Branch>,
    buffer: Option<NodeId>,
}

impl Connected {
    /// The node that counts what came for the sink. Not by its name, which others may have as well.
    pub(super) fn buffer(&mut self) -> Option<NodeId> {
        if self.buffer.is_none()
            && let Some(branch) = &self.branch
        {
            let nodes = branch.nodes();
            let buffer = nodes.iter().find(|node| node.label().kind() == "buffer");
            self.buffer = buffer.map(|node| node.label().id());
        }
        self.buffer
    }
}

impl MetricsPipeline {
    /// Adds a sink to a pipeline that is running, with the default [`SinkOptions`]. It hears of what is
    /// aggregated from now on.
    ///
    /// # Errors
    /// [`MetricError::SameSink`] if there is one of this name; [`MetricError::Closed`] after the shutdown.
    #[doc(alias = "add_msink")]
    pub fn add_sink(&self, sink: impl MetricSink) -> Result<(), MetricError> {
        self.add_sink_with(sink, SinkOptions::default())
    }

    /// Adds a sink to a pipeline that is running. It hears of what is aggregated from now on, on the runtime on
    /// which the pipeline was spawned, whichever thread this is called on.
    ///
    /// # Errors
    /// [`MetricError::ZeroOption`] if an option is zero, or the batches that the sink asks for;
    /// [`MetricError::SameSink`] if there is one of this name; [`MetricError::Closed`] after the shutdown.
    pub fn add_sink_with(
        &self,
        sink: impl MetricSink,
        options: SinkOptions,
    ) -> Result<(), MetricError> {
        if self.0.intake.is_closed() {
            return Err(MetricError::Closed);
        }
        let name = options
            .name
            .clone()
            .unwrap_or_else(|| sink.name())
            .into_owned();
        let fate = Arc::new(Fate::new(name.clone(), sink.delivery()));
        let (elements, descriptions) = (&self.0.elements, &self.0.descriptions);
        let connect = delivery::prepare(
            elements,
            sink,
            &options,
            &fate,
            descriptions,
            &self.0.runtime,
        );
        let connect = connect.map_err(|zero| MetricError::ZeroOption {
            sink: name.as_str().into(),
            zero,
        })?;
        let connected = Connected {
            fate: fate.clone(),
            branch: None,
            buffer: None,
        };
        match self.sinks().entry(name.clone()) {
            Entry::Occupied(_) => return Err(MetricError::SameSink(name.into())),
            Entry::Vacant(place) => place.insert(connected),
        };
        // Not under the lock: this waits for the graph, where somebody may wait for the lock.
        let branch = connect();
        match self.sinks().get_mut(&name) {
            Some(connected) if Arc::ptr_eq(&connected.fate, &fate) => {
                connected.branch = Some(branch);
                connected.buffer();
            }
            // Taken off meanwhile.
            _ => branch.disconnect(),
        }
        Ok(())
    }

    pub(super) fn sinks(&self) -> MutexGuard<'_, BTreeMap<String, Connected>> {
        self.0.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sink off. What it was given is delivered still, and then it is closed. Says whether there
    /// was one of this name.
    ///
    /// As long as it takes for that, it has the time, and is in [snapshots](MetricsPipeline::snapshot) as one
    /// that was removed; a [shutdown](MetricsPipeline::shutdown) waits 5 s more for it, also where it is under way
    /// already, gives up what it holds then, and counts that.
    pub fn remove_sink(&self, name: &str) -> bool {
        let sink = self.sinks().remove(name);
        let is_there = sink.is_some();
        // Not under the lock, as above.
        if let Some(mut sink) = sink {
            let buffer = sink.buffer();
            let Connected { fate, branch, .. } = sink;
            if let Some(branch) = branch {
                branch.disconnect();
                self.forget_ended();
                self.removed().push(Removed::new(fate, branch, buffer));
                self.0.one_removed.notify_waiters();
            }
        }
        is_there
    }

    pub(super) fn removed(&self) -> MutexGuard<'_, Vec<Arc<Removed>>> {
        let removed = self.0.removed.lock();
        removed.unwrap_or_else(PoisonError::into_inner)
    }
}
