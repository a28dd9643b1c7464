//! Configurations: any text, with any overrides.
//!
//! The input is the text of a file; what follows a zero byte are overrides, one behind each zero byte: `NAME=value` of the
//! environment if it begins with `$`, `path.to.key=value` of the command line otherwise.
//!
//! Properties:
//! * Loading and showing never panic, whatever the language.
//! * Every error in the file has a place, and the place is in the text: a line and a column that exist.
//! * The same text gives the same configuration and the same findings.
//! * What a configuration without errors shows of itself is a configuration again, and the same one.

use std::path::Path;

use firelink_node::{
    config::{AuthMode, Config, Diagnostic, Loaded, Request, Sources, load, show},
    errors::Lang,
};

/// A token that the environment holds.
const TOKEN: (&str, &str) = ("FIRELINK_TOKEN", "a-token-of-many-characters");
/// The key that is not shown.
const SECRET_KEY: &str = "mesh.auth.tokens";

/// Loads a configuration.
///
/// # Panics
/// If a property does not hold.
pub fn run(bytes: &[u8]) {
    let Ok(input) = core::str::from_utf8(bytes) else { return };
    // A secret may be in a file. Opening a device may wait for ever.
    if input.contains("/dev/") || input.contains("/proc/") {
        return;
    }
    let mut parts = input.split('\0');
    let text = parts.next().unwrap_or_default();
    let (mut set, mut env) = (vec![], vec![(TOKEN.0.to_owned(), TOKEN.1.to_owned())]);
    for part in parts {
        match part.strip_prefix('$').map(|variable| variable.split_once('=')) {
            Some(Some((name, value))) => env.push((name.to_owned(), value.to_owned())),
            Some(None) => {}
            None => set.push(part.to_owned()),
        }
    }
    let loaded = loaded(text, &set, &env);
    for found in &loaded.found {
        check(found, &loaded.sources, set.is_empty() && env.len() == 1);
    }
    for lang in [Lang::En, Lang::Zh] {
        let shown = loaded.text(lang);
        assert_eq!(shown.is_empty(), loaded.found.is_empty());
    }
    let again = self::loaded(text, &set, &env);
    assert_eq!((&again.config, &again.found), (&loaded.config, &loaded.found));
    if loaded.errors() == 0 {
        shows_itself(&loaded, &env);
    }
}

fn loaded(text: &str, set: &[String], env: &[(String, String)]) -> Loaded {
    load(Request { name: "fuzz.yaml", folder: Path::new("/nowhere"), text: Some(text.to_owned()), set, env })
}

/// A finding has a place, and the place exists.
fn check(found: &Diagnostic, sources: &Sources, only_file: bool) {
    let Some(span) = found.span else {
        assert!(!only_file, "nowhere: {found:?}");
        return;
    };
    let Some(source) = sources.get(span.source) else { panic!("in no text: {found:?}") };
    let (start, end) = (span.bytes.start, span.bytes.end);
    assert!(source.text.get(start..end).is_some(), "not within the text: {found:?}");
    let text = source.text.replace("\r\n", "\n").replace('\r', "\n");
    let Some(line) = text.split('\n').nth(span.line - 1) else { panic!("no such line: {found:?}") };
    assert!((1..=line.chars().count() + 1).contains(&span.column), "column {} of {line:?}: {found:?}", span.column);
}

/// What is shown can be said on the command line, key by key, and means the same.
fn shows_itself(loaded: &Loaded, env: &[(String, String)]) {
    let keys = show(loaded).into_iter().filter(|key| key.origin != "default" && key.path != SECRET_KEY);
    let set: Vec<String> = keys.map(|key| format!("{}={}", key.path, key.value)).collect();
    let token = match loaded.config.mesh.auth.mode {
        AuthMode::Token => format!("version: 1\nmesh: {{ auth: {{ tokens: [ {{ env: {} }} ] }} }}\n", TOKEN.0),
        AuthMode::Open => String::from("version: 1\n"),
    };
    let env: Vec<(String, String)> = env.iter().filter(|(name, _)| !name.starts_with("FIRELINK__")).cloned().collect();
    let again = self::loaded(&token, &set, &env);
    assert_eq!(again.errors(), 0, "{set:?}\n{}", again.text(Lang::En));
    assert_eq!(without_secrets(&again.config), without_secrets(&loaded.config), "{set:?}");
}

fn without_secrets(config: &Config) -> Config {
    let mut config = config.clone();
    config.mesh.auth.tokens.clear();
    config
}
