//! `Branch`: the handle of a run that was connected, by which it is named, moved and taken off.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::graph::Graph;
use super::inbox::Entry;
use super::parts::TakenOff;
use super::runs::ItemType;
use super::shared::Shared;
use super::source::Source;
use super::topology::{Label, NodeId, Topology, TopologyNode};
use crate::InGraph;
use crate::flow::Forkable;

/// A run that was connected: from the junctions it hangs from down to its end.
///
/// It can be named, moved and taken off at any moment, while other threads emit: from outside of the
/// graph's closures at once, from inside once the element (or batch) under way has finished.
///
/// A handle: clones mean the same run, and dropping it changes nothing.
#[derive(Clone)]
pub struct Branch {
    graph: Graph,
    end: Option<Arc<Label>>,
}

/// What a run can hang from: a [`Source`] or a [`Shared`] node. Nobody else implements it.
pub trait Junction: sealed::Junction {
    /// What flows out of it.
    type Item: InGraph;
}

mod sealed {
    use super::{Graph, NodeId};

    pub trait Junction {
        #[doc(hidden)]
        fn place(&self) -> (Graph, NodeId);
    }
}

impl<T: Forkable + InGraph> Junction for Source<T> {
    type Item = T;
}

impl<T: Forkable + InGraph> sealed::Junction for Source<T> {
    fn place(&self) -> (Graph, NodeId) {
        (self.graph(), self.id())
    }
}

impl<T: Forkable + InGraph> Junction for Shared<T> {
    type Item = T;
}

impl<T: Forkable + InGraph> sealed::Junction for Shared<T> {
    fn place(&self) -> (Graph, NodeId) {
        (self.graph().clone(), self.id())
    }
}

/// Why a branch was not moved. It is where it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MoveError {
    /// The junction belongs to another graph.
    OtherGraph,
    /// The junction's elements are of another type.
    OtherType {
        /// What the branch takes.
        branch: &'static str,
        /// What the junction has.
        junction: &'static str,
    },
    /// The branch hangs from several junctions (a join), or from none (a stream, an iterator): say
    /// which input by [`move_input`](Branch::move_input).
    Inputs(usize),
    /// Elements of the branch come to that junction: it would feed itself. That is what
    /// [`connect`](crate::Flow::connect) is for.
    Cycle,
    /// The branch or the junction was disconnected, discarded or destroyed.
    Gone,
    /// The branch was connected within a key's run (of [`per_key`](crate::Flow::per_key)), and is part of
    /// that: it can be taken off, but not moved.
    WithinKey,
    /// The junction that the branch hung from had closed, and so has the branch.
    Closed,
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoveError::OtherGraph => f.write_str(
                "not moved: the junction belongs to another graph, which has a lock of its own",
            ),
            MoveError::OtherType { branch, junction } => write!(
                f,
                "not moved: the branch takes `{branch}`, and the junction has `{junction}`"
            ),
            MoveError::Inputs(0) => {
                f.write_str("not moved: the branch begins at a stream or an iterator")
            }
            MoveError::Inputs(inputs) => write!(
                f,
                "not moved: the branch has {inputs} inputs; say which by `move_input`, from 0"
            ),
            MoveError::Cycle => f.write_str(
                "not moved: the branch leads to that junction, and would feed itself; `connect` makes \
                 cycles",
            ),
            MoveError::Gone => {
                f.write_str("not moved: the branch or the junction was taken off before")
            }
            MoveError::WithinKey => {
                f.write_str("not moved: the branch is part of a key's run, and stays in it")
            }
            MoveError::Closed => {
                f.write_str("not moved: what the branch hung from had closed, and so has the branch")
            }
        }
    }
}

impl std::error::Error for MoveError {}

impl Branch {
    pub(super) fn new(graph: Graph, end: Option<Arc<Label>>) -> Branch {
        Branch { graph, end }
    }

    /// Names the run's end, unless it has a name.
    pub fn named(self, name: impl Into<String>) -> Branch {
        if let Some(end) = &self.end {
            end.set_name(name.into());
        }
        self
    }

