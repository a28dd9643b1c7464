//! `sim-tests`: sweeps, single seeds, replays and shrinking from the command line. `docs/SIMULATION.md` is its manual.

#![allow(clippy::print_stdout, reason = "what a command finds is its output")]

mod cli;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser as _;
use cli::{Cli, Command, Pick, ScaleArgs, SweepArgs};
use sim_tests::{
    generate,
    run::{self, Options, Tier},
    scale,
    scenario::Scenario,
    shrink::{self, Budget},
    sweep::{self, Job, Sweep, worker},
    turmoil,
    verdict::{Report, Verdict, Violation},
};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Sweep(args) => sweep(&args),
        Command::Run { pick, log, save } => run(&pick, log, save.as_deref()),
        Command::Replay { file, tier, log } => replay(&file, tier, log),
        Command::Shrink { seed, scenario, tier, out, seconds, runs } => {
            let budget = Budget { runs, time: Duration::from_secs(seconds) };
            shrink(&Pick { scenario, seed, tier }, out, budget)
        }
        Command::Scale(args) => scale(&args),
        Command::List => list(),
        Command::Canary => canary(),
        Command::Worker { canary } => {
            worker::serve(io::stdin().lock(), io::stdout().lock(), canary).map(|()| true).map_err(|e| e.to_string())
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            // Nothing more can be done if even this cannot be written.
            let _ = writeln!(io::stderr(), "error: {why}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held; or why it could not be found out.
type Outcome = Result<bool, String>;

fn sweep(args: &SweepArgs) -> Outcome {
    let sweep = Sweep {
        program: std::env::current_exe().map_err(|error| error.to_string())?,
        families: sweep::families(&args.scenario)?,
        tiers: args.tier.0.clone(),
        from: args.from,
        seeds: args.seeds,
        jobs: args.jobs,
        twice_percent: args.twice,
        watchdog: Duration::from_secs(args.watchdog),
        canary: args.canary,
    };
    let summary = sweep.run(|job, violation| {
        println!("FAILED {job}: {violation}\n  {}", job.command());
    });
    println!("{summary}");
    Ok(summary.ok())
}

fn run(pick: &Pick, log: bool, save: Option<&Path>) -> Outcome {
    let job = pick.job()?;
    let scenario = generated(job)?;
    if let Some(path) = save {
        write(path, &scenario)?;
    }
    Ok(tell(&scenario, job.tier, log, &job.command()))
}

fn replay(file: &Path, tier: Tier, log: bool) -> Outcome {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let scenario = Scenario::from_json(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let command = format!("cargo run --release -p sim-tests -- replay {} --tier {tier}", file.display());
    Ok(tell(&scenario, tier, log, &command))
}

/// Runs a scenario and prints what came of it.
fn tell(scenario: &Scenario, tier: Tier, log: bool, command: &str) -> bool {
    if tier == Tier::Turmoil {
        turmoil::unsupported(scenario).iter().for_each(|what| println!("left out on this tier: {what}"));
    }
    let options = Options { tier, log: log.then_some(|line| println!("{line}")), ..Options::default() };
    match run::guarded(scenario, options) {
        Verdict::Ok(Report { hash, sim_ms, steps, settled_ms, counts }) => {
            println!("{} seed {}: ok, hash {hash:016x}", scenario.name, scenario.seed);
            println!("{sim_ms} ms simulated in {steps} steps, settled {settled_ms} ms after the calm");
            println!("{counts:?}");
            true
        }
        Verdict::Violation(violation) => {
            println!("FAILED {} seed {}: {violation}\n  {command}", scenario.name, scenario.seed);
            false
        }
    }
}

fn shrink(pick: &Pick, out: Option<PathBuf>, budget: Budget) -> Outcome {
    let job = pick.job()?;
    let scenario = generated(job)?;
    let quiet = Options { tier: job.tier, ..Options::default() };
    let Verdict::Violation(violation) = run::guarded(&scenario, quiet) else {
        println!("{job} breaks nothing: there is nothing to shrink");
        return Ok(true);
    };
    println!("{violation}");
    let mut shrunk = shrink::shrink(&scenario, &violation, budget, |scenario| run::guarded(scenario, quiet));
    shrunk.scenario.note = format!("{job} broke {}", shrunk.violation);
    println!("{}", size("before", &scenario));
    println!("{}, after {} runs", size("after ", &shrunk.scenario), shrunk.runs);
    println!("{}", shrunk.violation);
    let out = out.unwrap_or_else(|| format!("sim-tests/regressions/{}-{}.json", job.family, job.seed).into());
    write(&out, &shrunk.scenario)?;
    println!("cargo run --release -p sim-tests -- replay {} --tier {}", out.display(), job.tier);
    Ok(false)
}

fn size(when: &str, scenario: &Scenario) -> String {
    let Scenario { hosts, faults, workload, .. } = scenario;
    format!("{when} {} hosts, {} faults, {} requests", hosts.len(), faults.len(), workload.len())
}

fn scale(args: &ScaleArgs) -> Outcome {
    let ScaleArgs { nodes, minutes, degree, seed, churn_percent } = args;
    let (minutes, degree, seed, churn_percent) = (*minutes, *degree, *seed, *churn_percent);
    let plans: Vec<_> =
        nodes.iter().map(|nodes| scale::Plan { nodes: *nodes, minutes, degree, churn_percent, seed }).collect();
    plans.iter().try_for_each(scale::Plan::check)?;
    let mut report = scale::Report::default();
    for plan in &plans {
        match scale::measure(plan) {
            Ok(measured) => report.add(measured),
            Err(violation) => {
                println!("scale failed nodes {}: {violation}", plan.nodes);
                return Ok(false);
            }
        }
    }
    println!("{report}");
    Ok(report.ok())
}

fn list() -> Outcome {
    for family in generate::FAMILIES {
        println!("{:<10} {}", family.name, family.about);
    }
    Ok(true)
}

/// Sweeps a few seeds that are nondeterministic on purpose: good if every one of them is caught.
fn canary() -> Outcome {
    let seeds = sweep::TWICE_LEAST;
    let sweep = Sweep {
        program: std::env::current_exe().map_err(|error| error.to_string())?,
        families: sweep::families("mesh5")?,
        tiers: vec![Tier::Des],
        from: 1,
        seeds,
        jobs: 1,
        twice_percent: 100,
        watchdog: Duration::from_secs(120),
        canary: true,
    };
    let mut caught = 0;
    sweep.run(|job, violation: &Violation| {
        println!("caught {job}: {violation}");
        caught += u64::from(violation.invariant == "determinism");
    });
    println!("canary: {caught} of {seeds} caught");
    Ok(caught == seeds)
}

fn generated(job: Job) -> Result<Scenario, String> {
    generate::family(job.family).map(|family| family.generate(job.seed)).ok_or_else(|| String::from("no such family"))
}

fn write(path: &Path, scenario: &Scenario) -> Result<(), String> {
    let text = scenario.to_json().map_err(|error| error.to_string())?;
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
