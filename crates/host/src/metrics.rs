//! What is counted. Labels are bounded: never a card, never a terminal.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use model::ReasonCode;

/// Says what each metric means; call once.
pub fn describe() {
    describe_counter!("pinward_auth_total", "Answers by message type, response code and reason");
    describe_histogram!(
        "pinward_auth_seconds",
        metrics::Unit::Seconds,
        "From a frame's arrival to its durable answer"
    );
    describe_histogram!(
        "pinward_hsm_seconds",
        metrics::Unit::Seconds,
        "One PIN verification by the security module"
    );
    describe_counter!("pinward_pin_tries_exhausted_total", "Cards locked by their last wrong PIN");
    describe_counter!("pinward_frames_refused_total", "Connections closed for a frame that cannot be right");
    describe_counter!("pinward_repeats_total", "Requests answered with their stored answer");
    describe_counter!(
        "pinward_refusals_unjournalled_total",
        "Refusals answered but not journalled: over the limit"
    );
    describe_gauge!("pinward_connections", "Open connections");
    describe_counter!("pinward_edge_refused_total", "Refused, closed or held back at the edge, by cause");
    describe_counter!("pinward_tls_handshakes_total", "TLS handshakes by outcome");
    describe_histogram!(
        "pinward_tls_handshake_seconds",
        metrics::Unit::Seconds,
        "One TLS handshake, failed ones included"
    );
    describe_gauge!(
        "pinward_tls_certificate_seconds_left",
        metrics::Unit::Seconds,
        "Until a listener's certificate chain expires; negative: it has"
    );
    describe_counter!("pinward_tls_reloads_total", "Certificate files read again, by outcome");
}

pub(crate) fn answered(mti: &str, code: &str, reason: ReasonCode, took: Duration) {
    counter!("pinward_auth_total", "mti" => mti.to_owned(), "rc" => code.to_owned(), "reason" => reason.name())
        .increment(1);
    histogram!("pinward_auth_seconds").record(took.as_secs_f64());
    if reason == ReasonCode::PinTriesExceeded {
        counter!("pinward_pin_tries_exhausted_total").increment(1);
    }
}

pub(crate) fn pin_verified(took: Duration) {
    histogram!("pinward_hsm_seconds").record(took.as_secs_f64());
}

pub(crate) fn repeated() {
    counter!("pinward_repeats_total").increment(1);
}

pub(crate) fn frame_refused() {
    counter!("pinward_frames_refused_total").increment(1);
}

pub(crate) fn refusal_not_journalled() {
    counter!("pinward_refusals_unjournalled_total").increment(1);
}

pub(crate) fn connections(change: f64) {
    gauge!("pinward_connections").increment(change);
}

pub(crate) fn handshake(done: bool, took: Duration) {
    counter!("pinward_tls_handshakes_total", "outcome" => outcome(done)).increment(1);
    histogram!("pinward_tls_handshake_seconds").record(took.as_secs_f64());
}

pub(crate) fn certificates_read(used: bool) {
    counter!("pinward_tls_reloads_total", "outcome" => outcome(used)).increment(1);
}

pub(crate) fn certificate_seconds_left(listener: std::net::SocketAddr, seconds: i64) {
    gauge!("pinward_tls_certificate_seconds_left", "listener" => listener.to_string()).set(seconds as f64);
}

fn outcome(good: bool) -> &'static str {
    if good { "done" } else { "failed" }
}
