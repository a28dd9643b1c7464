//! Secrets: written out, from a file, or from the environment. One that can be guessed is refused, unless the file says
//! that it is meant to be so.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use proto_core::secure::{PUBLISHED_TOKEN, Psk, TOKEN_CHARS_MIN, Weakness};

use super::{
    Reader, scalar,
    section::{self, Section},
};
use crate::{
    config::{
        Diagnostic, Secret,
        text::{Kind, Node},
    },
    errors::Code,
};

/// Largest file of a secret, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// What becomes of a secret that can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weak {
    /// It is an error, unless the file says otherwise.
    Refused,
    /// It is an error, whatever the file says.
    Never,
    /// It is a warning.
    Allowed,
}

/// Reads a secret. What is wrong with it was reported without showing it.
pub(super) fn secret(node: &Node, path: &str, weak: Weak, reader: &mut Reader<'_>) -> Option<Secret> {
    let text = match &node.kind {
        Kind::Section(_) => referenced(node, path, reader)?,
        Kind::Scalar { .. } | Kind::Null | Kind::List(_) => {
            reader.sources.mask(node.span);
            let text = section::scalar(node, path, reader, scalar::text)?;
            if Psk::weakness(&text) != Some(Weakness::Published) {
                let what = "secret written in clear text";
                let help = "write `{ file: PATH }` or `{ env: NAME }` in its place";
                reader.report(Diagnostic::warning(Code::W0110, what).at(node.span).help(help).hidden());
            }
            text
        }
    };
    if text.is_empty() {
        reader.report(Diagnostic::error(Code::E0117, "the secret is empty").at(node.span).hidden());
        return None;
    }
    let weakness = Psk::weakness(&text).map(|weakness| match weakness {
        Weakness::Published => (Code::W0201, format!("the token is `{PUBLISHED_TOKEN}`, which everybody knows")),
        Weakness::Short => {
            (Code::W0111, format!("the token has less than {TOKEN_CHARS_MIN} characters and can be guessed"))
        }
    });
    if let Some((code, what)) = weakness {
        let diagnostic = match weak {
            Weak::Allowed => Diagnostic::warning(code, what).help("make one with `node token create`"),
            Weak::Never => Diagnostic::error(Code::E0127, what).help("make one with `node token create --file PATH`"),
            Weak::Refused => Diagnostic::error(Code::E0127, what).help(
                "make one with `node token create --file PATH`; or keep this one with `mesh.auth.allow_weak_tokens: true`",
            ),
        };
        reader.report(diagnostic.at(node.span).hidden());
    }
    Some(Secret::new(text))
}

fn referenced(node: &Node, path: &str, reader: &mut Reader<'_>) -> Option<String> {
    let mut section = Section::item(node, path, reader)?;
    let file = section.read(reader, "file", scalar::text);
    let env = section.read(reader, "env", scalar::text);
    let at = section.place(if file.is_some() { "file" } else { "env" }).unwrap_or(node.span);
    let result = match (file, env) {
        (Some(file), None) => from_file(&reader.path(&file)),
        (None, Some(name)) => match (reader.env)(&name) {
            Some(text) => Ok(text),
            None => Err((Code::E0117, format!("the variable `{name}` is not set"))),
        },
        (None, None) | (Some(_), Some(_)) => {
            Err((Code::E0105, "a secret is either `{ file: PATH }` or `{ env: NAME }`".to_owned()))
        }
    };
    section.finish(reader);
    result.map_err(|(code, what)| reader.report(Diagnostic::error(code, what).at(at))).ok()
}

/// The text of a file that only its owner can read, without the line break at its end.
fn from_file(path: &Path) -> Result<String, (Code, String)> {
    let failed = |why: io::Error| (Code::E0117, format!("cannot read {}: {why}", path.display()));
    let file = fs::File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if meta.mode() & 0o077 != 0 {
        let what = format!("{} can be read by others (mode {:o}): chmod 600", path.display(), meta.mode() & 0o777);
        return Err((Code::E0118, what));
    }
    if meta.len() > FILE_MAX {
        return Err((Code::E0117, format!("{} is too large for a secret", path.display())));
    }
    let text = io::read_to_string(io::Read::take(file, FILE_MAX)).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
