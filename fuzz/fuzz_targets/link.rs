//! Links between two nodes, and with peers that break the rules. See [`firelink_fuzz::link`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::link::run(bytes));
