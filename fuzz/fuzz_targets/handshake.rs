//! Handshakes and sessions in the hands of the network. See [`firelink_fuzz::handshake`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::handshake::run(bytes));
