//! One section while it is decoded. It remembers what was asked for; the rest is unknown.

use super::{Reader, scalar::Wrong};
use crate::{
    config::{
        Diagnostic, Span,
        keys::LATER,
        text::{Entry, Kind, Node},
    },
    errors::Code,
};

/// A section. Absent ones are empty, and stand where the section does that they are missing in.
pub(super) struct Section<'n> {
    path: String,
    entries: &'n [Entry],
    span: Option<Span>,
    asked: Vec<&'static str>,
}

impl<'n> Section<'n> {
    /// The whole tree.
    pub(super) fn root(node: &'n Node) -> Self {
        Self::of(String::new(), Some(node))
    }

    /// A list item that must be a section.
    pub(super) fn item(node: &'n Node, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::Section(_) => Some(Self::of(path.to_owned(), Some(node))),
            Kind::Null | Kind::Scalar { .. } | Kind::List(_) => {
                reader.report(mismatch("a section such as `{ key: value }`", node));
                None
            }
        }
    }

    fn of(path: String, node: Option<&'n Node>) -> Self {
        let entries = match node.map(|node| &node.kind) {
            Some(Kind::Section(entries)) => entries.as_slice(),
            _ => &[],
        };
        Self { path, entries, span: node.map(|node| node.span), asked: Vec::new() }
    }

    /// Where the section begins, or the one that it is missing in.
    pub(super) const fn span(&self) -> Option<Span> {
        self.span
    }

    /// Whether nothing stands in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A section in this one.
    pub(super) fn section(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Self {
        let node = self.node(reader, key);
        if let Some(node) = node.filter(|node| matches!(node.kind, Kind::Scalar { .. } | Kind::List(_))) {
            reader.report(mismatch("a section with keys of its own", node));
        }
        let section = Self::of(join(&self.path, key), node);
        Self { span: section.span.or(self.span), ..section }
    }

    /// A single value. Where it is missing or wrong, `None`; what is wrong was reported.
    pub(super) fn read<T>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let node = self.node(reader, key)?;
        scalar(node, &join(&self.path, key), reader, parse)
    }

    /// The items of a list; empty if it is absent.
    pub(super) fn list(&mut self, reader: &mut Reader<'_>, key: &'static str) -> &'n [Node] {
        let Some(node) = self.node(reader, key) else { return &[] };
        match &node.kind {
            Kind::List(items) => items,
            Kind::Null => {
                reader.report(missing(node, &join(&self.path, key)));
                &[]
            }
            Kind::Scalar { .. } | Kind::Section(_) => {
                reader.report(mismatch("a list such as `[a, b]`", node));
                &[]
            }
        }
    }

    /// The value of a key as it stands; `None` if the key is absent.
    pub(super) fn node(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        reader.asked.push(join(&self.path, key));
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Where a value stands, for checks across several.
    pub(super) fn place(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.span).or(self.span)
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            let path = join(&self.path, &entry.key);
            let diagnostic = if LATER.contains(&path.as_str()) {
                Diagnostic::error(Code::E0114, format!("`{path}` is not available in this version")).label("remove it")
            } else {
                self.unknown(entry, reader)
            };
            reader.report(diagnostic.at(entry.key_span));
        }
    }

    fn unknown(&self, entry: &Entry, reader: &Reader<'_>) -> Diagnostic {
        let place = if self.path.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", self.path) };
        let what = format!("unknown key `{}` {place}", entry.key);
        let label = match nearest(&entry.key, &self.asked) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", self.asked.join(", ")),
        };
        if reader.is_env(entry.key_span) {
            Diagnostic::warning(Code::W0105, what).help(label).hidden()
        } else {
            Diagnostic::error(Code::E0103, what).label(label)
        }
    }
}

/// Reads one value that must be a single one.
pub(super) fn scalar<T>(
    node: &Node,
    path: &str,
    reader: &mut Reader<'_>,
    parse: impl FnOnce(&str) -> Result<T, Wrong>,
) -> Option<T> {
    match &node.kind {
        Kind::Scalar { text, .. } => match parse(text) {
            Ok(value) => Some(value),
            Err(Wrong { code, message, label }) => {
                reader.report(Diagnostic::error(code, message).at(node.span).label(label));
                None
            }
        },
        Kind::Null => {
            reader.report(missing(node, path));
            None
        }
        Kind::List(_) | Kind::Section(_) => {
            reader.report(mismatch("a single value", node));
            None
        }
    }
}

/// The items that are read. A list with more of them is an error: nothing is left out silently.
pub(super) fn no_more_than<'n>(most: usize, items: &'n [Node], path: &str, reader: &mut Reader<'_>) -> &'n [Node] {
    let (read, rest) = items.split_at(most.min(items.len()));
    if let Some(first) = rest.first() {
        let what = format!("`{path}` has {} entries", items.len());
        reader.report(Diagnostic::error(Code::E0109, what).at(first.span).label(format!("at most {most}")).hidden());
    }
    read
}

/// The key that looks most like `key`, if any looks like it at all.
pub(crate) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let close = |other: &&str| {
        let distance = strsim::damerau_levenshtein(&key.to_ascii_lowercase(), other);
        (distance <= key.len().max(other.len()).div_ceil(3)).then_some(distance)
    };
    known.iter().filter_map(|other| Some((close(other)?, *other))).min().map(|(_, other)| other)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn missing(node: &Node, path: &str) -> Diagnostic {
    Diagnostic::error(Code::E0105, format!("`{path}` has no value"))
        .at(node.span)
        .help("write a value, or leave the key out to keep its default")
}

fn mismatch(wanted: &str, node: &Node) -> Diagnostic {
    Diagnostic::error(Code::E0104, format!("expected {wanted}, found {}", node.describe())).at(node.span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["heartbeat", "dead_after", "listen"];
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("HeartBaet", &known), Some("heartbeat"));
        assert_eq!(nearest("deadafter", &known), Some("dead_after"));
        assert_eq!(nearest("colour", &known), None);
    }
}
