//! What a sweep prints in the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::Job;
use crate::{
    generate,
    run::Tier,
    turmoil::{Unsupported, unsupported},
    verdict::Verdict,
};

/// The figures of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilySummary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds in which something did not hold.
    pub failed: u64,
    /// Simulated time of the others.
    pub sim_ms: u64,
    /// Messages that applications were handed.
    pub handed: u64,
    /// Over the hashes of all seeds, in whatever order they ran.
    pub hash: u64,
}

/// The figures of a sweep. Displayed, its last line is the one that scripts read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// By tier and family.
    pub families: BTreeMap<(Tier, &'static str), FamilySummary>,
    /// By tier.
    pub tiers: BTreeMap<Tier, FamilySummary>,
    /// What was left out, and of how many seeds.
    pub left_out: BTreeMap<Unsupported, u64>,
    /// Everything together.
    pub total: FamilySummary,
    /// Simulated time over real time, per process.
    pub speed: u64,
    /// Seeds that were run twice.
    pub twice: usize,
}

impl Summary {
    pub(super) fn new(verdicts: &BTreeMap<Job, Verdict>, elapsed: Duration, jobs: usize, twice: usize) -> Self {
        let mut families: BTreeMap<_, FamilySummary> = BTreeMap::new();
        let mut tiers: BTreeMap<_, FamilySummary> = BTreeMap::new();
        let mut left_out = BTreeMap::new();
        let mut total = FamilySummary::default();
        for (job, verdict) in verdicts {
            families.entry((job.tier, job.family)).or_default().add(*job, verdict);
            tiers.entry(job.tier).or_default().add(*job, verdict);
            for what in left_out_of(*job) {
                *left_out.entry(what).or_default() += 1;
            }
            total.add(*job, verdict);
        }
        let real_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_mul(jobs.max(1) as u64).max(1);
        Self { families, tiers, left_out, total, speed: total.sim_ms / real_ms, twice }
    }

    /// Whether everything held.
    #[must_use]
    pub const fn ok(&self) -> bool {
        self.total.failed == 0
    }
}

impl FamilySummary {
    fn add(&mut self, job: Job, verdict: &Verdict) {
        self.seeds += 1;
        match verdict {
            Verdict::Ok(report) => {
                self.sim_ms += report.sim_ms;
                self.handed += report.counts.handed;
                self.hash = self.hash.wrapping_add(mix(job.seed ^ mix(report.hash ^ job.tier as u64)));
            }
            Verdict::Violation(_) => self.failed += 1,
        }
    }
}

/// What a job leaves out of its scenario.
fn left_out_of(job: Job) -> Vec<Unsupported> {
    match job.tier {
        Tier::Des => Vec::new(),
        Tier::Turmoil => {
            generate::family(job.family).map_or_else(Vec::new, |family| unsupported(&family.generate(job.seed)))
        }
    }
}

/// Spreads every bit over all (the finaliser of SplitMix64), so that a sum of mixed hashes hides no difference.
const fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((tier, name), family) in &self.families {
            writeln!(
                f,
                "{tier:<7} {name:<10} seeds {:>5} failed {} sim-seconds {:>7} messages {:>8} hash {:016x}",
                family.seeds,
                family.failed,
                family.sim_ms / 1_000,
                family.handed,
                family.hash
            )?;
        }
        for (what, seeds) in &self.left_out {
            writeln!(f, "turmoil left out of {seeds} seeds: {what}")?;
        }
        for (tier, FamilySummary { seeds, failed, sim_ms, hash, .. }) in &self.tiers {
            writeln!(f, "{tier:<7} seeds {seeds} failed {failed} sim-seconds {} hash {hash:016x}", sim_ms / 1_000)?;
        }
        writeln!(f, "{} seeds were run twice, in different processes", self.twice)?;
        let FamilySummary { seeds, failed, sim_ms, hash, .. } = self.total;
        write!(
            f,
            "seeds {seeds} ok {} failed {failed} sim-seconds {} speed {}x hash {hash:016x}",
            seeds - failed,
            sim_ms / 1_000,
            self.speed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oracle::Counts,
        verdict::{Report, Violation},
    };

    fn ok(hash: u64) -> Verdict {
        Verdict::Ok(Report { hash, sim_ms: 60_000, steps: 1, settled_ms: 0, counts: Counts::default() })
    }

    fn job(seed: u64) -> Job {
        Job { family: "mesh5", seed, tier: Tier::Des }
    }

    fn summary(verdicts: &[(Job, Verdict)]) -> Summary {
        Summary::new(&verdicts.iter().cloned().collect(), Duration::from_secs(1), 2, 0)
    }

    #[test]
    fn the_last_line_is_what_scripts_read() {
        let text = summary(&[(job(1), ok(7)), (job(2), ok(8))]).to_string();
        let last = text.lines().last().expect("there is one");
        assert!(last.starts_with("seeds 2 ok 2 failed 0 sim-seconds 120 speed 60x hash "), "{last}");
        assert_eq!(last.rsplit(' ').next().map(str::len), Some(16));
    }

    #[test]
    fn the_hash_tells_which_seed_had_which_hash() {
        let hash = |first, second| summary(&[(job(1), ok(first)), (job(2), ok(second))]).total.hash;
        assert_eq!(hash(7, 8), hash(7, 8));
        assert_ne!(hash(7, 8), hash(8, 7));
        assert_ne!(hash(7, 8), hash(7, 9));
    }

    #[test]
    fn a_failure_is_counted_and_not_hashed() {
        let violation = Violation { invariant: "panic".into(), at_ms: 0, detail: String::new() };
        let summary = summary(&[(job(1), ok(7)), (job(2), Verdict::Violation(violation))]);
        assert!(!summary.ok());
        assert_eq!((summary.total.seeds, summary.total.failed), (2, 1));
    }
}
