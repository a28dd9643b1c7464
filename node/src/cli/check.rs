//! `node check`: everything that is wrong with a configuration, without starting anything.

use std::path::{Path, PathBuf};

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
    let out = cx.output();
    let loaded = match open(&args.file, &args.set) {
        Ok(loaded) => loaded,
        Err(unread) if out.is_text() => return Err(say_unread(&unread, &name, cx)),
        Err(unread) => return out.json(&unread_document(&unread, &name)).map(|()| Exit::Config),
    };
    let (errors, warnings) = (loaded.errors(), loaded.warnings());
    let bad = errors > 0 || (args.strict && warnings > 0);
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
pub(super) fn load(file: &Path, set: &[String], cx: &Context) -> Result<Loaded, Failed> {
    open(file, set).map_err(|unread| say_unread(&unread, &file.display().to_string(), cx))
}

fn open(file: &Path, set: &[String]) -> Result<Loaded, Box<Diagnostic>> {
    let env = environment();
    Request::file(file, set, &env).map(config::load)
}

fn say_unread(unread: &Diagnostic, name: &str, cx: &Context) -> Failed {
    match cx.output().is_text() {
        true => cx.say(&unread.text(&Sources::default(), cx.lang)),
        false => cx.say(&unread_document(unread, name).to_string()),
    }
    Failed::Said(Exit::Config)
}

fn unread_document(unread: &Diagnostic, name: &str) -> Value {
    let found = [diagnostic(unread, &Sources::default())];
    json!({
        "schema": "firelink.check/v1",
        "file": name,
        "ok": false,
        "errors": 1,
        "warnings": 0,
        "diagnostics": found,
    })
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
