//! The workers of a sweep, and what is done when one hangs or dies.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
};

use super::{Job, Sweep, worker::SEEDS_PER_WORKER};
use crate::verdict::{Verdict, Violation};

/// Runs every job on one of the sweep's workers and tells its verdict, in whatever order they come.
pub(super) fn run(sweep: &Sweep, jobs: &[Job], mut told: impl FnMut(Job, Verdict)) {
    let next = AtomicUsize::new(0);
    let (verdicts, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..sweep.jobs.clamp(1, jobs.len().max(1)) {
            let (verdicts, next) = (verdicts.clone(), &next);
            scope.spawn(move || {
                let mut worker = None;
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = ask(sweep, &mut worker, *job);
                    // The receiver outlives every sender; nobody is left to tell if it does not.
                    let _ = verdicts.send((*job, verdict));
                }
            });
        }
        drop(verdicts);
        for (job, verdict) in results {
            told(job, verdict);
        }
    });
}

/// Has a worker run a job, starting one if there is none or the old one has run enough.
fn ask(sweep: &Sweep, slot: &mut Option<Worker>, job: Job) -> Verdict {
    if slot.as_ref().is_some_and(|worker| worker.seeds >= SEEDS_PER_WORKER) {
        *slot = None;
    }
    let worker = match slot.take() {
        Some(worker) => Ok(worker),
        None => Worker::start(sweep),
    };
    let failed = |invariant: &str, detail: String| {
        Verdict::Violation(Violation { invariant: invariant.to_owned(), at_ms: 0, detail })
    };
    let mut worker = match worker {
        Ok(worker) => worker,
        Err(error) => return failed("harness", format!("no worker could be started: {error}")),
    };
    match worker.ask(sweep, job) {
        Ok(verdict) => {
            *slot = Some(worker);
            verdict
        }
        Err(Lost::Hung) => failed("watchdog", format!("no verdict within {:?}", sweep.watchdog)),
        Err(Lost::Died) => failed("abort", String::from("the process died; its last words are on standard error")),
    }
}

enum Lost {
    Hung,
    Died,
}

/// A process that runs seeds. Dies with its handle.
struct Worker {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    seeds: u32,
}

impl Worker {
    fn start(sweep: &Sweep) -> std::io::Result<Self> {
        let mut command = Command::new(&sweep.program);
        command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped());
        if sweep.canary {
            command.arg("--canary");
        }
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, lines, seeds: 0 })
    }

    fn ask(&mut self, sweep: &Sweep, job: Job) -> Result<Verdict, Lost> {
        self.seeds += 1;
        writeln!(self.input, "{} {} {}", job.family, job.seed, job.tier).map_err(|_| Lost::Died)?;
        let line = self.lines.recv_timeout(sweep.watchdog).map_err(|error| match error {
            RecvTimeoutError::Timeout => Lost::Hung,
            RecvTimeoutError::Disconnected => Lost::Died,
        })?;
        serde_json::from_str(&line).map_err(|_| Lost::Died)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
