//! What rules have to tell people: whoever follows the journal shows each entry here once. Rules that come after the decision
//! are asked, and what they say is kept beside the journal ([`keeping`](super::keeping)); what rules did is counted, and what
//! somebody should know of becomes an alarm.
//!
//! The journal is read again after a start. What it says that no alarm knows of yet, because the host died in between, is
//! told then; what an alarm knows of is not told twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alarm::{AlarmService, Alert, Scope, Severity, Text};
use authorization::RuleHit;
use diagnosis::{Observation, What};
use host::{
    observe::Observer,
    rules::{AfterPast, Afterwards, Rules, Told},
};
use model::Timestamp;
use risk::{Change, Name, RuleSet};
use store::{Entry, Event, Subject};

use super::{
    deeds::{Deeds, SHOWN_MS},
    keeping::{self, Keeping},
};

/// What was decided longer before a start raises no alarm any more, in milliseconds: a week.
const RECALLED_MS: i64 = 7 * 86_400_000;

/// Where rules are told of, and tell.
pub(crate) struct Telling {
    after: Mutex<Afterwards>,
    pub(crate) deeds: Deeds,
    live: Mutex<LiveSet>,
    keeping: Keeping,
    rules: Arc<Rules>,
    alarms: AlarmService,
    /// When this host began: what was decided before is told only if nobody was told when it was new.
    since: Timestamp,
}

/// The live set, as far as it is told about.
#[derive(Default)]
struct LiveSet {
    version: String,
    /// What people call its rules.
    names: HashMap<String, Name>,
    /// Since when it has been live: its rules said nothing about what was before.
    since: Timestamp,
}

/// Something about one payment that somebody should know of.
struct Matter<'a> {
    hit: &'a RuleHit,
    rrn: String,
    terminal: String,
    card: Option<String>,
    at: Timestamp,
}

impl Telling {
    pub(crate) fn new(
        rules: Arc<Rules>,
        alarms: AlarmService,
        keeping: Keeping,
        zone: jiff::tz::TimeZone,
        since: Timestamp,
    ) -> Self {
        let after = Mutex::new(Afterwards::new(zone));
        Self { after, deeds: Deeds::default(), live: Mutex::default(), keeping, rules, alarms, since }
    }

    /// The live set is another one, since then; `true`: what comes after the decision has to be told the past.
    pub(crate) fn publish(&self, set: Option<&Arc<RuleSet>>, since: Timestamp) -> bool {
        let names = set.iter().flat_map(|set| set.rules()).map(|rule| (rule.id.clone(), rule.name.clone()));
        *self.live() = LiveSet {
            version: set.map(|set| set.digest().to_owned()).unwrap_or_default(),
            names: names.collect(),
            since,
        };
        self.after().publish(set.cloned())
    }

