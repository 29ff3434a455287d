//! What a site says about its payShields. Keys are written as the device's commands write them: under its LMK, so that
//! they are of use to nobody else.

use std::{collections::BTreeMap, fmt, time::Duration};

use hsm::payshield::{Form, Framing, HsmKey, Ibm3624Rule, Settings};
use model::KeyBlock;
use serde::{Deserialize, Serialize};

/// The most devices, and the most connections to one: a payShield takes 64 sockets, and others use it too.
const MOST_DEVICES: usize = 16;
const MOST_CONNECTIONS: usize = 32;
/// No PIN takes longer than a minute, and no breaker stays open and no connection idle longer than ten.
const LONGEST_WAIT_MS: u64 = 60_000;
const LONGEST_OPEN_MS: u64 = 600_000;

/// A key under the LMK. Prints as its beginning alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyText(pub String);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}…)", self.0.get(..10).unwrap_or("?"))
    }
}

impl KeyText {
    fn block(&self) -> KeyBlock {
        KeyBlock::new(self.0.clone())
    }
}

/// Devices and how they are used.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// `host:port` of each device.
    pub addresses: Vec<String>,
    /// Characters of the message header, as set at the device.
    pub header_length: u8,
    /// Connections to each device.
    pub connections: usize,
    /// Commands under way on one connection.
    pub in_flight: usize,
    /// Commands that wait for one connection; more are refused.
    pub queue: usize,
    /// How long one command may take, waiting included.
    pub timeout_ms: u64,
    /// How long a verb may take, a second try and several commands included.
    pub deadline_ms: u64,
    /// After how long without a command a connection is tried with NC.
    pub idle_ms: u64,
    /// Failures in a row after which a device is left alone.
    pub breaker_failures: u32,
    /// For how long.
    pub breaker_open_ms: u64,
    /// The LMK's number, for devices with several.
    pub lmk: Option<u8>,
    /// The LMK's check value as NC tells it: a device with another one is not used. If it is not given, the first device
    /// that is reached decides.
    pub lmk_check_value: Option<String>,
    /// Take keys that are no key blocks.
    pub allow_variant_keys: bool,
    /// PVV keys by name.
    pub pvv: BTreeMap<String, KeyText>,
    /// IBM 3624 rules by name.
    pub ibm3624: BTreeMap<String, Ibm3624Config>,
    /// A zone PIN key of our own, for PIN changes under DUKPT.
    pub transfer_key: Option<KeyText>,
}

/// An issuer's IBM 3624 rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ibm3624Config {
    /// PIN verification key, single length.
    pub key: KeyText,
    /// Decimalisation table: 16 digits, or 16 hexadecimal digits under the LMK.
    pub table: String,
    /// Validation data with `N` for the last five digits of the account number.
    pub validation: String,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            header_length: 4,
            connections: 4,
            in_flight: 16,
            queue: 64,
            timeout_ms: 2_000,
            deadline_ms: 4_500,
            idle_ms: 30_000,
            breaker_failures: 5,
            breaker_open_ms: 1_000,
            lmk: None,
            lmk_check_value: None,
            allow_variant_keys: false,
            pvv: BTreeMap::new(),
            ibm3624: BTreeMap::new(),
            transfer_key: None,
        }
    }
}

