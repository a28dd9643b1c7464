//! Arbitrary bytes as a frame. See [`firelink_fuzz::frame`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::frame::decode(bytes));
