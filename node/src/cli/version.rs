//! `node version`.

use clap::Args;

use super::Context;
use crate::{
    control::PROTOCOL,
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node version
  node version --json")]
pub(super) struct VersionArgs {}

pub(super) fn run(_args: &VersionArgs, cx: &Context) -> Result<Exit, Failed> {
    let (version, target) = (env!("CARGO_PKG_VERSION"), format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
    let out = cx.output();
    if out.is_text() {
        out.text(&format!(
            "node {version} ({target})\nwire protocol 1   control protocol {PROTOCOL}   configuration 1"
        ))?;
    } else {
        out.json(&serde_json::json!({
            "schema": "firelink.version/v1",
            "version": version,
            "target": target,
            "wire": { "min": 1, "max": 1 },
            "control": PROTOCOL,
            "config": 1,
        }))?;
    }
    Ok(Exit::Done)
}
