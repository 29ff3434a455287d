//! What an operator sets: one TOML file, overridden by `PINWARD__SECTION__KEY`. Unknown keys are errors; all problems
//! are reported at once; secrets are files, never values.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use authorization::Products;
use serde::{Deserialize, Serialize};

use crate::{command::Usage, module::ModuleConfig, storage::Database, store_url::StoreUrl};

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Data directory: keys, and journal and registers unless they are in a database.
    pub(crate) data: PathBuf,
    /// The database of journal and registers; without it they are files in `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<StoreUrl>,
    /// A file with the database's password, so that it need not stand in `store`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store_password_file: Option<PathBuf>,
    /// Card products and their ladders; without it the built-in ones apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) products: Option<PathBuf>,
    /// Rules for the passwords of shops' own people; without it the built-in ones apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operator_rules: Option<PathBuf>,
    /// How the database is used.
    #[serde(default, skip_serializing_if = "Database::is_default")]
    pub(crate) database: Database,
    /// The console and the REST API.
    #[serde(default)]
    pub(crate) console: Console,
    /// Who is told when something happens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) alarms: alarm::Settings,
    /// Short messages to cardholders.
    #[serde(default, skip_serializing_if = "is_default_sms")]
    pub(crate) sms: sms::Settings,
    /// The host as a whole.
    #[serde(default)]
    pub(crate) host: host::Settings,
    /// The security module.
    #[serde(default)]
    pub(crate) module: ModuleConfig,
    /// Ports.
    #[serde(default)]
    pub(crate) listener: Vec<host::ListenerConfig>,
    /// The diagnosis of refusals.
    #[serde(default)]
    pub(crate) diagnosis: watch::Settings,
    /// Other issuers, whose cards are forwarded to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) route: Vec<host::RouteConfig>,
}

fn is_default(settings: &alarm::Settings) -> bool {
    *settings == alarm::Settings::default()
}

fn is_default_sms(settings: &sms::Settings) -> bool {
    *settings == sms::Settings::default()
}

/// The console's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Console {
    /// Where it listens; beyond this machine only with TLS and staff accounts.
    pub(crate) address: SocketAddr,
    /// TLS. Without it the console listens on this machine only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<ConsoleTls>,
    /// The names under which browsers and programs ask for it, without port; those of this machine need not be named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    /// Sign-in by a provider of identities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oidc: Option<oidc::Settings>,
}

/// Certificate and key of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsoleTls {
    /// PEM file: the certificate, then those between it and the root.
    pub(crate) certificate: PathBuf,
    /// PEM file: its private key, readable by its owner (and group) only.
    pub(crate) key: PathBuf,
}

impl Console {
    /// Everything that makes no sense.
    fn problems(&self, sandbox: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let beyond = !self.address.ip().to_canonical().is_loopback();
        let wrong = |what: &str| format!("console.address {}: {what}", self.address);
        if beyond && sandbox {
            problems.push(wrong("the console of a sandbox listens on this machine only"));
        } else if beyond && self.tls.is_none() {
            problems.push(wrong(
                "the console listens beyond this machine with TLS only: set [console] tls = { certificate = \"FILE\", key = \"FILE\" }",
            ));
        }
        if beyond && self.names.is_empty() {
            problems.push(wrong("set console.names to the names under which the console is asked for"));
        }
        for name in &self.names {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
            {
                problems
                    .push(format!("console.names: {name:?} is no name or IPv4 address; leave the port out"));
            }
        }
        if let Some(oidc) = &self.oidc {
            problems.extend(oidc.problems().iter().map(ToString::to_string));
        }
        if let Some(tls) = &self.tls {
            let files = host::ServerTls::problems(&tls.certificate, &tls.key);
            problems.extend(files.into_iter().map(|problem| format!("console.tls: {problem}")));
        }
        problems
    }

    /// The address that people are given; `bound` is where it listens.
    pub(crate) fn page(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.names.first() {
            Some(name) => format!("{scheme}://{name}:{}", bound.port()),
            None => format!("{scheme}://{bound}"),
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 8080)), tls: None, names: Vec::new(), oidc: None }
    }
}

impl Config {
    /// Reads a file and the environment.
    pub(crate) fn read(path: &Path) -> Result<Self, Usage> {
        let in_file = |e: String| Usage(format!("configuration {}: {e}", path.display()));
        let config: Self = table(path)?.try_into().map_err(|e: toml::de::Error| in_file(e.to_string()))?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(in_file(format!("\n  {}", problems.join("\n  ")))) }
    }

    /// Everything that makes no sense, at once.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.listener.is_empty() {
            problems.push("at least one [[listener]] is needed".to_owned());
        }
        problems.extend(self.console.problems(self.host.sandbox));
        problems.extend(host::check(&self.listener, &self.host));
        problems.extend(host::check_routes(&self.route, &self.host));
        if self.store.is_none() && (!self.database.is_default() || self.store_password_file.is_some()) {
            problems
                .push("[database] and store_password_file belong to a `store`, and there is none".to_owned());
        }
        problems.extend(self.alarms.problems());
        problems.extend(self.sms.problems());
        problems.extend(self.diagnosis.problems());
        problems.extend(self.module.problems(self.host.module_timeout_ms));
        if let Err(error) = self.products() {
            problems.push(error);
        }
        problems
    }

    /// The card products.
    pub(crate) fn products(&self) -> Result<Products, String> {
        match &self.products {
            None => Ok(Products::builtin()),
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|e| format!("products {}: {e}", path.display()))?;
                Products::from_toml(&text).map_err(|e| format!("products {}: {e}", path.display()))
            }
        }
    }
}

