//! What an operator sets. Every limit has a name, a unit and a default.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One port: who speaks what there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Dialect by name, or the path of a `.toml` file of your own.
    pub dialect: String,
    /// `none`, `len2`, `len2+tpdu+header`, `tpdu+header` or `len4a`.
    pub framing: String,
    /// `cup-ecb-8`, `cup-ecb-16` or `x919`.
    pub mac: String,
    /// Network profile: `unionpay`, `iso87` or `iso93`. Default: by dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Settings of the host as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Sandbox mode: test keys, test levers, loopback only.
    pub sandbox: bool,
    /// Time zone of DE 12, 13 and 15, as in the IANA database.
    pub time_zone: String,
    /// Our institution code (DE 32 of answers), 8 digits.
    pub acquirer: String,
    /// How long keys from before a sign-in are still accepted, in milliseconds.
    pub key_grace_ms: u32,
    /// How long the security module may take for one verb, in milliseconds. Nested below the terminal's time-out.
    pub module_timeout_ms: u64,
    /// Sandbox lever `.68`: how late the answer comes, in milliseconds.
    pub sandbox_late_reply_ms: u64,
    /// Limits.
    pub limits: Limits,
}

/// Limits. A full queue pushes back; nothing grows without end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest frame, in bytes, without its length prefix.
    pub frame_bytes: usize,
    /// Connections per listener.
    pub connections: usize,
    /// Requests under way per connection; further frames wait unread.
    pub in_flight_per_connection: usize,
    /// A connection without a frame for so long is closed, in milliseconds.
    pub idle_ms: u64,
    /// A frame that was begun must be complete within this time, in milliseconds.
    pub frame_ms: u64,
    /// An answer must be taken by the peer within this time, in milliseconds.
    pub write_ms: u64,
    /// Refusals (MAC, format, batch …) that one terminal may write into the journal per minute; more are answered and
    /// counted, not journalled: they decide nothing.
    pub refusals_per_minute: u32,
    /// How long a shutdown waits for what is under way, in milliseconds.
    pub shutdown_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sandbox: false,
            time_zone: "Asia/Shanghai".to_owned(),
            acquirer: "01020000".to_owned(),
            key_grace_ms: 60_000,
            module_timeout_ms: 5_000,
            sandbox_late_reply_ms: 65_000,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 8192,
            connections: 10_000,
            in_flight_per_connection: 64,
            idle_ms: 600_000,
            frame_ms: 10_000,
            write_ms: 10_000,
            refusals_per_minute: 120,
            shutdown_ms: 10_000,
        }
    }
}
