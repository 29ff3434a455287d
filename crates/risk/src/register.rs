//! Which rule sets there are, which of them is at work, and who said so: a fold of [`Change`]s, and the questions that are
//! asked before one is made.
//!
//! ```text
//!   draft ──► shadow ──► requested ──► live ──► withdrawn
//!     │          │            ▲ one person asks, another agrees
//!     └──────────┴────────────┘
//! ```
//!
//! A set that was never in shadow cannot become live; whoever asks for it cannot agree to it. A demoted rule is put back by
//! two people, too.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;

use crate::{
    change::Change,
    lists::SNOOZE_MS_MAX,
    rule_set::{Problem, RuleSet, digest_of},
};

/// Rule sets and their states.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Register {
    sets: BTreeMap<String, Version>,
    live: Option<String>,
    /// Rules of the live set that the breaker put into shadow, and whoever asks to put them back.
    demoted: BTreeSet<String>,
}

/// One rule set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its file.
    pub text: String,
    /// Who wrote it.
    pub author: String,
    /// When it was put down.
    pub drafted: Timestamp,
    /// Where it is on its way.
    pub state: State,
}

/// Where a rule set is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Put down.
    Draft,
    /// It runs beside the live set since then, and no rule acts.
    Shadow(Timestamp),
    /// Somebody asks for it to become live.
    Requested {
        /// Who.
        by: String,
        /// Since when it has been in shadow.
        shadow: Timestamp,
    },
    /// It acts.
    Live(Timestamp),
    /// It is not at work any more.
    Withdrawn,
}

/// Rule sets that are kept.
pub const VERSIONS_MAX: usize = 1000;

/// Why something about rules is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is no rule set.
    #[error("the file is no rule set: {} problems", .0.len())]
    NotChecked(Vec<Problem>),
    /// The same text was put down before.
    #[error("this rule set was put down before")]
    Known,
    /// Nobody put it down.
    #[error("there is no such rule set")]
    UnknownVersion,
    /// It is not in the state from which this is done.
    #[error("the rule set is {is}, and has to be {must}")]
    WrongState {
        /// What it is.
        is: &'static str,
        /// What it has to be.
        must: &'static str,
    },
    /// The person who asks cannot agree.
    #[error("the person who asked for it cannot agree to it")]
    SamePerson,
    /// No such rule in the live set.
    #[error("the live rule set has no such rule")]
    UnknownRule,
    /// The breaker did not demote it.
    #[error("the rule was not demoted")]
    NotDemoted,
    /// No such list in the live set.
    #[error("the live rule set declares no such list")]
    UnknownList,
    /// An end that has passed already, or is too far away.
    #[error("the end is in the past or more than 31 days away")]
    End,
    /// Nobody is named.
    #[error("somebody has to answer for it")]
    Nobody,
    /// Too many rule sets are kept.
    #[error("there are {VERSIONS_MAX} rule sets: withdraw some")]
    TooMany,
}

impl State {
    /// The fixed name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow(_) => "in shadow",
            Self::Requested { .. } => "requested",
            Self::Live(_) => "live",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Register {
    /// The set of that version.
    #[must_use]
    pub fn version(&self, digest: &str) -> Option<&Version> {
        self.sets.get(digest)
    }

    /// All of them, by version.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.sets.iter().map(|(digest, version)| (digest.as_str(), version))
    }

    /// The version of the live set.
    #[must_use]
    pub fn live(&self) -> Option<&str> {
        self.live.as_deref()
    }

    /// Rules of the live set that the breaker put into shadow.
    #[must_use]
    pub fn demoted(&self) -> &BTreeSet<String> {
        &self.demoted
    }

    /// Puts a file down.
    ///
    /// # Errors
    /// [`Refusal::NotChecked`] with every problem of the file; [`Refusal::Known`].
    pub fn draft(&self, text: &str, by: &str, at: Timestamp) -> Result<Change, Refusal> {
        let by = somebody(by)?;
        RuleSet::parse(text).map_err(Refusal::NotChecked)?;
        let digest = digest_of(text);
        if self.sets.contains_key(&digest) {
            return Err(Refusal::Known);
        }
        if self.sets.len() >= VERSIONS_MAX {
            return Err(Refusal::TooMany);
        }
        Ok(Change::Drafted { digest, text: text.to_owned(), by, at })
    }

    /// Lets a set run beside the live one.
    ///
    /// # Errors
    /// [`Refusal::WrongState`] unless it is a draft or withdrawn.
    pub fn shadow(&self, digest: &str, by: &str, at: Timestamp) -> Result<Change, Refusal> {
        match &self.known(digest)?.state {
            State::Draft | State::Withdrawn => {
                Ok(Change::Shadowed { digest: digest.to_owned(), by: somebody(by)?, at })
            }
            other => Err(Refusal::WrongState { is: other.name(), must: "draft" }),
        }
    }

    /// Asks for a set to become live.
    ///
    /// # Errors
    /// [`Refusal::WrongState`] unless it is in shadow.
    pub fn request(&self, digest: &str, by: &str, at: Timestamp) -> Result<Change, Refusal> {
        match &self.known(digest)?.state {
            State::Shadow(_) => Ok(Change::Requested { digest: digest.to_owned(), by: somebody(by)?, at }),
            other => Err(Refusal::WrongState { is: other.name(), must: "in shadow" }),
        }
    }

    /// Agrees that it becomes live.
    ///
    /// # Errors
    /// [`Refusal::SamePerson`]; [`Refusal::WrongState`] unless somebody asked.
    pub fn activate(&self, digest: &str, by: &str, at: Timestamp) -> Result<Change, Refusal> {
        let approved_by = somebody(by)?;
        match &self.known(digest)?.state {
            State::Requested { by: requested_by, .. } if is_same(requested_by, by) => {
                Err(Refusal::SamePerson)
            }
            State::Requested { by: requested_by, .. } => Ok(Change::Activated {
                digest: digest.to_owned(),
                requested_by: requested_by.clone(),
                approved_by,
                at,
            }),
            other => Err(Refusal::WrongState { is: other.name(), must: "requested" }),
        }
    }

