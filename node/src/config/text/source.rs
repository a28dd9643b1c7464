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
        let mut begin = 0;
        for (index, text) in self.text.split('\n').enumerate() {
            if index + 1 == line {
                return self.mask(begin, text.trim_end_matches('\r'));
            }
            begin += text.len() + 1;
        }
        String::new()
    }

    fn mask(&self, begin: usize, text: &str) -> String {
        let hidden = |at: usize| self.masked.iter().any(|range| range.contains(&(begin + at)));
        text.char_indices().map(|(at, c)| if hidden(at) { '*' } else { c }).collect()
    }
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
