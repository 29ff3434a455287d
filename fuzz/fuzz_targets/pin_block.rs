//! Any bytes as a PIN block: every format, format 4 and the SM4 layouts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paycrypto::fuzzing::pin_block(data));
