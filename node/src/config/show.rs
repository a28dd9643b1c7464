//! `node config show`: every key with its value and where that came from.

use super::{
    KEYS, Loaded,
    text::{Kind, Node},
};

/// One key as it is in effect.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// The key's path.
    pub path: &'static str,
    /// Its value, as YAML in one line; secrets are left out.
    pub value: String,
    /// `default`, or the place.
    pub origin: String,
}

/// Every key of a configuration that has no errors.
#[must_use]
pub fn show(loaded: &Loaded) -> Vec<Shown> {
    KEYS.iter()
        .map(|key| {
            let node =
                loaded.tree.as_ref().and_then(|tree| key.path.split('.').try_fold(tree, |node, part| node.get(part)));
            match node {
                Some(node) => Shown {
                    path: key.path,
                    value: match key.path {
                        "mesh.auth.tokens" => tokens(node),
                        "api.tokens" => api_tokens(node),
                        _ => inline(node),
                    },
                    origin: origin(node, loaded),
                },
                None => Shown { path: key.path, value: key.default.to_owned(), origin: "default".to_owned() },
            }
        })
        .collect()
}

fn origin(node: &Node, loaded: &Loaded) -> String {
    match loaded.sources.get(node.span.source) {
        Some(source) if source.kind == super::SourceKind::File => format!("{}:{}", source.name, node.span.line),
        Some(source) => source.name.clone(),
        None => String::new(),
    }
}

/// References to secrets are shown, secrets are not.
fn tokens(node: &Node) -> String {
    match &node.kind {
        Kind::List(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| if matches!(item.kind, Kind::Section(_)) { inline(item) } else { "<redacted>".to_owned() })
                .collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Null | Kind::Scalar { .. } | Kind::Section(_) => "<redacted>".to_owned(),
    }
}

/// Names and permissions, and references to secrets, but no secrets.
fn api_tokens(node: &Node) -> String {
    let hidden = |token: &Node| match &token.kind {
        Kind::Section(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|entry| match (entry.key.as_str(), &entry.value.kind) {
                    ("name" | "allow", _) | ("secret", Kind::Section(_)) => {
                        format!("{}: {}", entry.key, inline(&entry.value))
                    }
                    _ => format!("{}: <redacted>", entry.key),
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Kind::Null | Kind::Scalar { .. } | Kind::List(_) => "<redacted>".to_owned(),
    };
    match &node.kind {
        Kind::List(items) => format!("[{}]", items.iter().map(hidden).collect::<Vec<_>>().join(", ")),
        Kind::Null | Kind::Scalar { .. } | Kind::Section(_) => "<redacted>".to_owned(),
    }
}

fn inline(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Scalar { text, plain: true } => text.clone(),
        Kind::Scalar { text, plain: false } => format!("{text:?}"),
        Kind::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Kind::Section(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|entry| format!("{}: {}", entry.key, inline(&entry.value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}