/// A file with what the environment overrides, not looked at any further.
pub(crate) fn table(path: &Path) -> Result<toml::Table, Usage> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Usage(format!("cannot read the configuration {}: {e}", path.display())))?;
    table_of(&text).map_err(|e| Usage(format!("configuration {}: {e}", path.display())))
}

/// The same from a text. An error names the place without quoting it: a store's URL may hold a password.
pub(crate) fn table_of(text: &str) -> Result<toml::Table, Usage> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|e: toml::de::Error| Usage(place_of(&e, text)))?;
    override_from(&mut table, std::env::vars()).map_err(Usage)?;
    Ok(table)
}

fn place_of(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.lines().count().max(1), error.message())
}

/// `PINWARD__CONSOLE__ADDRESS=…` sets `console.address`. Lists are set in the file only.
fn override_from(
    table: &mut toml::Table,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(), String> {
    for (name, text) in environment {
        let Some(path) = name.strip_prefix("PINWARD__") else { continue };
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let Some((last, sections)) = keys.split_last() else { continue };
        let mut place = &mut *table;
        for section in sections {
            let entry =
                place.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            place = entry.as_table_mut().ok_or_else(|| format!("{name}: {section:?} is no section"))?;
        }
        let value = if is_text(&keys) { toml::Value::String(text) } else { scalar(&text) };
        place.insert(last.clone(), value);
    }
    Ok(())
}

/// Settings that are text even when they look like a number.
fn is_text(keys: &[String]) -> bool {
    let defaults = toml::Table::try_from(host::Settings::default()).unwrap_or_default();
    match keys {
        [section, key] if section == "host" => defaults.get(key).is_some_and(toml::Value::is_str),
        [key] => ["data", "products", "store", "store_password_file"].contains(&key.as_str()),
        _ => false,
    }
}

/// Numbers and booleans as such, everything else as text.
fn scalar(text: &str) -> toml::Value {
    if let Ok(number) = text.parse() {
        return toml::Value::Integer(number);
    }
    match text {
        "true" => toml::Value::Boolean(true),
        "false" => toml::Value::Boolean(false),
        _ => toml::Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_file() {
        let mut table: toml::Table = toml::from_str("data = 'a'\n[host]\nsandbox = true").unwrap();
        let environment = [
            ("PINWARD__HOST__MODULE_TIMEOUT_MS".to_owned(), "7".to_owned()),
            ("PINWARD__DATA".to_owned(), "b".to_owned()),
            ("PINWARD__HOST__ACQUIRER".to_owned(), "01020001".to_owned()),
            ("HOME".to_owned(), "/".to_owned()),
        ];
        override_from(&mut table, environment.into_iter()).unwrap();
        let config: Config = table.try_into().unwrap();
        assert_eq!(config.host.module_timeout_ms, 7);
        assert_eq!(config.data, PathBuf::from("b"));
        assert_eq!(config.host.acquirer, "01020001");
    }

    #[test]
    fn a_route_says_what_is_wrong_with_it() {
        let text = r#"
            data = "a"
            [[route]]
            name = "bank-b"
            bins = ["95x"]
            dialect = "cup-pos"
            framing = "none"
            zone_pin_key = "B0096P0TE00N0000"
            answer_ms = 59000
            line = []
        "#;
        let config: Config = toml::from_str(text).unwrap();
        let problems = config.problems().join("; ");
        for expect in ["bin \"95x\"", "[[route.line]]", "dialect \"cup-pos\"", "must be nested"] {
            assert!(problems.contains(expect), "{expect}: {problems}");
        }
        assert!(toml::from_str::<Config>(&text.replace("answer_ms", "answer_s")).is_err());
    }

    #[test]
    fn a_console_for_everyone_is_refused() {
        let config: Config = toml::from_str("data = 'a'\n[console]\naddress = '0.0.0.0:8080'").unwrap();
        let problems = config.problems().join("; ");
        for expected in ["with TLS only: set [console] tls", "set console.names", "at least one"] {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
        let text = "data = 'a'\n[console]\naddress = '0.0.0.0:8080'\nnames = ['a:1']\ntls = { certificate = '/none', key = '/none' }\n[host]\nsandbox = true";
        let config: Config = toml::from_str(text).unwrap();
        let problems = config.problems().join("; ");
        for expected in ["sandbox listens on this machine", "leave the port out", "console.tls: /none"] {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
    }
}
