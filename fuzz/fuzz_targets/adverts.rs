//! A router among neighbours that say anything. See [`firelink_fuzz::adverts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::adverts::run(bytes));
