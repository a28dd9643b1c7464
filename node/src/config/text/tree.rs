//! YAML as a tree with places. Built from parser events, so that one pass finds every duplicate, and values stay text
//! until somebody knows what they should be.
//!
//! Bounds: [`TEXT_MAX`] bytes. Aliases are refused, so a tree is never larger than its text.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span as RawSpan};

use super::source::{Bytes, SourceId, Span};
use crate::{config::Diagnostic, errors::Code};

/// Largest text, in bytes.
const TEXT_MAX: usize = 1024 * 1024;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where it stands.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// A text. `plain`: written without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A section. Keys are unique.
    Section(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// The value of a key, if this is a section that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Section(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            Kind::Null | Kind::Scalar { .. } | Kind::List(_) => None,
        }
    }

    /// What to call it in a message.
    pub(crate) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Section(_) => "a section",
        }
    }
}

/// Reads a text. What can be read around duplicate keys is read; the tree is missing only if the text is no YAML.
pub(crate) fn parse(source: SourceId, text: &str, found: &mut Vec<Diagnostic>) -> Option<Node> {
    let start = Span { source, bytes: Bytes { start: 0, end: 0 }, line: 1, column: 1 };
    if text.len() > TEXT_MAX {
        found.push(Diagnostic::error(Code::E0119, "the text is larger than 1 MiB").at(start));
        return None;
    }
    let mut builder = Builder { source, text, found, start };
    match builder.document(Parser::new_from_str(text)) {
        Ok(node) => Some(node),
        Err(stop) => {
            found.push(*stop);
            None
        }
    }
}

struct Builder<'a> {
    source: SourceId,
    text: &'a str,
    found: &'a mut Vec<Diagnostic>,
    start: Span,
}

/// A collection that is being read.
enum Open {
    List { span: Span, items: Vec<Node> },
    Section { span: Span, entries: Vec<Entry>, key: Option<(String, Span)> },
}

impl Builder<'_> {
    fn document<'t>(
        &mut self,
        events: impl Iterator<Item = Result<(Event<'t>, RawSpan), ScanError>>,
    ) -> Result<Node, Box<Diagnostic>> {
        let mut open = Vec::new();
        let mut root = None;
        for event in events {
            let (event, raw) = event.map_err(|error| self.unreadable(&error))?;
            let span = self.span(raw);
            if let Some(node) = self.event(event, span, &mut open)? {
                if root.is_some() {
                    return Err(unusable("a second document begins here", span));
                }
                root = Some(node);
            }
        }
        Ok(root.unwrap_or(Node { span: self.start, kind: Kind::Null }))
    }

    /// Takes in one event; answers with the root once it is complete.
    fn event(&mut self, event: Event<'_>, span: Span, open: &mut Vec<Open>) -> Result<Option<Node>, Box<Diagnostic>> {
        let node = match event {
            Event::Scalar(text, style, _, _) => scalar(&text, style, span),
            Event::Alias(_) => return Err(unusable("aliases are not supported here", span)),
            Event::SequenceStart(..) => {
                open.push(Open::List { span, items: Vec::new() });
                return Ok(None);
            }
            Event::MappingStart(..) => {
                open.push(Open::Section { span, entries: Vec::new(), key: None });
                return Ok(None);
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List { span, items }) => Node { span, kind: Kind::List(items) },
                Some(Open::Section { span, entries, .. }) => Node { span, kind: Kind::Section(self.unique(entries)) },
                None => return Ok(None),
            },
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => return Ok(None),
        };
        match open.last_mut() {
            None => Ok(Some(node)),
            Some(Open::List { items, .. }) => {
                items.push(node);
                Ok(None)
            }
            Some(Open::Section { entries, key, .. }) => match key.take() {
                None => {
                    *key = Some(key_of(node)?);
                    Ok(None)
                }
                Some((key, key_span)) => {
                    entries.push(Entry { key, key_span, value: node });
                    Ok(None)
                }
            },
        }
    }

    /// The first entry of each key; the others are reported.
    fn unique(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let mut lines = BTreeMap::new();
        entries.retain(|entry| match lines.get(&entry.key) {
            None => {
                lines.insert(entry.key.clone(), entry.key_span.line);
                true
            }
            Some(first) => {
                let diagnostic = Diagnostic::error(Code::E0102, format!("key `{}` given twice", entry.key));
                let note = format!("the first stands in line {first}");
                self.found.push(diagnostic.at(entry.key_span).note(note));
                false
            }
        });
        entries
    }

    fn span(&self, raw: RawSpan) -> Span {
        let start = raw.start.byte_offset().unwrap_or(0).min(self.text.len());
        let end = raw.end.byte_offset().unwrap_or(start).clamp(start, self.text.len());
        let bytes = Bytes { start, end };
        Span { source: self.source, bytes, line: raw.start.line().max(1), column: raw.start.col() + 1 }
    }

    fn unreadable(&self, error: &ScanError) -> Box<Diagnostic> {
        let marker = *error.marker();
        let span = self.span(RawSpan::empty(marker));
        let diagnostic = Diagnostic::error(Code::E0101, "not valid YAML").at(span).label(error.info());
        Box::new(diagnostic.without_secrets_of(self.text))
    }
}

fn unusable(what: &str, at: Span) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Code::E0101, what).at(at))
}

fn key_of(node: Node) -> Result<(String, Span), Box<Diagnostic>> {
    match node.kind {
        Kind::Scalar { text, .. } => Ok((text, node.span)),
        Kind::Null | Kind::List(_) | Kind::Section(_) => Err(unusable("a key must be a plain word", node.span)),
    }
}

fn scalar(text: &str, style: ScalarStyle, span: Span) -> Node {
    let plain = style == ScalarStyle::Plain;
    let kind = if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Kind::Null
    } else {
        Kind::Scalar { text: text.to_owned(), plain }
    };
    Node { span, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text::{SourceKind, Sources};

    fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let source = Sources::default().add("test.yaml", SourceKind::File, text);
        (parse(source, text, &mut found), found)
    }

    #[test]
    fn every_value_knows_its_place() {
        let (node, found) = read("a:\n  b: [1, \"two\"]\n");
        let node = node.unwrap();
        let list = node.get("a").unwrap().get("b").unwrap();
        let Kind::List(items) = &list.kind else { panic!("{list:?}") };
        assert_eq!((items[1].span.line, items[1].span.column), (2, 10));
        assert_eq!(items[0].kind, Kind::Scalar { text: "1".into(), plain: true });
        assert_eq!(items[1].kind, Kind::Scalar { text: "two".into(), plain: false });
        assert_eq!(found, []);
    }

    #[test]
    fn every_duplicate_is_reported_and_the_first_one_stays() {
        let (node, found) = read("a: 1\nb: { c: 1, c: 2 }\na: 3\n");
        assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::E0102, Code::E0102]);
        assert_eq!(node.unwrap().get("a").unwrap().kind, Kind::Scalar { text: "1".into(), plain: true });
    }

    #[test]
    fn what_is_no_yaml_is_one_error_with_its_place() {
        for text in ["a: [1, 2", "a: *b", "a: &x 1\nb: *x", "a: 1\n---\nb: 2", "? [1]\n: 2", "a: \"x"] {
            let (node, found) = read(text);
            assert_eq!(node, None, "{text:?}");
            assert_eq!(found.len(), 1, "{text:?}");
            assert!(found[0].span.is_some(), "{text:?}");
        }
    }

    #[test]
    fn an_empty_text_is_nothing() {
        assert_eq!(read("# only a comment\n").0.unwrap().kind, Kind::Null);
    }
}
