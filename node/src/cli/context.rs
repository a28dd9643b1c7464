//! The flags that every command takes, and what follows from them.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::{complete, output::Output, value};
use crate::{
    control::{Client, Document, Op, Target},
    errors::{Code, Exit, Failed, Lang, Problem},
};

/// How long an answer may take if the user does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much longer than a request's own deadline to wait for the node to report it.
const GRACE: Duration = Duration::from_secs(5);

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Jsonl,
}

/// The flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How to print the result
    #[arg(short = 'o', long, value_enum, global = true, value_name = "FORMAT")]
    output: Option<Format>,
    /// Short for -o json
    #[arg(long, global = true, conflicts_with = "output")]
    json: bool,
    /// Print nothing but the result
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more; may be repeated
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// No colours (also: the variable NO_COLOR)
    #[arg(long, global = true)]
    no_color: bool,
    /// How long it may take, such as 500ms or 5s
    #[arg(long, global = true, value_parser = value::duration, value_name = "TIME")]
    timeout: Option<Duration>,
    /// The control socket of the node that is meant (also: the variable FIRELINK_SOCKET)
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "local_node")]
    socket: Option<PathBuf>,
    /// The node that is meant, if several run on this machine
    #[arg(long = "node", global = true, value_name = "ID", add = ArgValueCandidates::new(complete::local_nodes))]
    local_node: Option<String>,
    /// Language of messages (also: the variable FIRELINK_LANG)
    #[arg(long, global = true, value_enum)]
    lang: Option<Lang>,
}

impl Global {
    pub(super) fn context(self, env: impl Fn(&str) -> Option<String>) -> Context {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let colour = !self.no_color && env("NO_COLOR").is_none();
        let from_env = || env("FIRELINK_SOCKET").map(PathBuf::from).filter(|_| self.local_node.is_none());
        let socket = self.socket.or_else(from_env);
        Context {
            target: Target { socket, node: self.local_node },
            timeout: self.timeout,
            format: if self.json { Format::Json } else { self.output.unwrap_or_default() },
            quiet: self.quiet,
            verbose: self.verbose,
            colour: colour && std::io::stderr().is_terminal(),
            lang: self.lang.or_else(|| env("FIRELINK_LANG").map(|lang| Lang::of(&lang))).unwrap_or_default(),
        }
    }
}

/// What a command knows of the flags.
#[derive(Debug)]
pub(crate) struct Context {
    /// Which running node is meant.
    pub(crate) target: Target,
    /// How long it may take.
    pub(crate) timeout: Option<Duration>,
    /// How to print the result.
    pub(crate) format: Format,
    /// Whether to print nothing but the result.
    pub(crate) quiet: bool,
    /// How much more to say.
    pub(crate) verbose: u8,
    /// Whether standard error takes colours.
    pub(crate) colour: bool,
    /// Language of messages.
    pub(crate) lang: Lang,
}

impl Context {
    /// Runs a command that talks to a node.
    pub(super) fn block_on(&self, command: impl Future<Output = Result<Exit, Failed>>) -> Result<Exit, Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(command),
            Err(why) => Err(Problem::new(Code::E0310, Exit::Failed, format!("no event loop: {why}")).into()),
        }
    }

    /// Has a command that does many things end when the user says, although it is not done.
    pub(super) async fn bounded(&self, command: impl Future<Output = Result<Exit, Failed>>) -> Result<Exit, Failed> {
        let Some(timeout) = self.timeout else { return command.await };
        tokio::time::timeout(timeout, command).await.unwrap_or_else(|_| {
            let what = format!("it was not over within {timeout:?}");
            Err(Problem::new(Code::E0308, Exit::Unknown, what).try_this("a longer --timeout").into())
        })
    }

    /// Asks the node for something that it answers at once.
    pub(super) async fn ask(&self, op: Op) -> Result<Client, Problem> {
        Client::ask(&self.target, op, b"", Some(self.timeout.unwrap_or(PATIENCE))).await
    }

    /// Asks the node for something that takes until a deadline, the user's or the node's.
    pub(super) async fn ask_until_deadline(&self, op: Op, body: &[u8]) -> Result<Client, Problem> {
        Client::ask(&self.target, op, body, self.timeout.map(|timeout| timeout + GRACE)).await
    }

    /// The user's deadline for the node.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
    }

    /// Where the result goes.
    pub(crate) fn output(&self) -> Output {
        Output::new(self.format)
    }

    /// Prints a document: as JSON, or as `text` has it.
    pub(super) fn print<T: Document>(&self, document: &T, text: impl FnOnce(&T) -> String) -> Result<Exit, Failed> {
        match self.format {
            Format::Table => self.output().text(&text(document))?,
            Format::Json | Format::Jsonl => self.output().json(&document.json())?,
        }
        Ok(Exit::Done)
    }

    /// Says something on the side.
    pub(crate) fn hint(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says what went wrong.
    pub(super) fn problem(&self, problem: &Problem) {
        match self.format {
            Format::Table => self.say(problem.text(self.lang).trim_end()),
            Format::Json | Format::Jsonl => self.say(&problem.json(self.lang).to_string()),
        }
    }

    /// Writes to standard error, with the first word of an error in colour. Nobody is left to tell if that fails.
    pub(super) fn say(&self, text: &str) {
        let mut out = String::with_capacity(text.len() + 16);
        for line in text.lines() {
            let end = line.find("]: ").filter(|_| self.colour && !line.starts_with(' '));
            match end {
                Some(end) if line.starts_with("error[") || line.starts_with("错误[") => {
                    out.push_str(&format!("\x1b[1;31m{}\x1b[0m{}\n", &line[..=end], &line[end + 1..]));
                }
                Some(end) if line.starts_with("warning[") || line.starts_with("警告[") => {
                    out.push_str(&format!("\x1b[1;33m{}\x1b[0m{}\n", &line[..=end], &line[end + 1..]));
                }
                Some(_) | None => {
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        let _ = std::io::stderr().lock().write_all(out.as_bytes());
    }
}
