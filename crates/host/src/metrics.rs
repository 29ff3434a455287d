//! What is counted. Labels are bounded: never a card, never a terminal.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use iso8583::Mti;
use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use model::{ReasonCode, ResponseCode};

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
    describe_counter!(
        "pinward_collisions_total",
        "Payments decided once more because another decision about the card came first"
    );
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
    describe_counter!(
        "pinward_telemetry_unreadable_total",
        "Elements of terminals' reports that made no sense"
    );
    describe_counter!(
        "pinward_signals_lost_total",
        "Signals that the diagnosis missed: more than its queue holds"
    );
    upstream::metrics::describe();
}

/// What is counted with every payment, looked up once.
pub(crate) struct PerMessage {
    answered: Mutex<HashMap<Answered, Counter>>,
    seconds: Histogram,
    module_seconds: Histogram,
    tries_exhausted: Counter,
}

/// The labels of an answer: each is one of a few dozens.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Answered {
    mti: Mti,
    code: ResponseCode,
    reason: ReasonCode,
}

impl PerMessage {
    pub(crate) fn new() -> Self {
        Self {
            answered: Mutex::default(),
            seconds: histogram!("pinward_auth_seconds"),
            module_seconds: histogram!("pinward_hsm_seconds"),
            tries_exhausted: counter!("pinward_pin_tries_exhausted_total"),
        }
    }

    pub(crate) fn answered(&self, mti: Mti, code: ResponseCode, reason: ReasonCode, took: Duration) {
        let labels = Answered { mti, code, reason };
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.entry(labels).or_insert_with(|| labels.counter()).increment(1);
        drop(answered);
        self.seconds.record(took.as_secs_f64());
        if reason == ReasonCode::PinTriesExceeded {
            self.tries_exhausted.increment(1);
        }
    }

    pub(crate) fn pin_verified(&self, took: Duration) {
        self.module_seconds.record(took.as_secs_f64());
    }
}

impl Answered {
    fn counter(&self) -> Counter {
        let code = self.code.as_str().to_owned();
        counter!("pinward_auth_total", "mti" => self.mti.to_string(), "rc" => code, "reason" => self.reason.name())
    }
}

pub(crate) fn collided() {
    counter!("pinward_collisions_total").increment(1);
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

pub(crate) fn answer_withheld() {
    counter!("pinward_answers_withheld_total").increment(1);
}

pub(crate) fn signal_lost() {
    counter!("pinward_signals_lost_total").increment(1);
}

pub(crate) fn telemetry_unreadable(elements: u64) {
    counter!("pinward_telemetry_unreadable_total").increment(elements);
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
