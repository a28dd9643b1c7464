//! `node config default`: a file with every key, its default, and what it does.

use std::fmt::Write as _;

use super::keys::KEYS;

/// Width at which a comment goes on a line of its own.
const WIDTH: usize = 120;
/// Column where comments begin.
const COMMENT: usize = 40;

/// A complete file. Everything in it is the default, except the token, which has none.
#[must_use]
pub fn default_file() -> String {
    let mut out = String::from("# Every key with its default. Only `version` and a token are needed.\n");
    let mut open: Vec<&str> = Vec::new();
    for key in KEYS {
        let mut sections: Vec<&str> = key.path.split('.').collect();
        let Some(name) = sections.pop() else { continue };
        let shared = open.iter().zip(&sections).take_while(|(a, b)| a == b).count();
        for (depth, section) in sections.iter().enumerate().skip(shared) {
            if depth == 0 {
                out.push('\n');
            }
            let _ = writeln!(out, "{:indent$}{section}:", "", indent = depth * 2);
        }
        open = sections;
        let required = key.path == "mesh.auth.tokens";
        let line = match (key.default, required) {
            ("", false) => format!("# {name}: {}", key.example),
            ("", true) => format!("{name}: {}", key.example),
            (default, _) => format!("{name}: {default}"),
        };
        let line = format!("{:indent$}{line}", "", indent = open.len() * 2);
        let example = if key.default.is_empty() || key.example.is_empty() {
            String::new()
        } else {
            format!(" Example: {}", key.example)
        };
        let about = format!("# {}{example}", key.about);
        if line.len().max(COMMENT) + about.len() < WIDTH {
            let _ = writeln!(out, "{line:COMMENT$} {about}");
        } else {
            let _ = writeln!(out, "{:indent$}{about}\n{line}", "", indent = open.len() * 2);
        }
    }
    out
}
