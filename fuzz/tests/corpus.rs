//! Replays the committed corpora without libFuzzer, on any toolchain.

use std::{fs, path::PathBuf};

use firelink_fuzz::TARGETS;

/// Most files of one corpus: it is replayed at every smoke.
const FILES_MAX: usize = 256;

/// The folder of a corpus.
fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect()
}

/// The names in a folder, sorted.
fn names(folder: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn every_input_of_every_corpus_holds() {
    for (target, run) in TARGETS {
        let inputs = names(folder(target));
        assert!(!inputs.is_empty(), "{target} has no corpus");
        assert!(inputs.len() <= FILES_MAX, "{target} has {} inputs: minimise them", inputs.len());
        for input in inputs {
            // Shown if the run panics.
            println!("{target}/{input}");
            run(&fs::read(folder(target).join(input)).unwrap());
        }
    }
}

#[test]
fn every_target_is_on_the_list() {
    let mut listed: Vec<String> = TARGETS.iter().map(|(name, _)| format!("{name}.rs")).collect();
    listed.sort();
    assert_eq!(names(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets")), listed);
}

#[test]
fn every_target_takes_nothing_and_noise() {
    let noise: Vec<u8> = (0..1_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (_, run) in TARGETS {
        run(&[]);
        run(&noise);
    }
}
