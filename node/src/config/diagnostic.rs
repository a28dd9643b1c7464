//! What is wrong with a configuration, and where.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::text::{Sources, Span, line_of};
use crate::errors::{Code, Lang};

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code; tells error from warning.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to write behind the marked text.
    pub label: String,
    /// What else to know.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the line may be shown.
    snippet: bool,
}

impl Diagnostic {
    /// An error.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span: None,
            label: String::new(),
            notes: Vec::new(),
            help: None,
            snippet: true,
        }
    }

    /// A warning.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        debug_assert!(code.is_warning(), "{code} is no warning");
        Self::error(code, message)
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Says what about the marked text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds what else to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Does not show the line.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.snippet = false;
        self
    }

    /// Does not show the line if it may hold a secret: the text could not be read, so nobody knows for sure.
    #[must_use]
    pub fn without_secrets_of(self, text: &str) -> Self {
        let line = self.span.and_then(|span| line_of(text, span.line));
        let line = line.map(|at| text[at].to_ascii_lowercase()).unwrap_or_default();
        let doubtful = ["token", "secret", "password", "literal"].iter().any(|word| line.contains(word));
        if doubtful { self.hidden() } else { self }
    }

    /// Whether nothing can be started because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        !self.code.is_warning()
    }

    /// `file:line:column`, if the place is known.
    #[must_use]
    pub fn place(&self, sources: &Sources) -> Option<String> {
        let span = self.span?;
        let name = &sources.get(span.source)?.name;
        Some(format!("{name}:{}:{}", span.line, span.column))
    }

    /// The diagnostic as text, ending in a line break.
    #[must_use]
    pub fn text(&self, sources: &Sources, lang: Lang) -> String {
        let mut out = String::new();
        let title = self.code.entry().map_or("", |entry| entry.title.in_lang(Lang::Zh));
        let _ = match (lang, self.is_error()) {
            (Lang::En, true) => writeln!(out, "error[{}]: {}", self.code, self.message),
            (Lang::En, false) => writeln!(out, "warning[{}]: {}", self.code, self.message),
            (Lang::Zh, true) => writeln!(out, "错误[{}]: {title}：{}", self.code, self.message),
            (Lang::Zh, false) => writeln!(out, "警告[{}]: {title}：{}", self.code, self.message),
        };
        let width = self.span.map_or(1, |span| span.line.to_string().len());
        if let Some(place) = self.place(sources) {
            let _ = writeln!(out, "{:width$}--> {place}", "");
        }
        self.show_line(&mut out, sources, width);
        for note in &self.notes {
            let _ = writeln!(out, "{:width$} = note: {note}", "");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{:width$} = help: {help}", "");
        }
        out
    }

    fn show_line(&self, out: &mut String, sources: &Sources, width: usize) {
        let Some(span) = self.span.filter(|_| self.snippet) else { return };
        let Some(source) = sources.get(span.source) else { return };
        let line = source.line(span.line).replace('\t', " ");
        if line.trim().is_empty() {
            return;
        }
        let before: String = line.chars().take(span.column - 1).collect();
        let marked: String = {
            let text = source.text.get(span.bytes.start..span.bytes.end).unwrap_or_default();
            let first = text.lines().next().unwrap_or_default();
            line.chars().skip(span.column - 1).take(first.chars().count()).collect()
        };
        let carets = "^".repeat(marked.trim_end().width().max(1));
        let _ = writeln!(out, "{:width$} |", "");
        let _ = writeln!(out, "{:width$} | {line}", span.line);
        let _ = writeln!(out, "{:width$} | {:indent$}{carets} {}", "", "", self.label, indent = before.width());
        let trimmed = out.trim_end().len();
        out.truncate(trimmed);
        out.push('\n');
    }
}
