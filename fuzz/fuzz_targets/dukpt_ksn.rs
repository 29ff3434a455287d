//! Any bytes as a key serial number of either DUKPT.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paycrypto::fuzzing::dukpt_ksn(data));
