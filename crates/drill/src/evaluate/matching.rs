//! Which of the incidents that were told is which of those that were. An incident belongs to a truth when it is about the
//! same time and has to do with the same things; it is right when the cause is the same, and exact when the scope is, too.

use std::collections::HashSet;

use diagnosis::{Cause, Scope, cause::Origin};
use host::observe::Names;
use model::{CardId, MerchantId, TerminalId};

use super::watch::{Heard, Said, Version};
use crate::{
    day::{
        Cover, Place, Truth,
        cards::{self, ZONES},
        fleet::{CARRIERS, INSTANCES},
    },
    play::Labels,
};

/// An incident may be told so long after the repair: its last signs are still coming in.
pub const GRACE_MS: i64 = 30 * 60_000;
/// Clocks and first signs: an incident's onset may lie so far before the truth's.
const BEFORE_MS: i64 = 10 * 60_000;

/// A truth in the words of the diagnosis.
pub struct Known {
    exact: Vec<Scope>,
    terminals: HashSet<TerminalId>,
    merchants: HashSet<MerchantId>,
    cards: HashSet<CardId>,
    bins: HashSet<u32>,
    wide: HashSet<Scope>,
    everywhere: bool,
    from: i64,
    until: i64,
    cause: Cause,
}

impl Known {
    /// Of a truth.
    #[must_use]
    pub fn new(truth: &Truth, labels: &Labels, names: &mut Names) -> Self {
        let fleet = &labels.day.fleet;
        let till = |terminal: &u32| &fleet.terminals[*terminal as usize];
        let exact: Vec<Scope> = truth.exact.iter().filter_map(|place| scope(place, labels, names)).collect();
        let mut wide: HashSet<Scope> = exact.iter().copied().collect();
        for terminal in &truth.terminals {
            wide.insert(Scope::Network(names.symbol(CARRIERS[till(terminal).carrier].0)));
            wide.insert(Scope::Instance(names.symbol(INSTANCES[till(terminal).instance])));
            wide.insert(Scope::Firmware(names.symbol(till(terminal).firmware)));
            wide.insert(Scope::Firmware(names.symbol(labels.day.firmware(*terminal, truth.from))));
        }
        for zone in truth.cards.iter().filter_map(|card| cards::zone(*card)) {
            wide.insert(Scope::Zone(names.symbol(ZONES[zone].0)));
        }
        Self {
            exact,
            terminals: truth.terminals.iter().map(|terminal| till(terminal).id).collect(),
            merchants: truth.terminals.iter().map(|terminal| fleet.merchant_of(*terminal).id).collect(),
            cards: truth.cards.iter().filter_map(|card| labels.id(*card)).collect(),
            bins: truth.bins.iter().copied().collect(),
            wide,
            everywhere: matches!(truth.cover, Cover::Zone(_)),
            from: truth.from,
            until: truth.until,
            cause: truth.cause,
        }
    }

    /// Is this one of the scopes that name it exactly?
    #[must_use]
    pub fn is_exact(&self, scope: &Scope) -> bool {
        self.exact.contains(scope)
    }

    /// Has it to do with the same things? A wider scope, or a part of one, only with the same cause.
    #[must_use]
    pub fn touches(&self, scope: &Scope, cause: Cause) -> bool {
        self.is_exact(scope)
            || match scope {
                Scope::Terminal(id) => {
                    self.terminals.contains(id) || (self.everywhere && cause == self.cause)
                }
                Scope::Merchant(id) => self.merchants.contains(id),
                Scope::Card(id) => self.cards.contains(id),
                Scope::Bin(bin) => self.bins.contains(bin),
                Scope::Agent(_) => false,
                Scope::Network(_) | Scope::Instance(_) | Scope::Firmware(_) | Scope::Zone(_) => {
                    cause == self.cause && self.wide.contains(scope)
                }
            }
    }

    /// Is it about the same time?
    #[must_use]
    pub fn overlaps(&self, said: &Said) -> bool {
        let told = said.history.first().map_or(i64::MAX, |version| version.at.0);
        let ended = said.ended.map_or(i64::MAX, |ended| ended.0);
        said.onset.0 <= self.until && told <= self.until + GRACE_MS && ended >= self.from - BEFORE_MS
    }

    /// The first version that names it, if one does before it is too late.
    #[must_use]
    pub fn named_by<'s>(&self, said: &'s Said) -> Option<&'s Version> {
        use diagnosis::Status;
        said.history.iter().find(|version| {
            version.cause == self.cause
                && !matches!(version.status, Status::Retracted)
                && version.at.0 <= self.until + GRACE_MS
                && version.at.0 >= self.from - BEFORE_MS
                && self.touches(&version.scope, version.cause)
        })
    }
}

/// Which alarm belongs to which truth.
#[derive(Debug, Default)]
pub struct Matched {
    /// For each truth the numbers of its alarms, the best first.
    pub of_truth: Vec<Vec<u64>>,
    /// Alarms that belong to none.
    pub without: Vec<u64>,
}

/// Assigns each alarm to one truth at most: to one of the same cause if there is one, exactly named ones first.
#[must_use]
pub fn matched(heard: &Heard, known: &[Known]) -> Matched {
    let mut matched = Matched { of_truth: vec![Vec::new(); known.len()], without: Vec::new() };
    for (id, said) in heard.incidents.iter().filter(|(_, said)| counts(said)) {
        let rank = |known: &Known| {
            let last = said.last();
            (known.overlaps(said) && known.touches(&last.scope, last.cause)).then(|| {
                let same = last.cause == known.cause;
                let apart = (said.onset.0 - known.from).abs();
                (u8::from(same), u8::from(known.is_exact(&last.scope)), -apart)
            })
        };
        let best = known.iter().enumerate().filter_map(|(at, known)| Some((rank(known)?, at))).max();
        match best {
            Some((_, truth)) => matched.of_truth[truth].push(*id),
            None => matched.without.push(*id),
        }
    }
    for (alarms, known) in matched.of_truth.iter_mut().zip(known) {
        alarms.sort_by_key(|id| {
            let last = heard.incidents[id].last();
            (last.cause != known.cause, !known.is_exact(&last.scope), *id)
        });
    }
    matched
}

/// Is it an alarm about something that is an incident? What holders do shows in the verdicts about their refusals.
fn counts(said: &Said) -> bool {
    let cause = said.last().cause;
    said.is_alarm() && cause.origin() != Origin::Holder && cause != Cause::SignInMissing
}

/// A place in the words of the diagnosis.
#[must_use]
pub fn scope(place: &Place, labels: &Labels, names: &mut Names) -> Option<Scope> {
    let fleet = &labels.day.fleet;
    Some(match place {
        Place::Instance(at) => Scope::Instance(names.symbol(INSTANCES[*at])),
        Place::Zone(at) => Scope::Zone(names.symbol(ZONES[*at].0)),
        Place::Network(at) => Scope::Network(names.symbol(CARRIERS[*at].0)),
        Place::Firmware(version) => Scope::Firmware(names.symbol(version)),
        Place::Bin(bin) => Scope::Bin(*bin),
        Place::Merchant(at) => Scope::Merchant(fleet.merchants[*at as usize].id),
        Place::Terminal(at) => Scope::Terminal(fleet.terminals[*at as usize].id),
        Place::Card(card) => Scope::Card(labels.id(*card)?),
        Place::Agent(at) => Scope::Agent(names.symbol(&fleet.agents[*at])),
    })
}
