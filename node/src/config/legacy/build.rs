//! Small helpers to put a tree together.

use crate::{
    config::{
        Diagnostic, Span,
        text::{Entry, Kind, Node},
    },
    errors::Code,
};

/// What a file asks for and does not get.
#[derive(Debug, Default)]
pub(super) struct Absent {
    lines: Vec<(usize, String)>,
}

impl Absent {
    /// Notes one thing.
    pub(super) fn add(&mut self, span: Span, what: impl Into<String>) {
        self.lines.push((span.line, what.into()));
    }

    /// The one warning about all of it.
    pub(super) fn warning(mut self, system: &str, at: Span) -> Option<Diagnostic> {
        if self.lines.is_empty() {
            return None;
        }
        self.lines.sort();
        let what = format!("this is a file of {system}; it runs, but these parts of it are not in effect");
        let warning = Diagnostic::warning(Code::W0113, what).at(at).hidden();
        let warning =
            self.lines.into_iter().fold(warning, |warning, (line, what)| warning.note(format!("line {line}: {what}")));
        Some(warning.help("`node config show` prints what is in effect"))
    }
}

/// A single value that stands at `span`.
pub(super) fn scalar(text: impl Into<String>, span: Span) -> Node {
    Node { span, kind: Kind::Scalar { text: text.into(), plain: true } }
}

/// A list that stands at `span`.
pub(super) fn list(items: Vec<Node>, span: Span) -> Node {
    Node { span, kind: Kind::List(items) }
}

/// A section that stands at `span`; absent values are left out.
pub(super) fn section(entries: impl IntoIterator<Item = (&'static str, Option<Node>)>, span: Span) -> Node {
    let entries = entries
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| Entry { key: key.to_owned(), key_span: value.span, value }))
        .collect();
    Node { span, kind: Kind::Section(entries) }
}

/// The text of a single value.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(text),
        Kind::Null | Kind::List(_) | Kind::Section(_) => None,
    }
}

/// The number of a single value.
pub(super) fn number(node: &Node) -> Option<u64> {
    text(node)?.parse().ok()
}

/// The items of a list; none if it is something else.
pub(super) fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.kind) {
        Some(Kind::List(items)) => items,
        _ => &[],
    }
}

/// The keys of a section that are none of `known`.
pub(super) fn others<'n>(node: &'n Node, known: &[&str]) -> Vec<&'n Entry> {
    match &node.kind {
        Kind::Section(entries) => entries.iter().filter(|entry| !known.contains(&entry.key.as_str())).collect(),
        Kind::Null | Kind::Scalar { .. } | Kind::List(_) => Vec::new(),
    }
}
