//! Runs a scenario and judges it.
//!
//! First the storm: faults strike while applications work, and everything that must always hold is checked, at every turn
//! of every node, at every change of a link or route, and every so often. Then the calm: the survivors are healed and
//! their processes started, all else stays broken. They must settle in bounded time, do everything that is asked of them,
//! and then be quiet.

mod calm;
mod guard;
mod reality;
mod referee;
mod snap;
mod stage;

pub use guard::guarded;

use crate::{
    scenario::Scenario,
    verdict::{Report, Verdict, Violation},
};

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Be nondeterministic on purpose, to be caught.
    pub canary: bool,
    /// Told line by line what happens, for people.
    pub log: Option<fn(&str)>,
}

/// Runs a scenario. The same scenario always gets the same verdict.
///
/// # Panics
/// If a node does; see [`guarded`].
#[must_use]
pub fn run(scenario: &Scenario, options: Options) -> Verdict {
    match play(scenario, options) {
        Ok(report) => Verdict::Ok(report),
        Err(violation) => Verdict::Violation(violation),
    }
}

fn play(scenario: &Scenario, options: Options) -> Result<Report, Violation> {
    let mut stage = stage::Stage::new(scenario, options);
    stage.storm()?;
    let settled_ms = calm::calm(&mut stage)?;
    Ok(stage.report(settled_ms))
}
