//! `node why`.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{Context, complete, value};
use crate::{
    control::{Op, Subject, WhyDoc},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node why topic orders.eu.created     who would get it, and who nearly would
  node why service shop.price          who would be asked, and who not
  node why message ID                  what became of what `node pub --trace` published")]
pub(super) struct WhyArgs {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
    /// What became of a publication that was traced
    #[command(after_help = "Examples:
  node why message gz-01-20260102030405-7
  node why message ID --json")]
    Message {
        /// The id that `node pub --trace` printed
        id: String,
    },
    /// Who would get a publication to a topic, and who would not
    #[command(after_help = "Examples:
  node why topic orders.eu.created
  node why topic orders.eu.created --json")]
    Topic {
        /// The topic
        #[arg(value_parser = value::topic)]
        topic: String,
    },
    /// Who would answer a call, and who would not
    #[command(after_help = "Examples:
  node why service shop.price
  node why service shop.price --json")]
    Service {
        /// The service
        #[arg(value_parser = value::service, add = ArgValueCandidates::new(complete::services))]
        service: String,
    },
}

pub(super) async fn run(args: WhyArgs, cx: &Context) -> Result<Exit, Failed> {
    let (about, name) = match args.about {
        About::Message { id } => (Subject::Message, id),
        About::Topic { topic } => (Subject::Topic, topic),
        About::Service { service } => (Subject::Service, service),
    };
    let why: WhyDoc = cx.ask(Op::Why { about, name }).await?.document().await?;
    cx.print(&why, text)
}

fn text(why: &WhyDoc) -> String {
    let mut out = format!("{}\n", why.claim);
    for reason in &why.because {
        let sign = match reason.sign.as_str() {
            "yes" => '+',
            "no" => '-',
            _ => ' ',
        };
        let at = reason.at.as_ref().map(|at| format!("{at}  ")).unwrap_or_default();
        out.push_str(&format!(" {sign} {at}{}: {}\n", reason.about, reason.text));
    }
    if !why.evidence.is_empty() {
        out.push_str("lately:\n");
        for event in &why.evidence {
            out.push_str(&format!("   {}  {}\n", event.at, event.text));
        }
    }
    for remedy in &why.remedies {
        out.push_str(&format!("try: {}: {}\n", remedy.action, remedy.effect));
    }
    out
}
