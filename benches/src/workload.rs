//! A workload: the same work done in several ways, the first of them by hand.

use std::time::Duration;

use crate::target::Target;

/// Who did the work of a variant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Written out by hand: the baseline, or a comparator.
    Hand,
    /// Another library.
    Peer,
    /// headwater.
    Ours,
}

impl Role {
    /// As the reports print it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Peer => "peer",
            Self::Ours => "ours",
        }
    }
}

type Run = Box<dyn FnOnce() -> Done>;

/// What a run came to: its checksum, and how long it took where it says so itself.
pub(crate) struct Done {
    pub(crate) sum: u64,
    pub(crate) took: Option<Duration>,
}

impl From<u64> for Done {
    fn from(sum: u64) -> Self {
        Self { sum, took: None }
    }
}

/// One way to do the work: from a number of elements to a checksum of what came out.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    prepare: Box<dyn Fn(u64) -> Run>,
}

impl Variant {
    /// Work written out by hand.
    pub(crate) fn hand(name: &'static str, run: fn(u64) -> u64) -> Self {
        Self::timed(name, Role::Hand, run)
    }

    /// Work done by another library.
    pub(crate) fn peer(name: &'static str, run: fn(u64) -> u64) -> Self {
        Self::timed(name, Role::Peer, run)
    }

    /// Work done by headwater.
    pub(crate) fn ours(name: &'static str, run: fn(u64) -> u64) -> Self {
        Self::timed(name, Role::Ours, run)
    }

    /// Work where `prepare` is not timed and the closure it returns is.
    pub(crate) fn prepared<R>(name: &'static str, role: Role, prepare: fn(u64) -> R) -> Self
    where
        R: FnOnce() -> u64 + 'static,
    {
        let prepare = Box::new(move |count| {
            let run = prepare(count);
            Box::new(move || run().into()) as Run
        });
        Self {
            name,
            role,
            prepare,
        }
    }

    fn timed(name: &'static str, role: Role, run: fn(u64) -> u64) -> Self {
        Self::with(name, role, run)
    }

    /// Work done by a closure that knows more than the number of elements.
    pub(crate) fn with<F>(name: &'static str, role: Role, run: F) -> Self
    where
        F: Fn(u64) -> u64 + Copy + 'static,
    {
        Self::done(name, role, move |count| run(count).into())
    }

    /// Work of which only a part is timed: `run` returns its checksum, and how long that part took.
    pub(crate) fn clocked<F>(name: &'static str, role: Role, run: F) -> Self
    where
        F: Fn(u64) -> (u64, Duration) + Copy + 'static,
    {
        Self::done(name, role, move |count| {
            let (sum, took) = run(count);
            let took = Some(took);
            Done { sum, took }
        })
    }

    fn done<F>(name: &'static str, role: Role, run: F) -> Self
    where
        F: Fn(u64) -> Done + Copy + 'static,
    {
        let prepare = Box::new(move |count| Box::new(move || run(count)) as Run);
        Self {
            name,
            role,
            prepare,
        }
    }

    /// Sets everything up for `count` elements.
    pub(crate) fn prepare(&self, count: u64) -> Run {
        (self.prepare)(count)
    }
}

/// The same work done in several ways; the first is the baseline of all ratios.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The table that it is a row of, where it has none of its own: an operator's.
    pub(crate) table: Option<&'static str>,
    pub(crate) what: &'static str,
    /// What one step is called.
    pub(crate) unit: &'static str,
    /// Whether instruction counts mean anything: not where threads wait for each other.
    pub(crate) countable: bool,
    pub(crate) variants: Vec<Variant>,
    pub(crate) targets: Vec<Target>,
    /// What must be there for it, such as a server: it runs only where it is asked for by name.
    pub(crate) needs: Option<fn() -> Result<(), String>>,
}

impl Workload {
    /// A workload with its baseline.
    pub(crate) fn new(name: &'static str, what: &'static str, baseline: Variant) -> Self {
        let (unit, countable, targets) = ("element", true, Vec::new());
        Self {
            name,
            table: None,
            what,
            unit,
            countable,
            variants: vec![baseline],
            targets,
            needs: None,
        }
    }

    /// An operator and its work written out by hand: a row of a table of such pairs.
    pub(crate) fn pair(name: &'static str, by_hand: fn(u64) -> u64, ours: fn(u64) -> u64) -> Self {
        Self::new(name, "", Variant::hand("loop", by_hand))
            .variant(Variant::ours("headwater", ours))
    }

    /// Adds a variant.
    pub(crate) fn variant(mut self, variant: Variant) -> Self {
        self.variants.push(variant);
        self
    }

    /// Adds what a variant of headwater must reach; the variant itself may come later.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }
}
