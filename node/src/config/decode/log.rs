//! `log`: what is written down, and where.

use super::{Reader, scalar, section::Section};
use crate::{
    config::{Diagnostic, Log, LogFile, LogFormat},
    errors::Code,
};

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> Log {
    const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
    let default = Log::default();
    let level = section.read(reader, "level", filter).unwrap_or(default.level);
    let format = section.read(reader, "format", scalar::word(FORMATS)).unwrap_or(default.format);
    let file = file(section.section(reader, "file"), reader);
    section.finish(reader);
    Log { level, format, file }
}

fn filter(text: &str) -> Result<String, scalar::Wrong> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word that is no level would be taken as the name of a module, and log nothing.
    let bare = !text.contains(['=', ',']);
    if (bare && !LEVELS.contains(&text)) || tracing_subscriber::EnvFilter::try_new(text).is_err() {
        let message = format!("`{text}` is no log level");
        return Err(scalar::wrong(Code::E0110, message, format!("one of: {}", LEVELS.join(", "))));
    }
    Ok(text.to_owned())
}

fn file(mut section: Section<'_>, reader: &mut Reader<'_>) -> Option<LogFile> {
    let path = section.read(reader, "path", scalar::text);
    let max_size = section.read(reader, "max_size", scalar::size(4_096..=1 << 40)).unwrap_or(100 << 20);
    let keep = section.read(reader, "keep", scalar::number(1..=1_000)).unwrap_or(7);
    if path.is_none() && !section.is_empty() {
        let mut diagnostic = Diagnostic::error(Code::E0105, "`log.file` needs a `path`");
        diagnostic.span = section.span();
        reader.report(diagnostic);
    }
    section.finish(reader);
    path.filter(|path| !path.is_empty()).map(|path| LogFile { path: reader.path(&path), max_size, keep })
}
