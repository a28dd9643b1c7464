//! Any text as a configuration. See [`firelink_fuzz::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::config::run(bytes));
