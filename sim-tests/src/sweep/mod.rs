//! Many seeds, on as many processes as there are jobs.
//!
//! Every seed runs in a worker: this program again, which is told one seed at a time and answers with its verdict
//! ([`worker`]). So a seed that aborts, hangs or eats all memory costs one worker and is reported like any other failure. A
//! share of the seeds is run a second time, in a fresh process, and must come out the same to the last bit.
//!
//! What is printed depends on the seeds alone, but for the speed.

mod pool;
mod summary;
pub mod worker;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

pub use summary::{FamilySummary, Summary};

use crate::{
    generate::{self, Family},
    run::Tier,
    stopwatch::Stopwatch,
    verdict::{Verdict, Violation},
};

/// What to sweep.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The program that serves as worker: `sim-tests` itself.
    pub program: PathBuf,
    /// The families; seed `s` goes to the one at place `s` modulo their number.
    pub families: Vec<&'static Family>,
    /// The tiers; every seed runs on each of them.
    pub tiers: Vec<Tier>,
    /// The first seed.
    pub from: u64,
    /// How many seeds.
    pub seeds: u64,
    /// How many processes.
    pub jobs: usize,
    /// How many of a hundred seeds run twice; never fewer than [`TWICE_LEAST`].
    pub twice_percent: u64,
    /// Longest that one seed may take, in real time.
    pub watchdog: Duration,
    /// Whether the workers are made nondeterministic on purpose.
    pub canary: bool,
}

/// Seeds that run twice in every sweep, however small, if there are so many.
pub const TWICE_LEAST: u64 = 3;

/// One seed of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// The family's name.
    pub family: &'static str,
    /// The seed.
    pub seed: u64,
    /// Where the nodes live.
    pub tier: Tier,
}

impl Job {
    /// A seed and the family that it goes to.
    #[must_use]
    pub fn of(families: &[&'static Family], seed: u64, tier: Tier) -> Self {
        let place = usize::try_from(seed % families.len().max(1) as u64).unwrap_or(0);
        Self { family: families.get(place).map_or("", |family| family.name), seed, tier }
    }

    /// The command that runs this seed again.
    #[must_use]
    pub fn command(self) -> String {
        let Self { family, seed, tier } = self;
        format!("cargo run --release -p sim-tests -- run --scenario {family} --seed {seed} --tier {tier}")
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seed {} on {}", self.family, self.seed, self.tier)
    }
}

/// The families that a comma-separated list names; `all` for every one.
///
/// # Errors
/// The first name that no family has.
pub fn families(names: &str) -> Result<Vec<&'static Family>, String> {
    if names == "all" {
        return Ok(generate::FAMILIES.iter().collect());
    }
    let find = |name: &str| generate::family(name).ok_or_else(|| format!("there is no scenario {name:?}; see `list`"));
    names.split(',').map(find).collect()
}

impl Sweep {
    /// Runs every seed. Each failure is told to `failed` as soon as it is known.
    pub fn run(&self, mut failed: impl FnMut(Job, &Violation)) -> Summary {
        let clock = Stopwatch::start();
        let seeds = self.from..self.from.saturating_add(self.seeds);
        let on = |tier: Tier| seeds.clone().map(move |seed| Job::of(&self.families, seed, tier));
        let jobs: Vec<Job> = self.tiers.iter().flat_map(|tier| on(*tier)).collect();
        let mut verdicts = BTreeMap::new();
        pool::run(self, &jobs, |job, verdict| {
            if let Verdict::Violation(violation) = &verdict {
                failed(job, violation);
            }
            verdicts.insert(job, verdict);
        });
        let elapsed = clock.elapsed();
        let again: Vec<Job> = jobs.iter().copied().filter(|job| self.runs_twice(job.seed)).collect();
        let mut differ = Vec::new();
        pool::run(self, &again, |job, second| {
            differ.extend(verdicts.get(&job).and_then(|first| difference(job, first, &second)))
        });
        differ.sort_by_key(|(job, _)| *job);
        for (job, violation) in differ {
            failed(job, &violation);
            verdicts.insert(job, Verdict::Violation(violation));
        }
        Summary::new(&verdicts, elapsed, self.jobs, again.len())
    }

    fn runs_twice(&self, seed: u64) -> bool {
        // The share is spread evenly: seeds at which `percent * n / 100` steps up.
        let place = seed - self.from;
        let steps = |place: u64| place * self.twice_percent.min(100) / 100;
        place < TWICE_LEAST || steps(place + 1) > steps(place)
    }
}

fn difference(job: Job, first: &Verdict, second: &Verdict) -> Option<(Job, Violation)> {
    if first == second {
        return None;
    }
    let show = |verdict: &Verdict| match verdict {
        Verdict::Ok(report) => format!("hash {:016x} after {} steps", report.hash, report.steps),
        Verdict::Violation(violation) => violation.to_string(),
    };
    let detail = format!("two processes disagree: {}; {}", show(first), show(second));
    Some((job, Violation { invariant: "determinism".into(), at_ms: 0, detail }))
}
