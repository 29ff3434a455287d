//! What is counted about routes. Labels are bounded: the names of routes, never a card.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Says what each metric means; call once.
pub fn describe() {
    describe_counter!("pinward_upstream_asked_total", "Questions to issuers, by route and outcome");
    describe_counter!("pinward_upstream_undo_total", "Reversals sent to issuers, by route and outcome");
    describe_histogram!(
        "pinward_upstream_seconds",
        metrics::Unit::Seconds,
        "From a question to its issuer's answer, by route"
    );
    describe_gauge!("pinward_upstream_lines_up", "Lines that are signed on, by route");
    describe_counter!(
        "pinward_upstream_late_total",
        "Answers that came when nobody waited any more, by route"
    );
    describe_counter!("pinward_upstream_unmatched_total", "Answers to no question of ours, by route");
    describe_counter!("pinward_upstream_mac_invalid_total", "Messages of issuers with a wrong MAC, by route");
    describe_gauge!("pinward_upstream_undo_waiting", "Reversals that issuers have not acknowledged yet");
}

pub(crate) fn asked(route: &str, outcome: &'static str, took: Duration) {
    counter!("pinward_upstream_asked_total", "route" => route.to_owned(), "outcome" => outcome).increment(1);
    if outcome == "answered" {
        histogram!("pinward_upstream_seconds", "route" => route.to_owned()).record(took.as_secs_f64());
    }
}

pub(crate) fn undone(route: &str, outcome: &'static str) {
    counter!("pinward_upstream_undo_total", "route" => route.to_owned(), "outcome" => outcome).increment(1);
}

pub(crate) fn line_up(route: &str, change: f64) {
    gauge!("pinward_upstream_lines_up", "route" => route.to_owned()).increment(change);
}

pub(crate) fn late(route: &str) {
    counter!("pinward_upstream_late_total", "route" => route.to_owned()).increment(1);
}

pub(crate) fn unmatched(route: &str) {
    counter!("pinward_upstream_unmatched_total", "route" => route.to_owned()).increment(1);
}

pub(crate) fn mac_invalid(route: &str) {
    counter!("pinward_upstream_mac_invalid_total", "route" => route.to_owned()).increment(1);
}

/// How many reversals wait for their acknowledgement.
pub fn undo_waiting(count: usize) {
    gauge!("pinward_upstream_undo_waiting").set(count as f64);
}
