//! What the rules did in the last day: told once by whoever follows the journal, and asked by the console.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use host::rules::Told;
use model::Timestamp;
use web::rules::{BesideWork, RuleHits};

/// What the rules did is shown for so long, in milliseconds.
pub(crate) const SHOWN_MS: i64 = 86_400_000;
/// Deeds of rules that are remembered at most.
const DEEDS_MAX: usize = 200_000;

/// What the rules did in the last day.
#[derive(Default)]
pub(crate) struct Deeds {
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    rules: VecDeque<(Timestamp, Arc<str>, Deed)>,
    /// Payments that the live rules declined, or that a set beside them would have.
    declines: VecDeque<Declines>,
    /// Why a rule had no truth value, the last time.
    faults: HashMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Live,
    Shadow,
    Snoozed,
    Error,
}

/// One payment, as the live set and those beside it saw it.
struct Declines {
    at: Timestamp,
    live: bool,
    /// By the first characters of the version: did a rule fire, would it have declined, was there an error?
    beside: Vec<(String, BesideDeed)>,
}

#[derive(Clone, Copy)]
struct BesideDeed {
    fired: bool,
    declines: bool,
    errors: u64,
}

impl Deeds {
    /// What an entry says about rules.
    pub(crate) fn take_entry(&self, at: Timestamp, hits: &authorization::RuleHits) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let none = Vec::new();
        let live = hits.fired.iter().map(|hit| (hit.rule.as_str(), Deed::Live));
        let shadow = hits.shadow.iter().map(|rule| (rule.as_str(), Deed::Shadow));
        let snoozed =
            hits.snoozed.as_ref().unwrap_or(&none).iter().map(|rule| (rule.as_str(), Deed::Snoozed));
        let errors = hits.errors.iter().map(|rule| (rule.as_str(), Deed::Error));
        let deeds = live.chain(shadow).chain(snoozed).chain(errors);
        done.rules.extend(deeds.map(|(rule, deed)| (at, Arc::from(rule), deed)));
        for (rule, fault) in hits.errors.iter().zip(hits.faults.as_ref().unwrap_or(&none)) {
            done.faults.insert(rule.clone(), fault.clone());
        }
        let beside: Vec<(String, BesideDeed)> = hits
            .beside
            .iter()
            .flatten()
            .map(|b| {
                let errors = b.errors.len() as u64;
                (b.version.clone(), BesideDeed { fired: !b.rules.is_empty(), declines: b.declines, errors })
            })
            .collect();
        if hits.declines() || !beside.is_empty() {
            done.declines.push_back(Declines { at, live: hits.declines(), beside });
        }
        done.forget(at);
    }

    /// What rules that come after the decision say.
    pub(crate) fn take_after(&self, told: &Told) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let live = told.fired.iter().map(|hit| (hit.rule.as_str(), Deed::Live));
        let shadow = told.shadow.iter().map(|rule| (rule.as_str(), Deed::Shadow));
        let errors = told.errors.iter().map(|(rule, _)| (rule.as_str(), Deed::Error));
        let deeds = live.chain(shadow).chain(errors);
        done.rules.extend(deeds.map(|(rule, deed)| (told.at, Arc::from(rule), deed)));
        done.faults.extend(told.errors.iter().cloned());
        done.forget(told.at);
    }

    /// What each rule did.
    pub(crate) fn by_rule(&self, now: Timestamp) -> Vec<RuleHits> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules: HashMap<&str, RuleHits> = HashMap::new();
        for (_, rule, deed) in done.rules.iter().filter(|(at, ..)| now.since_ms(*at) <= SHOWN_MS) {
            let row = rules.entry(rule).or_insert_with(|| RuleHits {
                rule: rule.to_string(),
                last_error: done.faults.get(&**rule).cloned(),
                ..RuleHits::default()
            });
            match deed {
                Deed::Live => row.live += 1,
                Deed::Shadow => row.shadow += 1,
                Deed::Snoozed => row.snoozed += 1,
                Deed::Error => row.errors += 1,
            }
        }
        rules.into_values().collect()
    }

    /// What each set that ran beside the live one would have done, and where it differs from that.
    pub(crate) fn beside(&self, now: Timestamp) -> Vec<BesideWork> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = || done.declines.iter().filter(|payment| now.since_ms(payment.at) <= SHOWN_MS);
        let mut sets: BTreeMap<&str, BesideWork> = BTreeMap::new();
        for payment in shown() {
            for (version, deed) in &payment.beside {
                let set = sets.entry(version).or_insert_with(|| BesideWork {
                    version: version.clone(),
                    since: payment.at,
                    ..BesideWork::default()
                });
                set.hits += u64::from(deed.fired);
                set.errors += deed.errors;
                match (payment.live, deed.declines) {
                    (true, true) => set.both += 1,
                    (false, true) => set.only_this += 1,
                    (_, false) => {}
                }
            }
        }
        // What the live set alone declined says nothing about the others: it is counted from their first word on.
        for set in sets.values_mut() {
            let live = shown().filter(|payment| payment.live && payment.at >= set.since).count() as u64;
            set.only_live = live.saturating_sub(set.both);
        }
        sets.into_values().collect()
    }
}

impl Done {
    fn forget(&mut self, now: Timestamp) {
        let old = |then: Timestamp| now.since_ms(then) > SHOWN_MS;
        while self.rules.len() > DEEDS_MAX || self.rules.front().is_some_and(|(then, ..)| old(*then)) {
            self.rules.pop_front();
        }
        while self.declines.len() > DEEDS_MAX || self.declines.front().is_some_and(|payment| old(payment.at))
        {
            self.declines.pop_front();
        }
    }
}
