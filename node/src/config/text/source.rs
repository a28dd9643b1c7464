//! Where a value came from: the file, an environment variable or the command line.

use std::ops::Range;

/// Names one text among [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// What sort of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The configuration file.
    File,
    /// An environment variable; the name is that of the variable.
    Env,
    /// A `--set` on the command line; the name is its path.
    Set,
}

/// One text that values were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called in messages.
    pub name: String,
    /// What sort of text it is.
    pub kind: SourceKind,
    /// The text.
    pub text: String,
    /// Bytes that are never shown: secrets.
    masked: Vec<Range<usize>>,
}

impl Source {
    /// One line of the text, with secrets masked; empty if there is no such line. Lines count from 1.
    #[must_use]
    pub fn line(&self, line: usize) -> String {
        line_of(&self.text, line).map_or_else(String::new, |at| self.mask(at.start, &self.text[at]))
    }

    fn mask(&self, begin: usize, text: &str) -> String {
        let mut hidden = vec![false; text.len()];
        for range in &self.masked {
            let (start, end) = (range.start.saturating_sub(begin), range.end.saturating_sub(begin));
            hidden.get_mut(start..end.min(text.len())).into_iter().flatten().for_each(|hidden| *hidden = true);
        }
        text.char_indices().map(|(at, c)| if hidden.get(at) == Some(&true) { '*' } else { c }).collect()
    }
}

/// Where a line stands in a text, without its break. Lines count from 1 and end as in YAML: with CR, LF or both.
pub(crate) fn line_of(text: &str, line: usize) -> Option<Range<usize>> {
    let breaks = text.match_indices(['\r', '\n']).map(|(at, _)| at + 1);
    let breaks = breaks.filter(|after| !(text[..*after].ends_with('\r') && text[*after..].starts_with('\n')));
    let start = std::iter::once(0).chain(breaks).nth(line.checked_sub(1)?)?;
    let len = text[start..].find(['\r', '\n']).unwrap_or(text.len() - start);
    Some(start..start + len)
}

/// Every text of one configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    all: Vec<Source>,
}

impl Sources {
    /// Adds a text.
    pub fn add(&mut self, name: impl Into<String>, kind: SourceKind, text: impl Into<String>) -> SourceId {
        self.all.push(Source { name: name.into(), kind, text: text.into(), masked: Vec::new() });
        SourceId(self.all.len() - 1)
    }

    /// The text of this id.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.all.get(id.0)
    }

    /// Hides what stands at `span` from every message: it is a secret.
    pub fn mask(&mut self, span: Span) {
        if let Some(source) = self.all.get_mut(span.source.0) {
            source.masked.push(span.bytes.start..span.bytes.end);
        }
    }

    /// Whether the span stands in an environment variable.
    #[must_use]
    pub fn is_env(&self, span: Span) -> bool {
        self.get(span.source).is_some_and(|source| source.kind == SourceKind::Env)
    }
}

/// A place in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The source.
    pub source: SourceId,
    /// Its bytes.
    pub bytes: Bytes,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Column of the first byte in characters, from 1.
    pub column: usize,
}

/// A range of bytes that is `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bytes {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_either_break_or_both() {
        let text = "a\rbc\r\n\nd";
        let lines: Vec<_> = (0..=5).map(|line| line_of(text, line).map(|at| &text[at])).collect();
        assert_eq!(lines, [None, Some("a"), Some("bc"), Some(""), Some("d"), None]);
        assert_eq!(line_of("", 1), Some(0..0));
    }
}
