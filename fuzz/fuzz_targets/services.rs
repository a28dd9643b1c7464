//! Calls and topics among nodes that say anything. See [`firelink_fuzz::services`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firelink_fuzz::services::run(bytes));
