//! Runs a scenario and judges it.
//!
//! First the storm: faults strike while applications work, and everything that must always hold is checked, at every turn
//! of every node, at every change of a link or route, and every so often. Then the calm: the survivors are healed and
//! their processes started, all else stays broken. They must settle in bounded time, do everything that is asked of them,
//! and then be quiet.

mod calm;
pub(crate) mod guard;
mod reality;
pub(crate) mod referee;
mod services;
pub(crate) mod snap;
mod stage;
pub(crate) mod theatre;

pub use guard::guarded;

use stage::Stage;
use theatre::Theatre;

use crate::{
    scenario::Scenario,
    turmoil::{House, Sabotage},
    verdict::{Report, Verdict, Violation},
};

/// Where the nodes live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// In a discrete-event world, without any shell: fast.
    #[default]
    Des,
    /// In real shells on turmoil's sockets.
    Turmoil,
}

impl Tier {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Des, Self::Turmoil];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::Turmoil => "turmoil",
        }
    }

    /// The tier of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Be nondeterministic on purpose, to be caught.
    pub canary: bool,
    /// Where the nodes live.
    pub tier: Tier,
    /// Break the shells on purpose, to be caught. Means nothing to the discrete-event tier, which has none.
    pub sabotage: Option<Sabotage>,
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
    match options.tier {
        Tier::Des => act(Stage::new(scenario, options, stage::world(scenario, options))),
        Tier::Turmoil => act(Stage::new(scenario, options, House::new(scenario, options))),
    }
}

fn act(mut stage: Stage<'_, impl Theatre>) -> Result<Report, Violation> {
    stage.storm()?;
    let settled_ms = calm::calm(&mut stage)?;
    Ok(stage.report(settled_ms))
}
