//! `node rpc`: the services of the mesh.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{Context, body, complete, output::table, request, value};
use crate::{
    control::{Document as _, Op, ProviderDoc, ServiceDoc, Services},
    errors::{Code, Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node rpc ls
  node rpc ls shop.price --json        one service; exit code 8 if nobody serves it
  node rpc call shop.price '{\"sku\": 7}'")]
pub(super) struct RpcArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every service with its providers, or one
    #[command(
        visible_alias = "list",
        after_help = "Examples:
  node rpc ls
  node rpc ls shop.price"
    )]
    Ls {
        /// The service
        #[arg(value_parser = value::service, add = ArgValueCandidates::new(complete::services))]
        service: Option<String>,
    },
    /// Calls a service: as `node request`
    Call(request::RequestArgs),
}

pub(super) async fn run(args: RpcArgs, cx: &Context) -> Result<Exit, Failed> {
    let service = match args.verb {
        Verb::Call(args) => return request::run(args, cx).await,
        Verb::Ls { service } => service,
    };
    let services: Services = cx.ask(Op::Services).await?.document().await?;
    if let Some(wanted) = service {
        let Some(found) = services.services.into_iter().find(|one| one.service == wanted) else {
            let what = format!("nobody serves `{wanted}`");
            let problem = Problem::new(Code::E0502, Exit::NoRoute, what);
            return Err(problem.try_this(format!("node why service {wanted}")).into());
        };
        return cx.print(&found, |found| rows([found].into_iter()));
    }
    let out = cx.output();
    if out.is_lines() {
        services.services.iter().try_for_each(|service| out.json(&service.json()))?;
        return Ok(Exit::Done);
    }
    if services.services.is_empty() {
        cx.hint("nobody serves anything; `node reply NAME --echo` does");
    }
    cx.print(&services, |services| rows(services.services.iter()))
}

fn rows<'a>(services: impl Iterator<Item = &'a ServiceDoc>) -> String {
    let all = services.flat_map(|service| service.providers.iter().map(|provider| row(&service.service, provider)));
    table(["SERVICE", "PROVIDER", "COST", "LOAD", "STATE", ""], all)
}

fn row(service: &str, provider: &ProviderDoc) -> [String; 6] {
    let state = match (provider.cost, provider.cooling) {
        (None, _) => "out of reach",
        (Some(_), true) => "refused lately",
        (Some(_), false) => "up",
    };
    [
        service.to_owned(),
        body::party(&provider.node, provider.client.as_deref()),
        provider.cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string()),
        format!("{}/{}", provider.load, provider.concurrency),
        state.to_owned(),
        body::printable(provider.note.as_bytes()),
    ]
}
