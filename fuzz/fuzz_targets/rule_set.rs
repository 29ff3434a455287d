//! Any bytes as a file of risk rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| risk::fuzzing::rule_set(data));
