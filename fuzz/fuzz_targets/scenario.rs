//! A small mesh in the simulator, with faults. See [`firelink_fuzz::scenario`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::scenario::run(bytes));
