//! Structured logs to standard error, one JSON object per line. Nothing that must not be logged has a way in: PAN, PIN
//! and key types print masked, message bytes are never an argument.

use tracing_subscriber::EnvFilter;

/// Starts logging; `PINWARD_LOG` sets the filter (default `info`).
pub(crate) fn start(default: &str) {
    let filter = EnvFilter::try_from_env("PINWARD_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // A second start (in tests) keeps the first.
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
