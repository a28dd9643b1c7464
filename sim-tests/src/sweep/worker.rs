//! A worker: is told a family, a seed and a tier per line, answers with the verdict as one line of JSON.

use std::io::{BufRead, Write};

use crate::{generate, run, verdict::Verdict};

/// Seeds that one worker runs before another takes its place, so that nothing that piles up in a process goes far.
pub(super) const SEEDS_PER_WORKER: u32 = 200;

/// Serves until the input ends.
///
/// # Errors
/// If input or output breaks, or a line names no family, seed and tier.
pub fn serve(input: impl BufRead, mut output: impl Write, canary: bool) -> std::io::Result<()> {
    for line in input.lines() {
        let verdict = verdict(&line?, canary).ok_or(std::io::ErrorKind::InvalidInput)?;
        serde_json::to_writer(&mut output, &verdict)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn verdict(line: &str, canary: bool) -> Option<Verdict> {
    let mut words = line.split(' ');
    let (name, seed, tier) = (words.next()?, words.next()?, words.next()?);
    let family = generate::family(name)?;
    let options = run::Options { canary, tier: run::Tier::of(tier)?, ..run::Options::default() };
    Some(run::guarded(&family.generate(seed.parse().ok()?), options))
}
