//! The command line: one file per command. Standard output carries the result and nothing else; hints, warnings and
//! errors go to standard error.

mod bench;
mod bench_live;
mod body;
mod broadcast;
mod check;
mod complete;
mod config;
mod context;
mod events;
mod explain;
mod find;
mod id;
mod output;
mod peers;
mod ping;
mod publish;
mod receipt;
mod recv;
mod reply;
mod request;
mod routes;
mod rpc;
mod run;
mod send;
mod status;
mod stop;
mod subscribe;
mod token;
mod topics;
mod trace;
mod value;
mod version;
mod why;

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::errors::{Code, Exit, Failed, Lang, Problem};

pub(crate) use context::{Context, Format, Global};

/// What the command line says.
#[derive(Debug, Parser)]
#[command(
    name = "node",
    version,
    about = "A node of a Firelink mesh: joins machines into one network and reaches each by its name",
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:
  node run --dev                       a first node on this machine, nothing to configure
  node run cfg.yaml                    a node after a file
  node send hk-01 hello                a message, by name
  node explain E0103                   what an error code means"
)]
pub(crate) struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node until it is told to stop
    Run(run::RunArgs),
    /// Reads a configuration and says everything that is wrong with it
    Check(check::CheckArgs),
    /// Prints the default configuration, or the one in effect
    Config(config::ConfigArgs),
    /// How the running node is
    Status(status::StatusArgs),
    /// Its links, and the peers that it dials
    Peers(peers::PeersArgs),
    /// The way to every node within reach
    Routes(routes::RoutesArgs),
    /// Asks a node for an answer
    Ping(ping::PingArgs),
    /// Sends a message to a node, by name
    Send(send::SendArgs),
    /// Prints the messages that arrive
    Recv(recv::RecvArgs),
    /// Sends a message to every node within reach
    Broadcast(broadcast::BroadcastArgs),
    /// Publishes on a topic
    Pub(publish::PubArgs),
    /// Prints what is published
    Sub(subscribe::SubArgs),
    /// Who subscribed to what, and who would get a publication
    Topics(topics::TopicsArgs),
    /// Calls a service
    #[command(visible_alias = "req")]
    Request(request::RequestArgs),
    /// Serves a service: answers its calls
    Reply(reply::ReplyArgs),
    /// The services of the mesh, and calling them
    Rpc(rpc::RpcArgs),
    /// Why a publication, a topic or a service is as it is
    Why(why::WhyArgs),
    /// The way to a node, hop by hop
    Trace(trace::TraceArgs),
    /// Looks a node up in the mesh
    Find(find::FindArgs),
    /// What happened lately, and what happens
    Events(events::EventsArgs),
    /// The name and the public key of a node
    Id(id::IdArgs),
    /// Makes the secret that the nodes of a mesh share
    Token(token::TokenArgs),
    /// Measures what messages cost on this machine
    Bench(bench::BenchArgs),
    /// What an error code means, and what to do
    Explain(explain::ExplainArgs),
    /// Prints a completion script for a shell
    Completion(complete::CompletionArgs),
    /// The version of the program and of its protocols
    Version(version::VersionArgs),
    /// Stops the running node
    Stop(stop::StopArgs),
}

/// The whole program.
pub(crate) fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(Args::command).complete();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let exit = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.number());
            if exit == Exit::Usage.number() && wants_json(env::args_os()) {
                usage_as_json(&error);
            } else {
                // A closed pipe is no reason to fail when help was asked for.
                let _ = error.print();
            }
            return ExitCode::from(exit);
        }
    };
    let cx = args.global.context(|name| env::var(name).ok());
    match dispatch(args.command, &cx) {
        Ok(exit) | Err(Failed::Said(exit)) => exit.into(),
        Err(Failed::Problem(problem)) => {
            cx.problem(&problem);
            problem.exit.into()
        }
    }
}

/// Whether a command line that could not be understood asked for JSON.
fn wants_json(args: impl Iterator<Item = OsString>) -> bool {
    let args: Vec<_> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let format = |text: &str| matches!(text, "json" | "jsonl");
    args.iter().any(|arg| arg == "--json" || arg.strip_prefix("--output=").is_some_and(format))
        || args.windows(2).any(|pair| matches!(pair[0].as_str(), "-o" | "--output") && format(&pair[1]))
}

/// A bad command line as a document. Without standard error nobody is left to tell.
fn usage_as_json(error: &clap::Error) {
    let text = error.render().to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let problem = Problem::new(Code::E0411, Exit::Usage, what).try_this("--help");
    let _ = writeln!(io::stderr(), "{}", problem.json(Lang::default()));
}

fn dispatch(command: Command, cx: &Context) -> Result<Exit, Failed> {
    match command {
        Command::Run(args) => run::run(args, cx),
        Command::Check(args) => check::run(&args, cx),
        Command::Config(args) => config::run(&args, cx),
        Command::Status(args) => cx.block_on(status::run(args, cx)),
        Command::Peers(args) => cx.block_on(peers::run(args, cx)),
        Command::Routes(args) => cx.block_on(routes::run(args, cx)),
        Command::Ping(args) => cx.block_on(ping::run(args, cx)),
        Command::Send(args) => cx.block_on(send::run(args, cx)),
        Command::Recv(args) => cx.block_on(recv::run(args, cx)),
        Command::Broadcast(args) => cx.block_on(broadcast::run(args, cx)),
        Command::Pub(args) => cx.block_on(publish::run(args, cx)),
        Command::Sub(args) => cx.block_on(subscribe::run(args, cx)),
        Command::Topics(args) => cx.block_on(topics::run(args, cx)),
        Command::Request(args) => cx.block_on(request::run(args, cx)),
        Command::Reply(args) => cx.block_on(reply::run(args, cx)),
        Command::Rpc(args) => cx.block_on(rpc::run(args, cx)),
        Command::Why(args) => cx.block_on(why::run(args, cx)),
        Command::Trace(args) => cx.block_on(trace::run(args, cx)),
        Command::Find(args) => cx.block_on(find::run(args, cx)),
        Command::Events(args) => cx.block_on(events::run(args, cx)),
        Command::Id(args) => cx.block_on(id::run(args, cx)),
        Command::Token(args) => token::run(&args, cx),
        Command::Bench(args) => bench::run(&args, cx),
        Command::Explain(args) => explain::run(&args, cx),
        Command::Completion(args) => complete::run(&args, cx),
        Command::Version(args) => version::run(&args, cx),
        Command::Stop(args) => cx.block_on(stop::run(args, cx)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_two_to_four_examples() {
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.lines().filter(|line| line.trim_start().starts_with("node ")).count();
            assert!(help.starts_with("Examples:") && (2..=4).contains(&examples), "{}: {help}", command.get_name());
        }
    }
}
