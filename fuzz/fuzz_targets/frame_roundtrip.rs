//! Arbitrary headers through the wire and back. See [`firelink_fuzz::frame`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::frame::roundtrip(bytes));
