//! `node token`: makes the secret of a mesh. Works without a node.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use super::Context;
use crate::{
    errors::{Code, Exit, Failed, Problem},
    run::dev::random_hex,
};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node token create --file mesh.token  for the nodes of a mesh; copy it to each of them
  node token create                    prints it")]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a new token that nobody can guess
    #[command(after_help = "Examples:
  node token create --file mesh.token
  node token create")]
    Create {
        /// Write it to this new file, which only its owner can read, and do not print it
        #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(args: &TokenArgs, cx: &Context) -> Result<Exit, Failed> {
    let Verb::Create { file } = &args.verb;
    let token = random_hex(TOKEN_BYTES)
        .map_err(|why| Problem::new(Code::E0310, Exit::Failed, format!("no random bytes: {why}")))?;
    let out = cx.output();
    let Some(path) = file else {
        if out.is_text() {
            out.text(&token)?;
        } else {
            out.json(&json!({ "schema": "firelink.token/v1", "token": token }))?;
        }
        return Ok(Exit::Done);
    };
    write(path, &token).map_err(|why| cannot_make(path, &why))?;
    if out.is_text() {
        out.text(&format!("made {}", path.display()))?;
    } else {
        out.json(&json!({ "schema": "firelink.token/v1", "file": path.display().to_string() }))?;
    }
    Ok(Exit::Done)
}

fn write(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{token}\n").as_bytes())
}

fn cannot_make(path: &Path, why: &io::Error) -> Problem {
    let exists = why.kind() == io::ErrorKind::AlreadyExists;
    let exit = if exists { Exit::Conflict } else { Exit::Failed };
    Problem::new(Code::E0208, exit, format!("cannot make {}: {why}", path.display()))
}
