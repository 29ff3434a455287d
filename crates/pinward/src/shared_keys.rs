//! One key in two terminals: whoever has one of them has both (PCI PIN requirement 20-1). Check values tell, and equal ones
//! raise an alarm: at the start of the host, and in `pinward key check`.

use std::{collections::BTreeMap, path::Path};

use alarm::AlarmService;
use hsm::soft::Ceremony;
use keyring::ElsewhereKey;
use store::{Archive, archive::TerminalView};

use crate::{alarms, storage::Place};

/// Digits of a check value that the register of keys has: three bytes.
const REGISTER_DIGITS: usize = 6;

/// Terminals whose keys have the same check value, with it.
fn shared(terminals: &[TerminalView]) -> Vec<(&str, Vec<&str>)> {
    let mut by_value: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for terminal in terminals {
        by_value.entry(&terminal.keys.check_value).or_default().push(&terminal.id);
    }
    by_value.into_iter().filter(|(_, terminals)| terminals.len() > 1).collect()
}

/// Says it in the log and in the metrics, and raises an alarm.
pub(crate) async fn alarm(archive: &dyn Archive, alarms: &AlarmService) -> anyhow::Result<()> {
    let terminals = archive.terminals().await?;
    let found = shared(&terminals);
    let count: usize = found.iter().map(|(_, terminals)| terminals.len()).sum();
    metrics::describe_gauge!(
        "pinward_terminals_sharing_a_key",
        "Terminals whose key another terminal has as well"
    );
    metrics::gauge!("pinward_terminals_sharing_a_key").set(count as f64);
    for (check_value, terminals) in found {
        alarms::shared_key(alarms, check_value, &terminals);
        tracing::error!(
            check_value,
            terminals = terminals.join(" "),
            "these terminals have the same key: load others"
        );
    }
    Ok(())
}

/// The terminals' keys for `pinward key check`, where there is a store.
pub(crate) fn of_terminals(data: &Path, _ceremony: &Ceremony) -> anyhow::Result<Vec<ElsewhereKey>> {
    let place = Place::of_data(data)?;
    if !place.exists() {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let terminals = runtime.block_on(async { anyhow::Ok(place.archive().await?.terminals().await?) })?;
    Ok(keys(&terminals))
}

/// The register compares three bytes; of terminals that agree in those by chance, the fourth tells them apart, one is enough.
fn keys(terminals: &[TerminalView]) -> Vec<ElsewhereKey> {
    let mut whole_value: BTreeMap<&str, &str> = BTreeMap::new();
    let mut keys = Vec::new();
    for terminal in terminals {
        let value = terminal.keys.check_value.as_str();
        let short = value.get(..REGISTER_DIGITS).unwrap_or(value);
        if *whole_value.entry(short).or_insert(value) == value {
            let place = format!("terminal {}", terminal.id);
            keys.push(ElsewhereKey { place, check_value: short.to_owned(), block: None });
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use authorization::key_set::KeySetView;
    use model::KeyScheme;

    use super::*;

    fn terminal(id: &str, check_value: &str) -> TerminalView {
        TerminalView {
            id: id.to_owned(),
            merchant: String::new(),
            merchant_name: String::new(),
            batch: 0,
            session: None,
            keys: KeySetView {
                scheme: KeyScheme::Tdes,
                check_value: check_value.to_owned(),
                plan: None,
                stage: None,
                next: None,
                fallbacks: 0,
            },
            suspended: false,
            last_seen: None,
        }
    }

    #[test]
    fn equal_keys_are_found_and_chance_is_none() {
        let terminals = [
            terminal("1", "A1B2C3D4"),
            terminal("2", "A1B2C3FF"),
            terminal("3", "A1B2C3D4"),
            terminal("4", "00"),
        ];
        assert_eq!(shared(&terminals), [("A1B2C3D4", vec!["1", "3"])]);
        let places: Vec<String> = keys(&terminals).into_iter().map(|key| key.place).collect();
        assert_eq!(places, ["terminal 1", "terminal 3", "terminal 4"]);
    }
}
