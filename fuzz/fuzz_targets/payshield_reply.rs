//! Any bytes as the reply of a payShield: to every command, and as a stream of frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hsm::payshield::fuzzing::reply(data));
