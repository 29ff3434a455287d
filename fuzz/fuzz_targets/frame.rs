//! Any bytes as a frame, in every framing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iso8583::fuzzing::frame(data));
