//! Values from the environment and the command line, laid over the tree of the file before anybody decodes it. They
//! keep their own place, so every later message names the variable instead of a line of the file.

use super::{
    source::{Bytes, SourceId, SourceKind, Sources, Span},
    tree::{Entry, Kind, Node, parse},
};
use crate::{config::Diagnostic, errors::Code};

/// One value to lay over the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// Where it came from, as messages call it.
    pub(crate) name: String,
    /// What sort of source that is.
    pub(crate) kind: SourceKind,
    /// The path to the key.
    pub(crate) path: Vec<String>,
    /// The value, as YAML.
    pub(crate) value: String,
}

impl Override {
    /// Every `FIRELINK__…` variable, in order of name.
    pub(crate) fn of_env(vars: impl IntoIterator<Item = (String, String)>) -> Vec<Self> {
        let mut found: Vec<_> = vars
            .into_iter()
            .filter_map(|(name, value)| {
                let path = name.strip_prefix("FIRELINK__")?.to_ascii_lowercase();
                let path = path.split("__").map(str::to_owned).collect();
                Some(Self { name, kind: SourceKind::Env, path, value })
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// A `--set path.to.key=value`; `None` if it has no `=`.
    pub(crate) fn of_set(text: &str) -> Option<Self> {
        let (path, value) = text.split_once('=')?;
        let segments = path.split('.').map(str::to_owned).collect();
        let name = format!("--set {path}");
        Some(Self { name, kind: SourceKind::Set, path: segments, value: value.to_owned() })
    }
}

/// Lays values over a tree, in order.
pub(crate) fn apply(root: &mut Node, overrides: &[Override], sources: &mut Sources, found: &mut Vec<Diagnostic>) {
    for one in overrides {
        let source = sources.add(&one.name, one.kind, &one.value);
        let Some(value) = parse(source, &one.value, found) else { continue };
        if let Err(what) = put(root, &one.path, value, source) {
            let diagnostic = match one.kind {
                SourceKind::Env => Diagnostic::warning(Code::W0105, what),
                SourceKind::Set | SourceKind::File => Diagnostic::error(Code::E0124, what),
            };
            found.push(diagnostic.at(whole(source)));
        }
    }
}

fn put(node: &mut Node, path: &[String], value: Node, source: SourceId) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    if first.is_empty() {
        return Err("the path has an empty part".to_owned());
    }
    match &mut node.kind {
        Kind::Null => {
            node.kind = Kind::Section(Vec::new());
            put(node, path, value, source)
        }
        Kind::Section(entries) => {
            if let Some(entry) = entries.iter_mut().find(|entry| same(&entry.key, first)) {
                if rest.is_empty() {
                    entry.key_span = value.span;
                }
                return put(&mut entry.value, rest, value, source);
            }
            let mut fresh = Node { span: whole(source), kind: Kind::Null };
            put(&mut fresh, rest, value, source)?;
            entries.push(Entry { key: first.clone(), key_span: whole(source), value: fresh });
            Ok(())
        }
        Kind::List(items) => {
            let position = first.parse().ok().or_else(|| items.iter().position(|item| named(item, first)));
            match position.and_then(|position: usize| items.get_mut(position)) {
                Some(item) => put(item, rest, value, source),
                None => Err(format!("the list has no item `{first}`")),
            }
        }
        Kind::Scalar { .. } => Err(format!("`{first}` is below a single value")),
    }
}

/// Whether a list item goes by this name. Environment variables cannot hold `-` and `.`, so `_` stands for both.
fn named(item: &Node, name: &str) -> bool {
    ["id", "name"].iter().any(|key| match item.get(key).map(|node| &node.kind) {
        Some(Kind::Scalar { text, .. }) => same(&text.replace(['-', '.'], "_"), &name.replace(['-', '.'], "_")),
        _ => false,
    })
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// The place of a whole override.
fn whole(source: SourceId) -> Span {
    Span { source, bytes: Bytes { start: 0, end: 0 }, line: 1, column: 1 }
}
