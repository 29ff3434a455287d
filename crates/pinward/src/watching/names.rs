//! What people know terminals and cohorts by, gathered while the journal is followed, and read by pages.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use authorization::terminal::TerminalRecord;
use diagnosis::observation::{Device, Symbol};
use model::TerminalId;
use watch::Names;

/// Terminals that are remembered; more of them are known by their number only.
const TERMINALS_MAX: usize = 200_000;

/// Names behind numbers, and terminals by number.
#[derive(Default)]
pub(crate) struct Known {
    names: RwLock<Vec<String>>,
    terminals: RwLock<HashMap<TerminalId, Seen>>,
}

/// A terminal as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Registered merchant's number.
    pub(crate) merchant: String,
    /// Its name.
    pub(crate) merchant_name: String,
    /// Manufacturer's model.
    pub(crate) model: String,
    /// Version of firmware and application.
    pub(crate) firmware: String,
    /// Area code of the merchant number (UnionPay: digits 4 to 7), where it has one.
    pub(crate) region: String,
}

impl Names for Known {
    fn name(&self, symbol: Symbol) -> Option<String> {
        let index = usize::try_from(symbol.0).ok()?.checked_sub(1)?;
        read(&self.names).get(index).cloned()
    }
}

impl Known {
    /// Takes the names that were given since.
    pub(crate) fn take_names(&self, names: &host::observe::Names) {
        let from = read(&self.names).len();
        let more = (from + 1..).map_while(|n| names.name(Symbol(u32::try_from(n).ok()?)));
        let more: Vec<String> = more.map(str::to_owned).collect();
        if !more.is_empty() {
            self.names.write().unwrap_or_else(PoisonError::into_inner).extend(more);
        }
    }

    /// Takes what is registered about a terminal.
    pub(crate) fn take_record(&self, record: &TerminalRecord) {
        let merchant = record.merchant.to_string();
        let region = merchant.get(3..7).filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
        let seen = Seen {
            region: region.unwrap_or_default().to_owned(),
            merchant_name: record.merchant_name.trim().to_owned(),
            model: record.site.model.clone().unwrap_or_default(),
            merchant,
            ..Seen::default()
        };
        self.put(record.id, seen);
    }

    /// Takes what a terminal said about itself.
    pub(crate) fn take_device(&self, device: &Device) {
        let name = |symbol| self.name(symbol).unwrap_or_default();
        let Some(before) = self.terminal(&device.terminal) else { return };
        let mut seen = before.clone();
        for (symbol, text) in [(device.model, &mut seen.model), (device.firmware, &mut seen.firmware)] {
            if symbol != Symbol::UNKNOWN {
                *text = name(symbol);
            }
        }
        if seen != before {
            self.put(device.terminal, seen);
        }
    }

    /// A terminal as it was seen last.
    pub(crate) fn terminal(&self, id: &TerminalId) -> Option<Seen> {
        read(&self.terminals).get(id).cloned()
    }

    /// Some terminal of a merchant, with a model or with a version; what they have in common is what was asked for.
    pub(crate) fn find(&self, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        read(&self.terminals).values().filter(|seen| wanted(seen)).cloned().collect()
    }

    fn put(&self, id: TerminalId, seen: Seen) {
        let mut terminals = self.terminals.write().unwrap_or_else(PoisonError::into_inner);
        if terminals.len() < TERMINALS_MAX || terminals.contains_key(&id) {
            terminals.insert(id, seen);
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
