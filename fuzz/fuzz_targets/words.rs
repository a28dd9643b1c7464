//! Words of calls, topics and offers, as bytes and as values. See [`firelink_fuzz::words`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::words::run(bytes));
