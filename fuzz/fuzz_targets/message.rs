//! Any bytes as a message, in every built-in dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iso8583::fuzzing::message(data));
