//! Any bytes as a key block, and as the parts of one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paycrypto::fuzzing::key_block(data));
