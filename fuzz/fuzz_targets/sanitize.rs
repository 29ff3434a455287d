//! Any bytes, made fit for storage.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iso8583::fuzzing::sanitize(data));
