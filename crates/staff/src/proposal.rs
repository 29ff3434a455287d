//! An action that needs a second person is a proposal first: what will happen, asked for by one, approved by another, done
//! once, and void when nobody answers in time.

use model::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    actor::Actor,
    permission::{Permission, Permissions},
};

/// A proposal waits for so long, in seconds.
pub const OPEN_S: i64 = 30 * 60;

/// Who took part, as far as it decides whether two are two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The account.
    pub name: String,
    /// The person.
    pub person: String,
    /// The session.
    pub session: String,
    /// The device.
    pub device: String,
}

impl From<&Actor> for Party {
    fn from(actor: &Actor) -> Self {
        Self {
            name: actor.name.clone(),
            person: actor.person.clone(),
            session: actor.session.clone(),
            device: actor.device.clone(),
        }
    }
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum ProposalFact {
    /// Asked for.
    Proposed {
        /// What kind of action.
        permission: Permission,
        /// The action itself, as the program will do it.
        action: String,
        /// What it will do, in words, as it was shown to who asked.
        consequence: String,
        /// Why.
        why: String,
        /// Who asked.
        maker: Party,
        /// Void from then on.
        until: Timestamp,
    },
    /// Approved by a second person, who saw exactly this.
    Approved {
        /// Who.
        checker: Party,
    },
    /// Turned down.
    Declined {
        /// Who.
        checker: Party,
        /// Why.
        why: String,
    },
    /// Taken back by who asked.
    Withdrawn,
    /// Done.
    Done {
        /// What came of it.
        result: String,
    },
}

/// Where a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// Waits for a second person.
    Open,
    /// Approved and not done yet.
    Approved {
        /// By whom.
        checker: Party,
    },
    /// Turned down.
    Declined {
        /// By whom.
        checker: Party,
        /// Why.
        why: String,
    },
    /// Taken back.
    Withdrawn,
    /// Done.
    Done {
        /// Who approved it.
        checker: Party,
        /// What came of it.
        result: String,
    },
}

/// One proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// What kind of action.
    pub permission: Permission,
    /// The action itself.
    pub action: String,
    /// What it will do, in words.
    pub consequence: String,
    /// Why.
    pub why: String,
    /// Who asked.
    pub maker: Party,
    /// When.
    pub asked: Timestamp,
    /// Void from then on.
    pub until: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    pub status: Status,
    /// Number of its last fact.
    pub seq: u32,
}

/// Why an approval does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// Not a role that may be the second person.
    #[error("this role may not approve it")]
    Role,
    /// The same account or person.
    #[error("whoever asked may not approve")]
    SamePerson,
    /// The same session.
    #[error("it was asked for in this session")]
    SameSession,
    /// The same device.
    #[error("it was asked for on this device")]
    SameDevice,
    /// Too late.
    #[error("it waited too long")]
    Expired,
    /// It is not open any more.
    #[error("it is not open any more")]
    NotOpen,
    /// What was shown is not what would happen.
    #[error("it is not what was shown")]
    Changed,
}

impl Proposal {
    /// The proposal after its first fact.
    #[must_use]
    pub fn open(at: Timestamp, fact: &ProposalFact) -> Option<Self> {
        let ProposalFact::Proposed { permission, action, consequence, why, maker, until } = fact else {
            return None;
        };
        Some(Self {
            permission: *permission,
            action: action.clone(),
            consequence: consequence.clone(),
            why: why.clone(),
            maker: maker.clone(),
            asked: at,
            until: *until,
            status: Status::Open,
            seq: 1,
        })
    }

    /// Folds the next fact.
    pub fn apply(&mut self, fact: &ProposalFact) {
        self.seq += 1;
        self.status = match (fact, &self.status) {
            (ProposalFact::Approved { checker }, Status::Open) => {
                Status::Approved { checker: checker.clone() }
            }
            (ProposalFact::Declined { checker, why }, Status::Open) => {
                Status::Declined { checker: checker.clone(), why: why.clone() }
            }
            (ProposalFact::Withdrawn, Status::Open) => Status::Withdrawn,
            (ProposalFact::Done { result }, Status::Approved { checker }) => {
                Status::Done { checker: checker.clone(), result: result.clone() }
            }
            (_, status) => status.clone(),
        };
    }

    /// A digest of what will happen: an approver says which one was shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut digest = Sha256::new();
        for part in [self.permission.name(), &self.action, &self.consequence, &self.why, &self.maker.name] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// May this actor approve what was shown, now?
    ///
    /// # Errors
    /// [`NotApproved`].
    pub fn approve(
        &self,
        table: &Permissions,
        by: &Actor,
        shown: &str,
        now: Timestamp,
    ) -> Result<ProposalFact, NotApproved> {
        if self.status != Status::Open {
            return Err(NotApproved::NotOpen);
        }
        if now >= self.until {
            return Err(NotApproved::Expired);
        }
        if !by.may_approve(table, self.permission) {
            return Err(NotApproved::Role);
        }
        let checker = Party::from(by);
        if checker.name == self.maker.name || checker.person == self.maker.person {
            return Err(NotApproved::SamePerson);
        }
        if checker.session == self.maker.session {
            return Err(NotApproved::SameSession);
        }
        if checker.device == self.maker.device {
            return Err(NotApproved::SameDevice);
        }
        if shown != self.shown() {
            return Err(NotApproved::Changed);
        }
        Ok(ProposalFact::Approved { checker })
    }

    /// The action, as the program does it.
    #[must_use]
    pub fn read<T: DeserializeOwned>(&self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        matches!(self.status, Status::Approved { .. }).then(|| read(&self.action)).flatten()
    }
}
