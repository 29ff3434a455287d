//! What an operator sets. Every limit has a name, a unit and a default.

use std::{net::SocketAddr, path::PathBuf};

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
    /// TLS on this port; without it everything but PINs is in clear on the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Limits that are other here than [`Settings::limits`].
    #[serde(default, skip_serializing_if = "ListenerLimits::is_empty")]
    pub limits: ListenerLimits,
}

/// TLS 1.2 and 1.3 on a port (RFC 5246, RFC 8446), with or without certificates of the terminals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file: the host's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// PEM file: its private key (PKCS#8, PKCS#1 or SEC1), readable by its owner (and group) only.
    pub key: PathBuf,
    /// PEM file: who may have signed the terminals' certificates. With it, TLS is mutual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// PEM file: certificates of terminals that were revoked (RFC 5280 §5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_crl: Option<PathBuf>,
    /// Must a terminal have a certificate? Only together with `client_ca`; required unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
    /// May a terminal speak only in the name that its certificate gives it (`terminal:NNNNNNNN`)?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bind_terminal: bool,
}

/// Must a terminal have a certificate?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// No certificate, no connection.
    #[default]
    Required,
    /// One that is shown must be right; without one a terminal is served as on a port without `client_ca`. For the
    /// time in which certificates are handed out.
    Optional,
}

/// What a listener may limit otherwise than the host as a whole; the names are those of [`Limits`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerLimits {
    /// See [`Limits::frame_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_bytes: Option<usize>,
    /// See [`Limits::connections`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// See [`Limits::connections_per_source`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_per_source: Option<usize>,
    /// See [`Limits::handshakes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<usize>,
    /// See [`Limits::handshakes_per_source`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshakes_per_source: Option<usize>,
    /// See [`Limits::handshake_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_ms: Option<u64>,
    /// See [`Limits::in_flight_per_connection`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight_per_connection: Option<usize>,
    /// See [`Limits::frames_per_second`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<u32>,
    /// See [`Limits::frames_per_second_per_source`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second_per_source: Option<u32>,
    /// See [`Limits::reply_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_bytes: Option<usize>,
    /// See [`Limits::idle_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// See [`Limits::frame_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_ms: Option<u64>,
    /// See [`Limits::write_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_ms: Option<u64>,
}

impl ListenerLimits {
    /// Does it limit nothing otherwise?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The host's limits with this listener's own in their place.
    #[must_use]
    pub fn over(&self, host: &Limits) -> Limits {
        let mut limits = host.clone();
        macro_rules! own {
            ($($name:ident),*) => { $( if let Some(value) = self.$name { limits.$name = value; } )* };
        }
        own!(
            frame_bytes,
            connections,
            connections_per_source,
            handshakes,
            handshakes_per_source,
            handshake_ms
        );
        own!(in_flight_per_connection, frames_per_second, frames_per_second_per_source, reply_bytes);
        own!(idle_ms, frame_ms, write_ms);
        limits
    }
}

/// Settings of the host as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Sandbox mode: test keys, test levers, loopback only.
    pub sandbox: bool,
    /// Name of this host among several on one store, as the journal shows it; without one they are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Time zone of DE 12, 13 and 15, as in the IANA database.
    pub time_zone: String,
    /// Our institution code (DE 32 of answers), 8 digits.
    pub acquirer: String,
    /// How long keys from before a sign-in are still accepted, in milliseconds.
    pub key_grace_ms: u32,
    /// How long the security module may take for one verb, in milliseconds. Nested below the terminal's time-out.
    pub module_timeout_ms: u64,
    /// How often certificate files are looked at for changes, in milliseconds.
    pub certificate_check_ms: u64,
    /// Sandbox lever `.68`: how late the answer comes, in milliseconds.
    pub sandbox_late_reply_ms: u64,
    /// How long terminals wait for us, in milliseconds: what is asked of others must be answered well before.
    pub terminal_timeout_ms: u64,
    /// Cards of other issuers.
    pub upstream: UpstreamSettings,
    /// Limits.
    pub limits: Limits,
}

/// How reversals are brought to other issuers. The issuers themselves are `[[route]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamSettings {
    /// First pause before a reversal is sent again, in milliseconds; doubles up to `undo_retry_most_ms`.
    pub undo_retry_ms: u64,
    /// Longest such pause, in milliseconds.
    pub undo_retry_most_ms: u64,
    /// A reversal that another host queued is taken over when it is so old, in milliseconds.
    pub undo_adopt_ms: u64,
    /// How often the store is asked for what nobody works on, in milliseconds.
    pub sweep_ms: u64,
    /// So long after an issuer's time a question without an outcome is given up, in milliseconds: its host has died.
    pub slack_ms: u64,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            undo_retry_ms: 1_000,
            undo_retry_most_ms: 60_000,
            undo_adopt_ms: 300_000,
            sweep_ms: 5_000,
            slack_ms: 10_000,
        }
    }
}

