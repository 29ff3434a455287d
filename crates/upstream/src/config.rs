//! What an operator sets about other issuers: routes, and the lines of each.

use std::net::SocketAddr;

use model::PinBlockFormat;
use serde::{Deserialize, Serialize};

/// One route: the cards of an issuer, or of a network behind which issuers are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Its name, in journals, metrics and the console.
    pub name: String,
    /// Beginnings of card numbers: `"9555"`, or ranges of equal length, `"960000-969999"`. The longest that fits wins.
    pub bins: Vec<String>,
    /// Dialect by name; one of the 1987 edition.
    pub dialect: String,
    /// `len2` or `len4a`.
    pub framing: String,
    /// Our institution code on this route (DE 32); the host's unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquirer: Option<String>,
    /// Forwarding institution (DE 33), where the other side wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder: Option<String>,
    /// Zone PIN key (usage P0), a key block under our master key.
    pub zone_pin_key: String,
    /// The format in which the other side wants PIN blocks.
    #[serde(default = "usual_format")]
    pub pin_format: PinBlockFormat,
    /// Zone MAC key, a key block; without it messages carry no MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_mac_key: Option<String>,
    /// Algorithm of the MAC.
    #[serde(default = "usual_mac")]
    pub mac: String,
    /// How long the issuer may take, in milliseconds. Nested below the terminal's time-out.
    #[serde(default = "answer_ms")]
    pub answer_ms: u64,
    /// For how long an answer that comes after that is still known, in milliseconds.
    #[serde(default = "late_ms")]
    pub late_ms: u64,
    /// A line on which nothing was said for so long is asked for an echo, in milliseconds.
    #[serde(default = "echo_ms")]
    pub echo_ms: u64,
    /// How long sign-on and echo may take, in milliseconds; a line that is silent for longer is opened anew.
    #[serde(default = "network_ms")]
    pub network_ms: u64,
    /// How long a connection may take to open, in milliseconds.
    #[serde(default = "connect_ms")]
    pub connect_ms: u64,
    /// First pause before a line is opened again, in milliseconds; doubles up to `reconnect_most_ms`.
    #[serde(default = "reconnect_ms")]
    pub reconnect_ms: u64,
    /// Longest such pause, in milliseconds.
    #[serde(default = "reconnect_most_ms")]
    pub reconnect_most_ms: u64,
    /// Questions in a row that a line may leave unanswered before it is asked for an echo at once.
    #[serde(default = "unanswered")]
    pub unanswered: u32,
    /// Questions under way on the route; one more is refused.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// Its lines.
    pub line: Vec<LineConfig>,
}

impl RouteConfig {
    /// A route with everything at its default that has one.
    #[must_use]
    pub fn new(name: &str, bins: &[&str], dialect: &str, framing: &str, zone_pin_key: String) -> Self {
        Self {
            name: name.to_owned(),
            bins: bins.iter().map(|bin| (*bin).to_owned()).collect(),
            dialect: dialect.to_owned(),
            framing: framing.to_owned(),
            acquirer: None,
            forwarder: None,
            zone_pin_key,
            pin_format: usual_format(),
            zone_mac_key: None,
            mac: usual_mac(),
            answer_ms: answer_ms(),
            late_ms: late_ms(),
            echo_ms: echo_ms(),
            network_ms: network_ms(),
            connect_ms: connect_ms(),
            reconnect_ms: reconnect_ms(),
            reconnect_most_ms: reconnect_most_ms(),
            unanswered: unanswered(),
            in_flight: in_flight(),
            line: Vec::new(),
        }
    }
}

/// One line of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// Where the other side listens.
    pub address: SocketAddr,
    /// Lines of the smallest number are used first, in turn; the others when none of those is up.
    #[serde(default)]
    pub priority: u8,
}

fn usual_format() -> PinBlockFormat {
    PinBlockFormat::Iso0
}

fn usual_mac() -> String {
    "x919".to_owned()
}

fn answer_ms() -> u64 {
    20_000
}

fn late_ms() -> u64 {
    600_000
}

fn echo_ms() -> u64 {
    60_000
}

fn network_ms() -> u64 {
    10_000
}

fn connect_ms() -> u64 {
    5_000
}

fn reconnect_ms() -> u64 {
    500
}

fn reconnect_most_ms() -> u64 {
    30_000
}

fn unanswered() -> u32 {
    5
}

fn in_flight() -> usize {
    10_000
}
