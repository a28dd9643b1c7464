//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sim_tests::{
    run::Tier,
    sweep::{self, Job},
};

/// Runs the mesh in simulation, under faults, and judges it.
#[derive(Debug, Parser)]
#[command(name = "sim-tests", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run many seeds.
    Sweep(SweepArgs),
    /// Run one seed.
    Run {
        #[command(flatten)]
        pick: Pick,
        /// Print what happens, line by line.
        #[arg(long)]
        log: bool,
        /// Write the scenario to a file before it runs.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Run a scenario from a file.
    Replay {
        /// The file.
        file: PathBuf,
        /// Where the nodes live: des or turmoil.
        #[arg(long, default_value = "des", value_parser = tier)]
        tier: Tier,
        /// Print what happens, line by line.
        #[arg(long)]
        log: bool,
    },
    /// Make a failing seed small and write it to a file.
    Shrink {
        /// The seed.
        seed: u64,
        /// Its family; `all`: the one that a sweep over all gives it to.
        #[arg(long, default_value = "all")]
        scenario: String,
        /// Where the nodes live: des or turmoil.
        #[arg(long, default_value = "des", value_parser = tier)]
        tier: Tier,
        /// Where to; by default `sim-tests/regressions/FAMILY-SEED.json`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Most seconds to search.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Most runs to search.
        #[arg(long, default_value_t = 2_000)]
        runs: u32,
    },
    /// Measure how routing grows with the mesh.
    Scale(ScaleArgs),
    /// List the families.
    List,
    /// Prove that nondeterminism is caught.
    Canary,
    /// Run the seeds that come in on standard input.
    #[command(hide = true)]
    Worker {
        /// Be nondeterministic on purpose.
        #[arg(long)]
        canary: bool,
    },
}

/// One seed of one family.
#[derive(Debug, Args)]
pub(crate) struct Pick {
    /// The family; `all`: the one that a sweep over all gives the seed to.
    #[arg(long, default_value = "all")]
    pub(crate) scenario: String,
    /// The seed.
    #[arg(long)]
    pub(crate) seed: u64,
    /// Where the nodes live: des or turmoil.
    #[arg(long, default_value = "des", value_parser = tier)]
    pub(crate) tier: Tier,
}

impl Pick {
    pub(crate) fn job(&self) -> Result<Job, String> {
        Ok(Job::of(&sweep::families(&self.scenario)?, self.seed, self.tier))
    }
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Families, separated by commas, or `all`; the seeds are dealt out to them in turn.
    #[arg(long, default_value = "all")]
    pub(crate) scenario: String,
    /// Where the nodes live: des, turmoil, or both, which runs every seed twice and counts it twice.
    #[arg(long, default_value = "des", value_parser = tiers)]
    pub(crate) tier: Tiers,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    pub(crate) seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) from: u64,
    /// How many processes.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// How many of a hundred seeds are run twice, to compare.
    #[arg(long, default_value_t = 5, value_name = "PERCENT")]
    pub(crate) twice: u64,
    /// Most real seconds for one seed.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub(crate) watchdog: u64,
    /// Be nondeterministic on purpose: the sweep must fail.
    #[arg(long)]
    pub(crate) canary: bool,
}

/// One tier or several.
#[derive(Clone, Debug)]
pub(crate) struct Tiers(pub(crate) Vec<Tier>);

fn tier(name: &str) -> Result<Tier, String> {
    Tier::of(name).ok_or_else(|| String::from("des and turmoil are known"))
}

fn tiers(name: &str) -> Result<Tiers, String> {
    if name == "both" { Ok(Tiers(Tier::ALL.to_vec())) } else { tier(name).map(|tier| Tiers(vec![tier])) }
}

#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// Sizes to measure, separated by commas.
    #[arg(long, default_value = "50,100,200", value_delimiter = ',')]
    pub(crate) nodes: Vec<u32>,
    /// Simulated minutes of churn.
    #[arg(long, default_value_t = 3)]
    pub(crate) minutes: u32,
    /// Links per node, on average.
    #[arg(long, default_value_t = 5)]
    pub(crate) degree: u32,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Nodes in a hundred that go down and come back in each minute.
    #[arg(long, default_value_t = 5, value_name = "PERCENT")]
    pub(crate) churn_percent: u32,
}