/// Limits. A full queue pushes back; nothing grows without end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest frame, in bytes, without its length prefix.
    pub frame_bytes: usize,
    /// Connections per listener; one more is closed at once.
    pub connections: usize,
    /// Connections per listener from one source address (IPv6: from one /64); one more is closed at once.
    pub connections_per_source: usize,
    /// TLS handshakes under way per listener; one more connection is closed at once.
    pub handshakes: usize,
    /// TLS handshakes under way per listener with one source address.
    pub handshakes_per_source: usize,
    /// A TLS handshake must be done within this time, in milliseconds.
    pub handshake_ms: u64,
    /// Requests under way per connection; further frames wait unread.
    pub in_flight_per_connection: usize,
    /// Frames per second from one connection, as many at once after a pause; more wait unread. 0: no limit.
    pub frames_per_second: u32,
    /// Frames per second from one source address over all its connections to a listener; more wait unread. 0, the
    /// default: no limit, because a concentrator has thousands of terminals behind one address.
    pub frames_per_second_per_source: u32,
    /// Answers that a peer may leave untaken, in bytes; with more it is closed.
    pub reply_bytes: usize,
    /// A connection without a frame for so long is closed, in milliseconds.
    pub idle_ms: u64,
    /// A frame that was begun must be complete within this time, in milliseconds.
    pub frame_ms: u64,
    /// An answer must be taken by the peer within this time, in milliseconds.
    pub write_ms: u64,
    /// Refusals (MAC, format, batch …) that one terminal may write into the journal per minute; more are answered and
    /// counted, not journalled: they decide nothing.
    pub refusals_per_minute: u32,
    /// Messages per second in the name of one terminal, five seconds' worth at once after a pause; more are answered
    /// that the host is busy. 0: no limit. Unless set: 100, in a sandbox no limit, because its few terminals carry
    /// whole load runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_requests_per_second: Option<u32>,
    /// Payments with a PIN per minute for one card number, whether or not there is such a card, over all terminals of
    /// this host; more are answered that the host is busy, before anybody looks at card or PIN. 0: no limit. Unless
    /// set: 60, in a sandbox no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_attempts_per_minute: Option<u32>,
    /// How long a shutdown waits for what is under way, in milliseconds.
    pub shutdown_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sandbox: false,
            instance: None,
            time_zone: "Asia/Shanghai".to_owned(),
            acquirer: "01020000".to_owned(),
            key_grace_ms: 60_000,
            module_timeout_ms: 5_000,
            certificate_check_ms: 30_000,
            sandbox_late_reply_ms: 65_000,
            terminal_timeout_ms: 60_000,
            upstream: UpstreamSettings::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 8192,
            connections: 10_000,
            connections_per_source: 2_000,
            handshakes: 512,
            handshakes_per_source: 64,
            handshake_ms: 5_000,
            in_flight_per_connection: 64,
            frames_per_second: 10_000,
            frames_per_second_per_source: 0,
            reply_bytes: 262_144,
            idle_ms: 600_000,
            frame_ms: 10_000,
            write_ms: 10_000,
            refusals_per_minute: 120,
            terminal_requests_per_second: None,
            card_attempts_per_minute: None,
            shutdown_ms: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_limits_otherwise_what_it_names() {
        let text = r#"
            address = "127.0.0.1:0"
            dialect = "cup-pos"
            framing = "len2+tpdu+header"
            mac = "cup-ecb-8"
            tls = { certificate = "a.pem", key = "b.pem", client_ca = "c.pem", client = "optional", bind_terminal = true }
            limits = { connections = 7, frame_ms = 9 }
        "#;
        let config: ListenerConfig = toml::from_str(text).unwrap();
        let tls = config.tls.as_ref().unwrap();
        assert_eq!((tls.client, tls.bind_terminal), (Some(ClientCertificate::Optional), true));
        let host = Limits { idle_ms: 5, ..Limits::default() };
        let expected = Limits { connections: 7, frame_ms: 9, ..host.clone() };
        assert_eq!(config.limits.over(&host), expected);
        assert_eq!(toml::from_str::<ListenerConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn every_limit_of_a_listener_is_carried_over() {
        let all = ListenerLimits {
            frame_bytes: Some(1),
            connections: Some(2),
            connections_per_source: Some(3),
            handshakes: Some(4),
            handshakes_per_source: Some(5),
            handshake_ms: Some(6),
            in_flight_per_connection: Some(7),
            frames_per_second: Some(8),
            frames_per_second_per_source: Some(9),
            reply_bytes: Some(10),
            idle_ms: Some(11),
            frame_ms: Some(12),
            write_ms: Some(13),
        };
        let limits = all.over(&Limits::default());
        let numbers = toml::Table::try_from(&limits).unwrap();
        let own = toml::Table::try_from(&all).unwrap();
        for (name, value) in &own {
            assert_eq!(numbers.get(name), Some(value), "{name}");
        }
        assert_eq!(own.len(), 13);
    }
}
