//! `node config default` and `node config show`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::{Context, check, output::table};
use crate::{
    config,
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node config default > cfg.yaml       a file with every key, to start from
  node config show cfg.yaml            what is in effect, without secrets
  node config show cfg.yaml --origin   and where each value comes from")]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A file with every key, its default, and what it does
    #[command(after_help = "Examples:
  node config default
  node config default > cfg.yaml")]
    Default,
    /// Every value that is in effect
    #[command(after_help = "Examples:
  node config show cfg.yaml
  node config show cfg.yaml --origin")]
    Show {
        /// The file
        #[arg(value_name = "CFG", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Lay a value over the file; may be repeated
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

pub(super) fn run(args: &ConfigArgs, cx: &Context) -> Result<Exit, Failed> {
    let out = cx.output();
    match &args.verb {
        Verb::Default if out.is_text() => out.text(&config::default_file())?,
        Verb::Default => {
            let keys: Vec<_> = config::KEYS
                .iter()
                .map(|key| serde_json::json!({ "path": key.path, "default": key.default, "about": key.about }))
                .collect();
            out.json(&serde_json::json!({ "schema": "firelink.config_keys/v1", "keys": keys }))?;
        }
        Verb::Show { file, set, origin } => {
            let loaded = check::load(file, set, cx)?;
            if loaded.errors() > 0 {
                check::say(&loaded, cx);
                return Ok(Exit::Config);
            }
            let shown = config::show(&loaded);
            if !out.is_text() {
                out.json(&serde_json::json!({ "schema": "firelink.config/v1", "keys": shown }))?;
            } else if *origin {
                out.text(&table(
                    ["KEY", "VALUE", "FROM"],
                    shown.into_iter().map(|key| [key.path.to_owned(), key.value, key.origin]),
                ))?;
            } else {
                out.text(&table(["KEY", "VALUE"], shown.into_iter().map(|key| [key.path.to_owned(), key.value])))?;
            }
        }
    }
    Ok(Exit::Done)
}
