//! Keeps the house in order: what a reviewer would have to say again and again, said by a test.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest source file, in lines; test files may be longer.
const FILE_LINES_MAX: usize = 600;
/// Longest file of tests, in lines.
const TEST_FILE_LINES_MAX: usize = 900;
/// Longest function, in lines; tests may be longer.
const FUNCTION_LINES_MAX: usize = 70;
/// Longest test function, in lines.
const TEST_FUNCTION_LINES_MAX: usize = 110;

/// One file of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Its path from the root of the repository.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    fn is_test(&self) -> bool {
        let name = self.name();
        name.ends_with("tests.rs") || name.contains("/tests/") || name.contains("/benches/")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file below the root with one of these endings, sorted; build output and hidden folders left out.
fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') && name != "corpus" && name != "artifacts" {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(Source { text: fs::read_to_string(&path).unwrap(), path });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "the walk finds the repository");
    found
}

/// Fails with every complaint at once.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long = sources(&[".rs"]).into_iter().filter_map(|source| {
        let limit = if source.is_test() { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        let lines = source.text.lines().count();
        (lines > limit).then(|| format!("{}: {lines} lines, at most {limit}: make two rooms of it", source.name()))
    });
    none(long.collect());
}

#[test]
fn no_function_is_too_long() {
    let mut long = Vec::new();
    for source in sources(&[".rs"]) {
        for (line, name, length, test) in functions(&source.text) {
            let limit = if test || source.is_test() { TEST_FUNCTION_LINES_MAX } else { FUNCTION_LINES_MAX };
            if length > limit {
                long.push(format!("{}:{line}: fn {name} has {length} lines, at most {limit}", source.name()));
            }
        }
    }
    none(long);
}

/// Every function: line, name, length in lines, whether it stands in a module of tests. Relies on rustfmt: a body ends
/// at the closing brace that is indented as the `fn` is.
fn functions(text: &str) -> Vec<(usize, String, usize, bool)> {
    let lines: Vec<&str> = text.lines().collect();
    let tests_from = lines.iter().position(|line| line.trim() == "mod tests {").unwrap_or(lines.len());
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let Some(name) = function_name(code) else { continue };
        let end = lines[start..].iter().position(|line| *line == format!("{indent}}}"));
        let one_liner = code.ends_with('}') || code.ends_with(';');
        if let (Some(length), false) = (end, one_liner) {
            found.push((start + 1, name.to_owned(), length + 1, start > tests_from));
        }
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let words = ["pub(crate) ", "pub(super) ", "pub ", "async ", "const ", "unsafe ", "extern \"C\" "];
    let mut rest = code;
    while let Some(shorter) = words.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = shorter;
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[test]
fn nothing_is_left_to_do_without_a_reason() {
    let mut left = Vec::new();
    for source in sources(&[".rs", ".toml", ".md", ".yaml"]) {
        for (number, line) in source.text.lines().enumerate() {
            for mark in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")] {
                if line.contains(mark) && !line.contains(&format!("{mark}(")) {
                    left.push(format!("{}:{}: {mark} without a reason in brackets", source.name(), number + 1));
                }
            }
        }
    }
    none(left);
}

#[test]
fn no_limit_is_unused() {
    let sources = sources(&[".rs"]);
    let (limits, others): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|source| source.name() == "proto-core/src/limits.rs");
    let [limits] = limits.as_slice() else { panic!("limits.rs is where it was") };
    let names = limits.text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let unused = names.filter(|name| !others.iter().any(|source| has_word(&source.text, name)));
    none(unused.map(|name| format!("proto-core/src/limits.rs: {name} bounds nothing")).collect());
}

#[test]
fn no_golden_file_is_unused() {
    let sources = sources(&[".rs"]);
    let mut unused = Vec::new();
    for folder in ["proto-core/src/wire/golden"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            if !sources.iter().any(|source| source.text.contains(&format!("golden/{name}"))) {
                unused.push(format!("{folder}/{name}: no test reads it"));
            }
        }
    }
    none(unused);
}

#[test]
fn no_counter_is_unused() {
    let sources = sources(&[".rs"]);
    let probe = sources.iter().find(|source| source.name() == "proto-core/src/probe.rs").unwrap();
    let names =
        probe.text.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = \"")).map(|(name, _)| name);
    let unused = names.filter(|name| {
        let used = format!("Counter::{name}");
        !sources.iter().any(|source| source.name() != probe.name() && source.text.contains(&used))
    });
    none(unused.map(|name| format!("proto-core/src/probe.rs: {name} counts nothing")).collect());
}

#[test]
fn every_decision_is_numbered_and_short() {
    let mut odd = Vec::new();
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let numbered =
            name.len() > 4 && name.as_bytes()[..3].iter().all(u8::is_ascii_digit) && name.as_bytes()[3] == b'-';
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if !numbered || lines > 60 {
            odd.push(format!("docs/decisions/{name}: NNN-name.md of at most 60 lines, please ({lines})"));
        }
    }
    none(odd);
}

/// Whether `text` has `word` as a whole word.
fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(inside);
        let after = text[at + word.len()..].chars().next().is_some_and(inside);
        !before && !after
    })
}

#[test]
fn the_measure_of_functions_measures() {
    let text =
        "impl A {\n    fn one() {\n        two();\n    }\n}\nfn short() {}\nmod tests {\n    fn t() {\n    }\n}\n";
    let found = functions(text);
    assert_eq!(found, [(2, "one".to_owned(), 3, false), (8, "t".to_owned(), 2, true)]);
}
