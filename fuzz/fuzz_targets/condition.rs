//! Any bytes as the condition of a risk rule.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| risk::fuzzing::condition(data));
