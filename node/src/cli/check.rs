//! `node check`: everything that is wrong with a configuration, without starting anything.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::{Value, json};

use super::Context;
use crate::{
    config::{self, Diagnostic, Loaded, Request, Sources},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node check cfg.yaml
  node check cfg.yaml --set mesh.link.heartbeat=2s
  node check cfg.yaml --strict --json  warnings count as errors; for machines")]
pub(super) struct CheckArgs {
    /// The file
    #[arg(value_name = "CFG", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Lay a value over the file; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &CheckArgs, cx: &Context) -> Result<Exit, Failed> {
    let name = args.file.display().to_string();
    let loaded = load(&args.file, &args.set, cx)?;
    let (errors, warnings) = (loaded.errors(), loaded.warnings());
    let bad = errors > 0 || (args.strict && warnings > 0);
    let out = cx.output();
    if out.is_text() {
        cx.say(&loaded.text(cx.lang));
        out.text(&format!("{name}: {}", summary(errors, warnings)))?;
    } else {
        out.json(&document(&loaded, &name, !bad))?;
    }
    Ok(if bad { Exit::Config } else { Exit::Done })
}

/// Says everything that was found, on the side.
pub(super) fn say(loaded: &Loaded, cx: &Context) {
    if loaded.found.is_empty() {
        return;
    }
    if cx.output().is_text() {
        cx.say(&loaded.text(cx.lang));
        if loaded.errors() > 0 {
            cx.hint(&summary(loaded.errors(), loaded.warnings()));
        }
    } else {
        let name = loaded.found.iter().find_map(|one| loaded.sources.get(one.span?.source)).map(|source| &*source.name);
        cx.say(&document(loaded, name.unwrap_or_default(), loaded.errors() == 0).to_string());
    }
}

fn document(loaded: &Loaded, name: &str, ok: bool) -> Value {
    let found: Vec<_> = loaded.found.iter().map(|one| diagnostic(one, &loaded.sources)).collect();
    json!({
        "schema": "firelink.check/v1",
        "file": name,
        "ok": ok,
        "errors": loaded.errors(),
        "warnings": loaded.warnings(),
        "diagnostics": found,
    })
}

/// Loads a file; says so if it cannot be read.
pub(super) fn load(file: &std::path::Path, set: &[String], cx: &Context) -> Result<Loaded, Failed> {
    let env = environment();
    match Request::file(file, set, &env) {
        Ok(request) => Ok(config::load(request)),
        Err(diagnostic) => {
            match cx.output().is_text() {
                true => cx.say(&diagnostic.text(&Sources::default(), cx.lang)),
                false => cx.say(&self::diagnostic(&diagnostic, &Sources::default()).to_string()),
            }
            Err(Failed::Said(Exit::Config))
        }
    }
}

/// The environment, as far as it is text.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// How many of what, in words.
fn summary(errors: usize, warnings: usize) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "ok".to_owned(),
        (0, _) => format!("ok, {}", count(warnings, "warning")),
        (_, 0) => count(errors, "error"),
        (_, _) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn diagnostic(one: &Diagnostic, sources: &Sources) -> Value {
    let source = one.span.and_then(|span| sources.get(span.source));
    json!({
        "schema": "firelink.diagnostic/v1",
        "code": one.code,
        "severity": if one.is_error() { "error" } else { "warning" },
        "message": one.message,
        "source": source.map(|source| &source.name),
        "line": one.span.map(|span| span.line),
        "column": one.span.map(|span| span.column),
        "label": one.label,
        "notes": one.notes,
        "help": one.help,
    })
}
