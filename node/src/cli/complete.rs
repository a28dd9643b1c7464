//! `node completion`, and the values that a shell can complete.

use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::{CompletionCandidate, env::Shells};

use super::Context;
use crate::{
    control::{Client, Document, Op, Routes, Services, Target, Topics},
    errors::{Code, Exit, Failed, Problem},
};

/// A shell that waits for completions longer than this feels broken.
const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node completion bash >> ~/.bashrc
  node completion fish > ~/.config/fish/completions/node.fish")]
pub(super) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

pub(super) fn run(args: &CompletionArgs, cx: &Context) -> Result<Exit, Failed> {
    let name = match args.shell {
        Shell::Bash => "bash",
        Shell::Elvish => "elvish",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Zsh => "zsh",
    };
    let mut script = Vec::new();
    let program = std::env::args().next().unwrap_or_else(|| "node".to_owned());
    let shells = Shells::builtins();
    let written =
        shells.completer(name).map(|shell| shell.write_registration("COMPLETE", "node", "node", &program, &mut script));
    match written {
        Some(Ok(())) => cx.output().raw(&script).map(|()| Exit::Done),
        Some(Err(_)) | None => Err(Problem::new(Code::E0310, Exit::Failed, format!("no script for {name}")).into()),
    }
}

/// Nodes within reach of the one that runs here.
pub(super) fn reachable_nodes() -> Vec<CompletionCandidate> {
    ask::<Routes>(Op::Routes).routes.into_iter().map(|route| CompletionCandidate::new(route.id)).collect()
}

/// Patterns that somebody subscribed to.
pub(super) fn patterns() -> Vec<CompletionCandidate> {
    ask::<Topics>(Op::Topics).topics.into_iter().map(|topic| CompletionCandidate::new(topic.pattern)).collect()
}

/// Services that somebody serves.
pub(super) fn services() -> Vec<CompletionCandidate> {
    ask::<Services>(Op::Services).services.into_iter().map(|one| CompletionCandidate::new(one.service)).collect()
}

/// What the node that runs here says, if it says it at once.
fn ask<T: Document + Default>(op: Op) -> T {
    let ask = async {
        let mut client = Client::ask(&Target::default(), op, b"", Some(PATIENCE)).await.ok()?;
        client.document::<T>().await.ok()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.ok().and_then(|runtime| runtime.block_on(ask)).unwrap_or_default()
}

/// Nodes that run on this machine.
pub(super) fn local_nodes() -> Vec<CompletionCandidate> {
    crate::control::local_nodes().into_iter().map(CompletionCandidate::new).collect()
}

/// Every error code.
pub(super) fn codes() -> Vec<CompletionCandidate> {
    Code::ALL.iter().map(|code| CompletionCandidate::new(code.as_str())).collect()
}
