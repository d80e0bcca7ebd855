//! What is measured: this machine, ten times a second.

use std::time::{Duration, Instant};

use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System};

/// How often the machine is looked at.
pub const PERIOD: Duration = Duration::from_millis(100);

/// One reading of one thing.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What was read, such as `cpu` and the core's number.
    pub tag: Tag,
    /// In the unit of the tag's kind.
    pub value: f64,
}

/// What a reading is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    pub kind: Kind,
    pub of: String,
}

/// Kinds of readings, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Busy time of all cores, in percent.
    Cpu,
    /// Busy time of one core, in percent.
    Core,
    /// Memory in use, in percent.
    Memory,
    /// Room taken on a disk, in percent.
    Disk,
    /// Bytes received by a network interface, a second.
    Received,
    /// Bytes sent by a network interface, a second.
    Sent,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cpu => "cpu",
            Kind::Core => "core",
            Kind::Memory => "memory",
            Kind::Disk => "disk",
            Kind::Received => "received",
            Kind::Sent => "sent",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Kind::Received | Kind::Sent => "B/s",
            _ => "%",
        }
    }
}

/// Reads the machine.
pub struct Sampler {
    system: System,
    disks: Disks,
    networks: Networks,
    last: Instant,
}

impl Sampler {
    pub fn new() -> Sampler {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        Sampler {
            system: System::new_with_specifics(what),
            disks: Disks::new_with_refreshed_list(),
            networks: Networks::new_with_refreshed_list(),
            last: Instant::now(),
        }
    }

    /// One reading of everything.
    pub fn read(&mut self) -> Vec<Sample> {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(false);
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();

        let mut samples = vec![
            sample(Kind::Cpu, "all", self.system.global_cpu_usage().into()),
            sample(
                Kind::Memory,
                "used",
                percent(self.system.used_memory(), self.system.total_memory()),
            ),
        ];
        for (core, cpu) in self.system.cpus().iter().enumerate() {
            samples.push(sample(
                Kind::Core,
                &core.to_string(),
                cpu.cpu_usage().into(),
            ));
        }
        for disk in &self.disks {
            let used = disk.total_space().saturating_sub(disk.available_space());
            let name = disk.mount_point().to_string_lossy();
            samples.push(sample(Kind::Disk, &name, percent(used, disk.total_space())));
        }
        for (name, network) in &self.networks {
            samples.push(sample(
                Kind::Received,
                name,
                network.received() as f64 / seconds,
            ));
            samples.push(sample(
                Kind::Sent,
                name,
                network.transmitted() as f64 / seconds,
            ));
        }
        samples
    }
}

fn sample(kind: Kind, of: &str, value: f64) -> Sample {
    let tag = Tag {
        kind,
        of: of.to_owned(),
    };
    Sample { tag, value }
}

/// Not a number for an empty whole, such as a pseudo disk: the pipeline filters it out.
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}
