//! Any bytes as what a terminal reports about itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(report) = host::telemetry::read(data) {
        let names = [report.model, report.firmware, report.application, report.carrier];
        assert!(names.into_iter().flatten().all(|name| (1..=40).contains(&name.len())));
    }
});