    /// Takes a set back. One person may do that, at once: it only makes rules act less.
    ///
    /// # Errors
    /// [`Refusal::WrongState`] when it is withdrawn already.
    pub fn withdraw(&self, digest: &str, by: &str, at: Timestamp) -> Result<Change, Refusal> {
        match &self.known(digest)?.state {
            State::Withdrawn => Err(Refusal::WrongState { is: "withdrawn", must: "at work" }),
            _ => Ok(Change::Withdrawn { digest: digest.to_owned(), by: somebody(by)?, at }),
        }
    }

    /// Puts a demoted rule back.
    ///
    /// # Errors
    /// [`Refusal::SamePerson`]; [`Refusal::NotDemoted`].
    pub fn restore(
        &self,
        rule: &str,
        requested_by: &str,
        approved_by: &str,
        at: Timestamp,
    ) -> Result<Change, Refusal> {
        let digest = self.live.clone().ok_or(Refusal::UnknownVersion)?;
        if !self.demoted.contains(rule) {
            return Err(Refusal::NotDemoted);
        }
        if is_same(requested_by, approved_by) {
            return Err(Refusal::SamePerson);
        }
        let (requested_by, approved_by) = (somebody(requested_by)?, somebody(approved_by)?);
        Ok(Change::Restored { rule: rule.to_owned(), digest, requested_by, approved_by, at })
    }

    /// Lets a rule of the live set leave a card, terminal, shop or BIN in peace for a while.
    ///
    /// # Errors
    /// [`Refusal::UnknownRule`]; [`Refusal::End`].
    pub fn snooze(
        &self,
        rule: &str,
        member: &str,
        until: Timestamp,
        (by, why): (&str, &str),
        at: Timestamp,
    ) -> Result<Change, Refusal> {
        let set = self.live_set()?;
        if !set.rules().any(|known| known.id == rule) {
            return Err(Refusal::UnknownRule);
        }
        if until <= at || until.since_ms(at) > SNOOZE_MS_MAX {
            return Err(Refusal::End);
        }
        Ok(Change::Snoozed {
            rule: rule.to_owned(),
            member: somebody(member)?,
            until,
            by: somebody(by)?,
            why: why.to_owned(),
            at,
        })
    }

    /// Enters something in a list of the live set.
    ///
    /// # Errors
    /// [`Refusal::UnknownList`]; [`Refusal::End`].
    pub fn list(
        &self,
        list: &str,
        member: &str,
        until: Option<Timestamp>,
        (by, why): (&str, &str),
        at: Timestamp,
    ) -> Result<Change, Refusal> {
        if !self.live_set()?.lists().contains_key(list) {
            return Err(Refusal::UnknownList);
        }
        if until.is_some_and(|until| until <= at) {
            return Err(Refusal::End);
        }
        Ok(Change::Listed {
            list: list.to_owned(),
            member: somebody(member)?,
            until,
            by: somebody(by)?,
            why: why.to_owned(),
            at,
        })
    }

    /// Takes over a change that was kept.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Drafted { digest, text, by, at } => {
                let version =
                    Version { text: text.clone(), author: by.clone(), drafted: *at, state: State::Draft };
                self.sets.insert(digest.clone(), version);
            }
            Change::Shadowed { digest, at, .. } => self.set_state(digest, State::Shadow(*at)),
            Change::Requested { digest, by, at } => {
                let shadow = match self.sets.get(digest).map(|version| &version.state) {
                    Some(State::Shadow(since)) => *since,
                    _ => *at,
                };
                self.set_state(digest, State::Requested { by: by.clone(), shadow });
            }
            Change::Activated { digest, at, .. } => {
                if let Some(before) = self.live.replace(digest.clone()) {
                    self.set_state(&before, State::Withdrawn);
                }
                self.demoted.clear();
                self.set_state(digest, State::Live(*at));
            }
            Change::Withdrawn { digest, .. } => {
                if self.live.as_ref() == Some(digest) {
                    self.live = None;
                    self.demoted.clear();
                }
                self.set_state(digest, State::Withdrawn);
            }
            Change::Demoted { rule, digest, .. } if self.live.as_ref() == Some(digest) => {
                self.demoted.insert(rule.clone());
            }
            Change::Restored { rule, digest, .. } if self.live.as_ref() == Some(digest) => {
                self.demoted.remove(rule);
            }
            Change::Demoted { .. }
            | Change::Restored { .. }
            | Change::Snoozed { .. }
            | Change::SnoozeEnded { .. }
            | Change::Listed { .. }
            | Change::Unlisted { .. } => {}
        }
    }

    fn set_state(&mut self, digest: &str, state: State) {
        if let Some(version) = self.sets.get_mut(digest) {
            version.state = state;
        }
    }

    fn known(&self, digest: &str) -> Result<&Version, Refusal> {
        self.sets.get(digest).ok_or(Refusal::UnknownVersion)
    }

    fn live_set(&self) -> Result<RuleSet, Refusal> {
        let version = self.known(self.live.as_deref().ok_or(Refusal::UnknownVersion)?)?;
        RuleSet::parse(&version.text).map_err(Refusal::NotChecked)
    }
}

fn somebody(by: &str) -> Result<String, Refusal> {
    let by = by.trim();
    if by.is_empty() { Err(Refusal::Nobody) } else { Ok(by.to_owned()) }
}

/// Names are compared as people write them: nobody becomes a second person with another capital letter.
fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
