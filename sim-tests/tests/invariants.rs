//! Every invariant has a file, a test that makes it fire, and a row in `docs/INVARIANTS.md`.

use std::{collections::BTreeSet, fs, path::Path};

use sim_tests::invariants::Suite;

/// Files in the folder that are no invariants.
const OTHERS: [&str; 2] = ["mod", "sample"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ids() -> BTreeSet<String> {
    Suite::default().ids().map(String::from).collect()
}

#[test]
fn every_file_is_an_invariant_that_is_checked_and_every_invariant_has_a_file() {
    let files = fs::read_dir(here().join("src/invariants")).expect("the folder is there").flatten();
    let stems = files.filter_map(|file| file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    let stems: BTreeSet<_> = stems.filter(|stem| !OTHERS.contains(&stem.as_str())).collect();
    assert_eq!(stems, ids());
}

#[test]
fn every_invariant_is_made_to_fire_by_a_test() {
    for id in ids() {
        let text = fs::read_to_string(here().join(format!("src/invariants/{id}.rs"))).expect("it has a file");
        assert!(text.contains("#[test]\n    fn fires_"), "{id} has no test whose name begins with `fires_`");
    }
}

#[test]
fn every_invariant_is_in_the_book() {
    let book = fs::read_to_string(here().join("../docs/INVARIANTS.md")).expect("the page is there");
    let rows: BTreeSet<String> = book
        .lines()
        .filter_map(|line| line.split('|').nth(2)?.trim().strip_prefix('`')?.strip_suffix('`').map(String::from))
        .collect();
    assert_eq!(rows, ids());
}
