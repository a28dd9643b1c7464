//! On what a measurement was taken. Figures of different machines compare by processor time per message only.

use std::{fs, path::Path, thread};

use serde::{Deserialize, Serialize};

/// What matters of the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many threads run at once.
    pub threads: usize,
    /// The kernel's release.
    pub kernel: String,
    /// What paces TCP; it does so on loopback, too.
    pub congestion_control: String,
    /// How many threads wanted to run, on average over the last minute. More than a few tenths: something else runs here,
    /// and the figures are worse than they need be.
    pub load_1m: f64,
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn this() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cpu: model.map_or_else(String::new, |(_, name)| name.trim().to_owned()),
            threads: thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned(),
            load_1m: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }

    /// The machine in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { cpu, threads, kernel, congestion_control, load_1m } = self;
        format!("{threads} x {cpu}, kernel {kernel}, {congestion_control}, load {load_1m:.1}")
    }
}

/// What is not there is left empty.
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
