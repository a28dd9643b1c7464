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
use cli::{Cli, Command, Pick, SweepArgs};
use sim_tests::{
    generate,
    run::{self, Options},
    scenario::Scenario,
    shrink::{self, Budget},
    sweep::{self, Job, Sweep, worker},
    verdict::{Report, Verdict, Violation},
};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Sweep(args) => sweep(&args),
        Command::Run { pick, log, save } => run(&pick, log, save.as_deref()),
        Command::Replay { file, log } => replay(&file, log),
        Command::Shrink { seed, scenario, out, seconds, runs } => {
            let budget = Budget { runs, time: Duration::from_secs(seconds) };
            shrink(&Pick { scenario, seed }, out, budget)
        }
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
        from: args.from,
        seeds: args.seeds,
        jobs: args.jobs,
        twice_percent: args.twice,
        watchdog: Duration::from_secs(args.watchdog),
        canary: args.canary,
    };
    let summary = sweep.run(|job, violation| {
        println!("FAILED {} seed {}: {violation}\n  {}", job.family, job.seed, job.command());
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
    Ok(tell(&scenario, log, &job.command()))
}

fn replay(file: &Path, log: bool) -> Outcome {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let scenario = Scenario::from_json(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(tell(&scenario, log, &format!("cargo run --release -p sim-tests -- replay {}", file.display())))
}

/// Runs a scenario and prints what came of it.
fn tell(scenario: &Scenario, log: bool, command: &str) -> bool {
    let options = Options { canary: false, log: log.then_some(|line| println!("{line}")) };
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
    let quiet = Options::default();
    let Verdict::Violation(violation) = run::guarded(&scenario, quiet) else {
        println!("{} seed {} breaks nothing: there is nothing to shrink", job.family, job.seed);
        return Ok(true);
    };
    println!("{violation}");
    let mut shrunk = shrink::shrink(&scenario, &violation, budget, |scenario| run::guarded(scenario, quiet));
    shrunk.scenario.note = format!("{} seed {} broke {}", job.family, job.seed, shrunk.violation);
    println!("{}", size("before", &scenario));
    println!("{}, after {} runs", size("after ", &shrunk.scenario), shrunk.runs);
    println!("{}", shrunk.violation);
    let out = out.unwrap_or_else(|| format!("sim-tests/regressions/{}-{}.json", job.family, job.seed).into());
    write(&out, &shrunk.scenario)?;
    println!("cargo run --release -p sim-tests -- replay {}", out.display());
    Ok(false)
}

fn size(when: &str, scenario: &Scenario) -> String {
    let Scenario { hosts, faults, workload, .. } = scenario;
    format!("{when} {} hosts, {} faults, {} requests", hosts.len(), faults.len(), workload.len())
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
        from: 1,
        seeds,
        jobs: 1,
        twice_percent: 100,
        watchdog: Duration::from_secs(120),
        canary: true,
    };
    let mut caught = 0;
    sweep.run(|job, violation: &Violation| {
        println!("caught {} seed {}: {violation}", job.family, job.seed);
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