    fn live(&self) -> MutexGuard<'_, LiveSet> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rules that come after the decision.
    pub(crate) fn after(&self) -> MutexGuard<'_, Afterwards> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn learnt(&self, told: AfterPast) {
        self.after().learnt(told);
    }

    /// An entry of the journal, and what it shows.
    pub(crate) fn take(&self, entry: &Entry, shown: Option<&Observation>, observer: &Observer) {
        if let Event::Transaction(t) = &entry.event
            && let Some(hits) = &t.rules
        {
            self.deeds.take_entry(entry.at, hits);
            for hit in hits.fired.iter().filter(|hit| is_told(&hit.action)) {
                let card = match entry.subject {
                    Subject::Card(card) => Some(card.to_string()),
                    Subject::Terminal(_) => None,
                };
                let terminal = t.key.terminal.as_str().trim().to_owned();
                self.raise(&Matter { hit, rrn: t.rrn.to_string(), terminal, card, at: entry.at });
            }
        }
        let Some(seen) = shown else { return };
        if let What::Desk { card, .. } = seen.what {
            self.rules.card_changed(card, seen.at);
        }
        let said = self.after().take(seen, observer.told(), observer.names());
        said.iter().for_each(|told| self.tell_after(told));
    }

    /// Nothing new is in the journal: what waited for the past to be told does not wait any longer.
    pub(crate) fn rest(&self, observer: &Observer) {
        let said = self.after().take_waiting(observer.names());
        said.iter().for_each(|told| self.tell_after(told));
    }

    fn tell_after(&self, told: &Told) {
        self.deeds.take_after(told);
        if let Some(said) = self.is_of_live(told).and_then(|version| keeping::of(&version, told)) {
            self.keeping.keep(said);
            self.raise_after(told);
        }
    }

    /// What the rules say about a payment of the past, now that it is told to them: kept, and an alarm, if it was not then.
    pub(crate) async fn recall(&self, told: &Told, now: Timestamp) {
        if now.since_ms(told.at) <= SHOWN_MS {
            self.deeds.take_after(told);
        }
        if let Some(said) = self.is_of_live(told).and_then(|version| keeping::of(&version, told)) {
            self.keeping.keep_all(said).await;
            self.raise_after(told);
        }
    }

    /// The version of the live set, if the payment was decided while it was live, and lately.
    fn is_of_live(&self, told: &Told) -> Option<String> {
        let live = self.live();
        (told.at >= live.since && self.since.since_ms(told.at) <= RECALLED_MS).then(|| live.version.clone())
    }

    fn raise_after(&self, told: &Told) {
        for hit in &told.fired {
            let (rrn, terminal) = (told.rrn.to_string(), told.terminal.trim().to_owned());
            self.raise(&Matter { hit, rrn, terminal, card: Some(told.card.to_string()), at: told.at });
        }
    }

    /// One alarm for a rule and what it is about, however often the rule fires. What happened before the start was told then,
    /// unless no alarm knows of it.
    fn raise(&self, matter: &Matter<'_>) {
        let Matter { hit, rrn, terminal, card, at } = matter;
        let before_start = self.since.since_ms(*at);
        if before_start > RECALLED_MS {
            return;
        }
        let name = self.live().names.get(&hit.rule).cloned();
        let name = name.unwrap_or_else(|| Name { zh: hit.rule.clone(), en: hit.rule.clone() });
        let (kind, id) = scope(hit, card.as_deref(), terminal);
        let facts = format!("RRN {rrn}, {terminal}: {}", values(hit));
        let alert = Alert {
            group: Some(format!("rule {} {kind} {id}", hit.rule)),
            kind: format!("rule-{}", hit.action),
            scope: Scope { kind: kind.to_owned(), id },
            severity: if hit.action.starts_with("block") { Severity::Critical } else { Severity::Warning },
            title: Text { zh: name.zh, en: name.en },
            body: alarm::words("rule", "body", &facts),
            link: Some(format!("/transactions/{rrn}")),
            at: *at,
        };
        if before_start > 0 && self.alarms.look(|desk, _| desk.knows(&alert.key(), *at)) {
            return;
        }
        if let Err(error) = self.alarms.raise(alert) {
            tracing::error!(%error, rule = hit.rule, "a rule's alarm that cannot be raised");
        }
    }

    /// The circuit breaker demoted a rule: that is told at once.
    pub(crate) fn demoted(&self, change: &Change) {
        let Change::Demoted { rule, declined, events, at, digest } = change else { return };
        let words = format!("{rule} ({declined} / {events})");
        let raised = self.alarms.raise(Alert {
            group: Some(format!("rule {rule} demoted")),
            kind: "rule-demoted".to_owned(),
            scope: Scope { kind: "rule".to_owned(), id: rule.clone() },
            severity: Severity::Critical,
            title: alarm::words("rule-demoted", "title", rule),
            body: alarm::words("rule-demoted", "body", &words),
            link: Some(format!("/rules/{digest}")),
            at: *at,
        });
        if let Err(error) = raised {
            tracing::error!(%error, rule, "a demoted rule that raises no alarm");
        }
    }
}

/// Of what happens within the authorization, people are told of what they must act on.
fn is_told(action: &str) -> bool {
    matches!(action, "alert" | "review" | "block-card" | "block-terminal")
}

/// What a rule is about: what it counts by, as far as its terms tell.
fn scope<'a>(hit: &RuleHit, card: Option<&str>, terminal: &str) -> (&'a str, String) {
    let counts = |key: &str| {
        let mut values = hit.terms.iter().flatten().flat_map(|term| &term.values);
        values.any(|value| {
            ["count", "sum", "distinct", "distinct_unless"]
                .iter()
                .any(|f| value.starts_with(&format!("{f}({key},")))
        })
    };
    match card {
        Some(card) if hit.action == "block-card" || counts("card") => ("card", card.to_owned()),
        None | Some(_) if !terminal.is_empty() => ("terminal", terminal.to_owned()),
        _ => ("rule", hit.rule.clone()),
    }
}

fn values(hit: &RuleHit) -> String {
    let values: Vec<&str> =
        hit.terms.iter().flatten().flat_map(|term| term.values.iter().map(String::as_str)).collect();
    values.join("; ")
}
