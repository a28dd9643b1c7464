//! What is wrong with a configuration, and where.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::text::{Sources, Span, line_of};
use crate::errors::{Code, Lang};

/// Most characters of a line that are shown.
const SHOWN_MAX: usize = 160;

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
        let text = source.text.get(span.bytes.start..span.bytes.end).unwrap_or_default();
        let len = text.lines().next().unwrap_or_default().chars().count();
        let (line, column) = around(&line, span.column - 1);
        let before: String = line.chars().take(column).collect();
        let marked: String = line.chars().skip(column).take(len).collect();
        let carets = "^".repeat(marked.trim_end().width().max(1));
        let _ = writeln!(out, "{:width$} |", "");
        let _ = writeln!(out, "{:width$} | {line}", span.line);
        let _ = writeln!(out, "{:width$} | {:indent$}{carets} {}", "", "", self.label, indent = before.width());
        let trimmed = out.trim_end().len();
        out.truncate(trimmed);
        out.push('\n');
    }
}

/// The part of a line around a column that is worth showing, and where the column is in it.
fn around(line: &str, column: usize) -> (String, usize) {
    if line.chars().count() <= SHOWN_MAX {
        return (line.to_owned(), column);
    }
    let first = column.saturating_sub(SHOWN_MAX / 4);
    let shown: String = line.chars().skip(first).take(SHOWN_MAX).collect();
    let end = if line.chars().nth(first + SHOWN_MAX).is_some() { "…" } else { "" };
    if first == 0 { (format!("{shown}{end}"), column) } else { (format!("…{shown}{end}"), column - first + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_part_around_the_mark_is_shown() {
        let line: String = ('a'..='z').cycle().take(1_000).collect();
        assert_eq!(around("short", 3), ("short".to_owned(), 3));
        for column in [0, 10, 30, 500, 999, 1_000] {
            let (shown, at) = around(&line, column);
            assert!(shown.chars().count() <= SHOWN_MAX + 2, "{shown}");
            assert_eq!(shown.chars().nth(at), line.chars().nth(column), "{column}: {shown}");
        }
    }
}