    /// Takes the run off its junctions. What it held is emitted as at a close, and then its nodes go;
    /// other branches go on. Streams and iterators that it begins with end.
    ///
    /// Within a key's run (of [`per_key`](crate::Flow::per_key)) it takes off what that key has; other
    /// keys keep theirs. Where the key's flow itself ends there, further elements of the key are unheard.
    ///
    /// Who waited for room in it goes on at once. Its counts stay in the total of what has gone:
    /// [`Snapshot::gone`](crate::Snapshot#structfield.gone).
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let source = Source::<u32>::new();
    /// let pairs = source.partition(2).sink_to_list();
    /// source.emit_all([1, 2, 3])?;
    /// pairs.branch().disconnect();
    /// source.emit(4)?;
    /// assert_eq!(pairs.take(), [vec![1, 2], vec![3]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn disconnect(&self) {
        let Some(run) = self.run() else { return };
        if self.is_within() {
            return self.part_within(TakenOff::Drains);
        }
        self.graph.restructure(|topology| {
            let heads = topology.part(run)?;
            Some(move |cx: &mut super::context::Cx| cx.depart(run, &heads))
        });
    }

    /// Takes the run off its junctions and lets nothing more come of it: what it holds is lost, counted
    /// as [`Loss::Discarded`](crate::Loss::Discarded), and its receipts say so. Futures in flight are
    /// dropped, and so is what hangs from the run alone. A state that stands for elements (`fold`,
    /// `fold_window` and their kin) counts as one.
    ///
    /// Within a key's run, what leads out of the run is not discarded: it closes, as if what it hung from
    /// had closed.
    ///
    /// After [`disconnect`](Branch::disconnect) it gives up what has not drained yet. A stream or an
    /// iterator that the run begins with ends first, as at a close.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use headwater::{Loss, Lost};
    ///
    /// let source = Source::<u32>::new();
    /// let pairs = source.partition(2).sink_to_list();
    /// let receipt = source.emit_tracked(1)?;
    /// pairs.branch().discard();
    /// assert!(pairs.is_empty());
    /// assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    /// assert_eq!(source.graph().snapshot()?.gone.counts.lost(Loss::Discarded), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "destroy")]
    #[doc(alias = "abort")]
    pub fn discard(&self) {
        if self.is_within() {
            self.part_within(TakenOff::Discarded);
        } else if let Some(run) = self.run() {
            self.graph.discard_run(run);
        }
    }

    /// Whether it was connected within a key's run.
    fn is_within(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.is_instance())
    }

    fn part_within(&self, how: TakenOff) {
        if let Some(run) = self.run() {
            self.graph.change(move |cx| cx.part_within(run, how));
        }
    }

    /// Hangs the run from another junction, with what it holds and has counted, in one step: each
    /// element of either junction comes to it wholly before or wholly after.
    ///
    /// From inside a closure the checks are made at once and the move is queued.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    /// let sums = old.accumulate(0, |sum, x| sum + x).sink_to_list();
    /// old.emit(1)?;
    /// sums.branch().move_to(&new)?;
    /// old.emit(10)?;
    /// new.emit(100)?;
    /// assert_eq!(sums.take(), [1, 101]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`MoveError`]: then nothing has changed.
    #[doc(alias = "reconnect")]
    pub fn move_to(&self, junction: &impl Junction) -> Result<(), MoveError> {
        self.move_head(None, junction)
    }

    /// As [`move_to`](Branch::move_to), for one input of a run that joins several: counted from 0, in
    /// the order in which the flows were written. A [`literal`](crate::literal) of a zip is not counted.
    ///
    /// # Errors
    /// See [`MoveError`].
    pub fn move_input(&self, input: usize, junction: &impl Junction) -> Result<(), MoveError> {
        self.move_head(Some(input), junction)
    }

    fn move_head<J: Junction>(&self, input: Option<usize>, junction: &J) -> Result<(), MoveError> {
        let (graph, to) = junction.place();
        let item = ItemType::of::<J::Item>();
        if !graph.is_same(&self.graph) {
            return Err(MoveError::OtherGraph);
        }
        if self.is_within() {
            return Err(MoveError::WithinKey);
        }
        let run = self.run().ok_or(MoveError::Gone)?;
        let mut refused = None;
        let was_closed = Arc::new(AtomicBool::new(false));
        let tell = was_closed.clone();
        self.graph
            .restructure(|topology| match topology.rehang(run, input, to, item) {
                Ok(from) => Some(move |cx: &mut super::context::Cx| {
                    tell.store(!cx.move_branch(run, &from, to), Ordering::Relaxed);
                }),
                Err(error) => {
                    refused = Some(error);
                    None
                }
            });
        match refused {
            Some(error) => Err(error),
            None if was_closed.load(Ordering::Relaxed) => Err(MoveError::Closed),
            None => Ok(()),
        }
    }

    /// Whether the run hangs from its junctions still: it was not taken off. Within a key's run, whether
    /// that key lives, too.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        if self.is_within() {
            return self.end.as_ref().is_some_and(|end| !end.is_off());
        }
        let run = self.run();
        self.read(|topology| {
            let record = run.and_then(|run| topology.runs.get(&run));
            record.is_some_and(|record| !record.departing)
        })
    }

    /// The identity of the run's end.
    #[must_use]
    pub fn id(&self) -> Option<NodeId> {
        self.run()
    }

    /// The nodes of the run, its end last. None once it has gone, and of one within a key's run, which is
    /// shown once for all keys.
    #[must_use]
    pub fn nodes(&self) -> Vec<TopologyNode> {
        self.record_nodes(|topology, nodes| {
            let all = topology.nodes.iter();
            let mut nodes: Vec<_> = all
                .filter(|node| nodes.contains(&node.label.id()))
                .cloned()
                .collect();
            // They were made from the end backwards.
            nodes.sort_by_key(|node| std::cmp::Reverse(node.label.id()));
            nodes
        })
    }

    /// The sources and shared nodes that the run hangs from, in the order of its inputs.
    #[must_use]
    pub fn upstreams(&self) -> Vec<TopologyNode> {
        let run = self.run();
        self.read(|topology| {
            let record = run.and_then(|run| topology.runs.get(&run));
            let heads = record.map_or(&[][..], |record| &record.heads);
            heads
                .iter()
                .filter_map(|head| {
                    let mut nodes = topology.nodes.iter();
                    nodes.find(|node| node.label.id() == head.fork).cloned()
                })
                .collect()
        })
    }

    /// What the run leads to: the source that it [`connect`](crate::Flow::connect)s to.
    #[must_use]
    pub fn downstreams(&self) -> Vec<TopologyNode> {
        self.run().map_or_else(Vec::new, |run| {
            self.read(|topology| topology.downstreams(run).cloned().collect())
        })
    }

    fn run(&self) -> Option<NodeId> {
        self.end.as_ref().map(|end| end.id())
    }

    fn read<R: Default>(&self, ask: impl FnOnce(&Topology) -> R) -> R {
        let topology = self.graph.core().topology.lock();
        topology.map(|topology| ask(&topology)).unwrap_or_default()
    }

    fn record_nodes<R: Default>(&self, ask: impl FnOnce(&Topology, &[NodeId]) -> R) -> R {
        let run = self.run();
        self.read(|topology| {
            let record = run.and_then(|run| topology.runs.get(&run));
            record.map_or_else(R::default, |record| ask(topology, &record.nodes))
        })
    }
}

