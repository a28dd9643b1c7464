//! Scenarios that once failed, each shrunk to what matters. All of them must hold for ever.

use std::{fs, path::Path};

use sim_tests::{
    run::{Options, guarded},
    scenario::Scenario,
    verdict::Verdict,
};

#[test]
fn what_once_failed_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut failures = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).expect("the file can be read");
        let scenario = Scenario::from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!scenario.note.is_empty(), "{}: the note must say what it once showed", path.display());
        if let Verdict::Violation(violation) = guarded(&scenario, Options::default()) {
            failures.push(format!("{}: {violation}", path.display()));
        }
    }
    println!("{} scenarios that once failed", files.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
