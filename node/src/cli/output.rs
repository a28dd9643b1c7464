//! Standard output: the result, as text, as one JSON document, or as one per line.

use std::io::{self, Write as _};

use unicode_width::UnicodeWidthStr as _;

use super::Format;
use crate::errors::{Exit, Failed};

/// Standard output.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// In this format.
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether people read it.
    pub(super) fn is_text(&self) -> bool {
        self.format == Format::Table
    }

    /// Whether every item of a list is a document of its own.
    pub(super) fn is_lines(&self) -> bool {
        self.format == Format::Jsonl
    }

    /// Writes lines of text.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failed> {
        let mut text = text.trim_end_matches('\n').to_owned();
        text.push('\n');
        self.raw(text.as_bytes())
    }

    /// Writes a JSON document as one line.
    pub(crate) fn json(&self, document: &serde_json::Value) -> Result<(), Failed> {
        self.raw(format!("{document}\n").as_bytes())
    }

    /// Writes bytes as they are. Whoever closes the pipe has seen enough: no failure.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Failed> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Err(Failed::Said(Exit::Done)),
            Err(_) => Err(Failed::Said(Exit::Failed)),
        }
    }
}

/// A table for people: columns as wide as their widest cell, two spaces between them.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut all = vec![head.map(str::to_owned)];
    all.extend(rows);
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = String::new();
    for row in &all {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_also_for_wide_characters() {
        let rows = [["广州".to_owned(), "up".to_owned()], ["b".to_owned(), "down".to_owned()]];
        assert_eq!(table(["ID", "STATE"], rows), "ID    STATE\n广州  up\nb     down\n");
    }
}
