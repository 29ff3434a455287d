//! Lists that rules look things up in, and snoozes: both with an end, so that nothing stays for ever by being forgotten.

use std::collections::{BTreeMap, HashMap};

use model::Timestamp;

use crate::{event::RiskEvent, field::Field, key::Key};

/// Members of the lists, each with the time at which it leaves by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lists {
    by_name: BTreeMap<String, HashMap<Key, Option<Timestamp>>>,
}

/// Members of one list.
pub const MEMBERS_MAX: usize = 100_000;

impl Lists {
    /// Enters a member: a text as it stands in the field, or a card's 32 hexadecimal digits. An earlier end is replaced.
    /// `false`: the list is full, and nothing changed.
    pub fn enter(&mut self, list: &str, member: &str, until: Option<Timestamp>) -> bool {
        let members = self.by_name.entry(list.to_owned()).or_default();
        let key = Key::member(member);
        if members.len() >= MEMBERS_MAX && !members.contains_key(&key) {
            return false;
        }
        members.insert(key, until);
        true
    }

    /// Takes a member out.
    pub fn leave(&mut self, list: &str, member: &str) {
        if let Some(members) = self.by_name.get_mut(list) {
            members.remove(&Key::member(member));
        }
    }

    /// Forgets what has ended.
    pub fn forget_ended(&mut self, now: Timestamp) {
        for members in self.by_name.values_mut() {
            members.retain(|_, until| until.is_none_or(|until| now < until));
        }
    }

    /// Is nobody in any list? So it is mostly.
    pub(crate) fn are_empty(&self) -> bool {
        self.by_name.values().all(HashMap::is_empty)
    }

    pub(crate) fn has(&self, list: &str, key: Key, now: Timestamp) -> bool {
        let until = self.by_name.get(list).and_then(|members| members.get(&key));
        until.is_some_and(|until| until.is_none_or(|until| now < until))
    }
}

/// Rules that leave one card, terminal or shop in peace for a while.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snoozes {
    by_rule: BTreeMap<String, HashMap<Key, Timestamp>>,
}

/// The fields that a snooze may be about.
const SNOOZED_BY: [Field; 4] = [Field::Card, Field::Terminal, Field::Merchant, Field::Bin];

/// Longest snooze: 31 days.
pub const SNOOZE_MS_MAX: i64 = 31 * 24 * 3_600_000;

impl Snoozes {
    /// Lets a rule leave a key in peace until then.
    pub fn enter(&mut self, rule: &str, member: &str, until: Timestamp) {
        self.by_rule.entry(rule.to_owned()).or_default().insert(Key::member(member), until);
    }

    /// Ends it early.
    pub fn leave(&mut self, rule: &str, member: &str) {
        if let Some(keys) = self.by_rule.get_mut(rule) {
            keys.remove(&Key::member(member));
        }
    }

    /// Forgets what has ended.
    pub fn forget_ended(&mut self, now: Timestamp) {
        for keys in self.by_rule.values_mut() {
            keys.retain(|_, until| now < *until);
        }
    }

    pub(crate) fn cover(&self, rule: &str, event: &RiskEvent<'_>, now: Timestamp) -> bool {
        let Some(keys) = self.by_rule.get(rule) else { return false };
        SNOOZED_BY
            .iter()
            .filter_map(|field| event.key(*field).ok())
            .any(|key| keys.get(&key).is_some_and(|until| now < *until))
    }
}