impl Topology {
    /// Hangs one input of a run from another junction. Returns how it hung before.
    fn rehang(
        &mut self,
        run: NodeId,
        input: Option<usize>,
        to: NodeId,
        item: ItemType,
    ) -> Result<super::runs::Hanging, MoveError> {
        let live = |run: &&super::runs::RunRecord| !run.departing;
        let record = self.runs.get(&run).filter(live).ok_or(MoveError::Gone)?;
        let at = match (input, record.heads.len()) {
            (None, 1) => 0,
            (Some(at), inputs) if at < inputs => at,
            (_, inputs) => return Err(MoveError::Inputs(inputs)),
        };
        let old = record.heads[at].clone();
        if old.item != item {
            return Err(MoveError::OtherType {
                branch: old.item.name,
                junction: item.name,
            });
        }
        let target = self.junctions.get(&to).and_then(|run| self.runs.get(run));
        if target.filter(live).is_none() {
            return Err(MoveError::Gone);
        }
        if self.reaches_at_once(old.edge.to, to) {
            return Err(MoveError::Cycle);
        }
        self.unhang(&old);
        let mut new = old.clone();
        new.fork = to;
        new.edge.from = to;
        self.edges.push(new.edge);
        if let Some(above) = self.run_above(&new) {
            above.hanging += 1;
        }
        if let Some(record) = self.runs.get_mut(&run) {
            record.heads[at] = new;
        }
        Ok(old)
    }
}

impl Graph {
    /// Changes the topology now, and has the graph follow: at once, or when the closure that is
    /// running has finished, in the order in which the topology was changed.
    pub(super) fn restructure<F>(&self, change: impl FnOnce(&mut Topology) -> Option<F>)
    where
        F: FnOnce(&mut super::context::Cx) + Send + 'static,
    {
        let topology: &Mutex<Topology> = &self.core().topology;
        let Ok(mut topology) = topology.lock() else {
            return;
        };
        let Some(follow) = change(&mut topology) else {
            return;
        };
        self.core().inbox.leave(Entry::Task(Box::new(follow)));
        drop(topology);
        self.look_in();
    }

    pub(super) fn discard_run(&self, run: NodeId) {
        self.restructure(|topology| {
            let cut = topology.cut(run)?;
            Some(move |cx: &mut super::context::Cx| cx.discard(cut))
        });
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch")
            .field("end", &self.end.as_ref().map(|end| end.title()))
            .finish_non_exhaustive()
    }
}