impl PoolConfig {
    /// Everything that is wrong, one sentence each; empty if it can be used.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut problems = self.check_limits();
        let settings = self.settings();
        let mut key = |what: String, key: &KeyText, usages: &[[u8; 2]]| match settings
            .check_key(HsmKey::parse(&key.0))
        {
            Err(why) => problems.push(format!("{what}: {why}")),
            Ok(read) => {
                if let Form::Block(header) = read.form()
                    && !usages.contains(&header.usage)
                {
                    problems.push(format!("{what}: the key block has another usage"));
                }
            }
        };
        for (name, text) in &self.pvv {
            key(format!("pvv.{name}"), text, &[*b"V0", *b"V2"]);
        }
        for (name, rule) in &self.ibm3624 {
            key(format!("ibm3624.{name}.key"), &rule.key, &[*b"V0", *b"V1"]);
        }
        if let Some(text) = &self.transfer_key {
            key("transfer_key".to_owned(), text, &[*b"P0", *b"72"]);
        }
        for (name, rule) in &settings.ibm3624 {
            problems.extend(rule.problems().into_iter().map(|problem| format!("ibm3624.{name}: {problem}")));
        }
        problems
    }

    fn check_limits(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut range = |name: &str, value: u64, from: u64, to: u64| {
            if !(from..=to).contains(&value) {
                problems.push(format!("{name} is {value}: expected {from} to {to}"));
            }
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        range("header_length", u64::from(self.header_length), 1, 255);
        range("connections", count(self.connections), 1, count(MOST_CONNECTIONS));
        range("in_flight", count(self.in_flight), 1, count(hsm::payshield::session::MAX_IN_FLIGHT));
        range("queue", count(self.queue), 1, 4096);
        range("timeout_ms", self.timeout_ms, 50, LONGEST_WAIT_MS);
        range("deadline_ms", self.deadline_ms, self.timeout_ms, LONGEST_WAIT_MS);
        range("idle_ms", self.idle_ms, 100, LONGEST_OPEN_MS);
        range("breaker_failures", u64::from(self.breaker_failures), 1, 1000);
        range("breaker_open_ms", self.breaker_open_ms, 10, LONGEST_OPEN_MS);
        range("the number of addresses", count(self.addresses.len()), 1, count(MOST_DEVICES));
        range("lmk", u64::from(self.lmk.unwrap_or(0)), 0, 99);
        for (place, address) in self.addresses.iter().enumerate() {
            let port = address.rsplit_once(':').and_then(|(host, port)| {
                (!host.is_empty()).then_some(port.parse::<u16>().ok().filter(|port| *port > 0)).flatten()
            });
            if port.is_none() {
                problems.push(format!("address {address:?}: expected host:port"));
            }
            if self.addresses[..place].contains(address) {
                problems.push(format!("address {address:?} stands there twice"));
            }
        }
        if let Some(value) = &self.lmk_check_value
            && (value.len() != 16 || !value.bytes().all(|c| c.is_ascii_hexdigit()))
        {
            problems.push("lmk_check_value has not 16 hexadecimal digits".to_owned());
        }
        problems
    }

    /// What the commands need to know.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let pvv = self.pvv.iter().map(|(name, key)| (name.clone(), key.block())).collect();
        let ibm3624 = self.ibm3624.iter().map(|(name, rule)| {
            let rule = Ibm3624Rule {
                key: rule.key.block(),
                table: rule.table.clone(),
                validation: rule.validation.clone(),
            };
            (name.clone(), rule)
        });
        Settings {
            lmk: self.lmk,
            allow_variant_keys: self.allow_variant_keys,
            pvv,
            ibm3624: ibm3624.collect(),
            transfer_key: self.transfer_key.as_ref().map(KeyText::block),
        }
    }

    pub(crate) fn framing(&self) -> Framing {
        Framing::new(self.header_length).unwrap_or(Framing::USUAL)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<PoolConfig, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_need_an_address_only() {
        assert_eq!(config("addresses = [\"127.0.0.1:1500\"]").unwrap().check(), Vec::<String>::new());
        assert_eq!(PoolConfig::default().check(), ["the number of addresses is 0: expected 1 to 16"]);
        assert!(config("adresses = []").unwrap_err().contains("unknown field"));
    }

    #[test]
    fn every_problem_is_told() {
        let problems = config(
            r#"
            addresses = ["a:1500", "a:1500", "nowhere"]
            header_length = 0
            deadline_ms = 1
            lmk_check_value = "12"
            [pvv]
            bank = "U0123456789ABCDEF0123456789ABCDEF"
            [ibm3624.bank]
            key = "S00072K0TB00E0001DB045F29C053EEFF7B9425B3A88C7258EB7EA7E40E2C47878647072A"
            table = "0000000000000000"
            validation = "123456789012"
            "#,
        )
        .unwrap()
        .check();
        for expected in [
            "header_length is 0",
            "deadline_ms is 1",
            "\"a:1500\" stands there twice",
            "\"nowhere\": expected host:port",
            "lmk_check_value",
            "pvv.bank: a variant key",
            "ibm3624.bank.key: the key block has another usage",
            "ibm3624.bank: the decimalisation table",
            "ibm3624.bank: the validation data",
            "ibm3624.bank: the key is not of single length",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
        }
        assert_eq!(problems.len(), 10, "{problems:#?}");
    }

    #[test]
    fn keys_do_not_print() {
        let text =
            KeyText("S00072K0TB00E0001DB045F29C053EEFF7B9425B3A88C7258EB7EA7E40E2C47878647072A".to_owned());
        assert_eq!(format!("{text:?}"), "KeyText(S00072K0TB…)");
    }
}
