//! `pinward hsm check`: looks at every device of a configuration, one after the other, and says in sentences what was
//! found. Nothing is changed at the devices; only NC, B2 and BU are sent.

use std::{collections::BTreeMap, fmt, time::Instant};

use hsm::{
    ModuleError,
    payshield::{Command, Content, command::KeyType, outcome},
};
use model::KeyBlock;

use crate::{config::PoolConfig, pool::Pool};

/// Echoes that are timed.
const ECHOES: usize = 20;
/// A slower median makes terminals wait.
const SLOW_MS: u128 = 50;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// Which device; `None` for the configuration or all of them.
    pub address: Option<String>,
    /// A sentence.
    pub text: String,
}

/// Findings while they are collected.
struct Report<'a> {
    findings: Vec<Finding>,
    address: Option<&'a str>,
}

impl Report<'_> {
    fn add(&mut self, level: Level, text: String) {
        self.findings.push(Finding { level, address: self.address.map(str::to_owned), text });
    }
}

/// Looks at everything.
pub async fn examine(config: &PoolConfig) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new(), address: None };
    for problem in config.check() {
        report.add(Level::Fail, problem);
    }
    if !report.findings.is_empty() {
        return report.findings; // no device is asked with settings that make no sense
    }
    report.add(Level::Ok, "the configuration makes sense".to_owned());
    if config.allow_variant_keys {
        let text = "keys that are no key blocks are taken: they carry neither a usage nor a proof of integrity \
                    (PCI PIN requirement 18-3)";
        report.add(Level::Warn, text.to_owned());
    }
    let mut lmks: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for address in &config.addresses {
        report.address = Some(address);
        if let Some(lmk) = device(config, address, &mut report).await {
            lmks.entry(lmk).or_default().push(address);
        }
    }
    report.address = None;
    same_lmk(config, &lmks, &mut report);
    report.findings
}

/// One device; gives its LMK's check value.
async fn device(config: &PoolConfig, address: &str, report: &mut Report<'_>) -> Option<String> {
    let alone = PoolConfig {
        addresses: vec![address.to_owned()],
        lmk_check_value: None,
        connections: 1,
        ..config.clone()
    };
    let pool = match Pool::start(&alone).await {
        Ok(pool) => pool,
        Err(e) => {
            report.add(Level::Fail, e.to_string());
            return None;
        }
    };
    let Some((_, Some(diagnostics), _)) = pool.devices().pop() else {
        let text = "cannot be reached, or does not answer NC: look at the address, the network, and the length of \
                    the message header";
        report.add(Level::Fail, text.to_owned());
        return None;
    };
    let lmk = diagnostics.lmk_check_value;
    report.add(Level::Ok, format!("answers NC: firmware {}, LMK check value {lmk}", diagnostics.firmware));
    echoes(&pool, report).await;
    for (name, key, key_type) in configured_keys(&pool) {
        match pool.check_value(&key, key_type, pool.deadline()).await {
            Ok(value) => report.add(Level::Ok, format!("takes {name}, check value {value}")),
            Err(e) => report.add(Level::Fail, format!("refuses {name}: {e}")),
        }
    }
    Some(lmk)
}

/// B2 a few times: does it come back as it was, and how long does that take?
async fn echoes(pool: &Pool, report: &mut Report<'_>) {
    let data = b"0123456789ABCDEF";
    let mut times = Vec::new();
    for _ in 0..ECHOES {
        let begun = Instant::now();
        match echo(pool, data).await {
            Ok(true) => times.push(begun.elapsed()),
            Ok(false) => {
                report.add(Level::Fail, "B2 came back changed".to_owned());
                return;
            }
            Err(e) => {
                report.add(Level::Fail, format!("B2 was not answered: {e}"));
                return;
            }
        }
    }
    times.sort_unstable();
    let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) else { return };
    let level = if median.as_millis() > SLOW_MS { Level::Warn } else { Level::Ok };
    let ms = |time: &std::time::Duration| time.as_secs_f64() * 1000.0;
    let text =
        format!("{} echoes (B2): median {:.1} ms, longest {:.1} ms", times.len(), ms(median), ms(longest));
    report.add(level, text);
}

async fn echo(pool: &Pool, data: &[u8]) -> Result<bool, ModuleError> {
    let command = Command::Echo(data).encode(pool.settings.lmk);
    let command = command.map_err(|e| ModuleError::Unsupported(e.to_string()))?;
    let (command, reply) = pool.run(command, pool.deadline()).await?;
    Ok(matches!(outcome::of_other(&command, reply)?, Content::Echo(back) if back == data))
}

fn configured_keys(pool: &Pool) -> Vec<(String, KeyBlock, KeyType)> {
    let settings = &pool.settings;
    let pvv = settings.pvv.iter().map(|(name, key)| (format!("pvv.{name}"), key.clone(), KeyType::Tpk));
    let ibm3624 = settings
        .ibm3624
        .iter()
        .map(|(name, rule)| (format!("ibm3624.{name}"), rule.key.clone(), KeyType::Tpk));
    let transfer =
        settings.transfer_key.iter().map(|key| ("transfer_key".to_owned(), key.clone(), KeyType::Zpk));
    pvv.chain(ibm3624).chain(transfer).collect()
}

fn same_lmk(config: &PoolConfig, lmks: &BTreeMap<String, Vec<&str>>, report: &mut Report<'_>) {
    let expected = config.lmk_check_value.as_ref().map(|value| value.to_ascii_uppercase());
    match (lmks.len(), expected) {
        (0, _) => report.add(Level::Fail, "no HSM can be used".to_owned()),
        (1, None) => {
            let text = "all HSMs that answer have the same LMK; write its check value into the configuration \
                        (lmk_check_value), so that one with another LMK is never used";
            report.add(Level::Ok, text.to_owned());
        }
        (1, Some(value)) if lmks.contains_key(&value) => {
            report.add(Level::Ok, "all HSMs that answer have the LMK of the configuration".to_owned());
        }
        (_, Some(value)) => {
            let others = lmks.iter().filter(|(lmk, _)| **lmk != value).flat_map(|(_, addresses)| addresses);
            for address in others {
                let text = format!("{address} has not the LMK of the configuration and is not used");
                report.add(Level::Fail, text);
            }
        }
        (_, None) => {
            let table = lmks.iter().map(|(lmk, addresses)| format!("{lmk} at {}", addresses.join(", ")));
            let text = format!(
                "the HSMs have different LMKs ({}): those that differ from the first one reached are not used",
                table.collect::<Vec<_>>().join("; ")
            );
            report.add(Level::Fail, text);
        }
    }
}
