//! Any bytes as BER-TLV data objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| journal_log::fuzzing::segment(data));
