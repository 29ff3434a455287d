//! Tokens for programs: made by a person, with at most what that person may do, for a limited time. A program is nobody's second
//! pair of eyes.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, is_name},
    actor::Actor,
    permission::{Permission, Permissions},
    session::{Token, TokenHash},
};

/// Every token begins so, that a scanner finds one that was left in a file.
pub const PREFIX: &str = "pinward_";
/// The longest life, in days.
pub const DAYS_MAX: u16 = 365;
/// Tokens that one account may have at once.
pub const AT_ONCE: usize = 20;
/// A use is written down at most so often, in seconds.
const USED_EVERY_S: i64 = 600;
const DAY_S: i64 = 86_400;

/// A token as its program shows it.
#[must_use]
pub fn reveal(token: &Token) -> String {
    format!("{PREFIX}{}", token.reveal())
}

/// A token as a program sent it; whether it is one shows when it is looked up.
#[must_use]
pub fn sent(text: &str) -> Option<Token> {
    text.strip_prefix(PREFIX).and_then(Token::sent)
}

/// What somebody wants a token for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What its owner calls it: small letters, digits, dots, dashes.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<Permission>,
    /// For so many days.
    pub days: u16,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum TokenFact {
    /// Made.
    Made {
        /// What its owner calls it.
        name: String,
        /// Whose it is.
        owner: String,
        /// Who made it.
        by: String,
        /// What it may do.
        scopes: Vec<Permission>,
        /// All that is kept of it.
        hash: TokenHash,
        /// Worth nothing from then on.
        until: Timestamp,
    },
    /// Used, for the first time since a while.
    Used,
    /// Revoked.
    Revoked {
        /// By whom.
        by: String,
    },
}

/// A token for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its public id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Who made it.
    pub by: String,
    /// What it may do, as far as its owner may.
    pub scopes: Vec<Permission>,
    /// All that is kept of it.
    pub hash: TokenHash,
    /// Made.
    pub since: Timestamp,
    /// Worth nothing from then on.
    pub until: Timestamp,
    /// Last used, to within ten minutes.
    pub used: Option<Timestamp>,
    /// Revoked, by whom and when.
    pub revoked: Option<(String, Timestamp)>,
    /// Number of its last fact.
    pub seq: u32,
}

/// Why a token is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// Its name is none.
    #[error("a token's name is of small letters, digits, dots and dashes")]
    Name,
    /// It would live for ever, or not at all.
    #[error("a token lives 1 to {DAYS_MAX} days")]
    Days,
    /// It may do nothing.
    #[error("a token needs a scope")]
    NoScope,
    /// More than its owner, or whoever makes it, may do.
    #[error("{0} is more than its owner, or whoever makes the token, may do")]
    TooMuch(Permission),
    /// Two people are needed: a program is none of them.
    #[error("a token cannot make tokens")]
    Program,
}

impl NewToken {
    /// May it be made? Nobody gives away what they do not have, to nobody who does not have it either: who opens accounts sees no
    /// card, not even through a token.
    ///
    /// # Errors
    /// [`NotMade`].
    pub fn check(&self, table: &Permissions, by: &Actor, owner: &Account) -> Result<(), NotMade> {
        if by.is_program() {
            return Err(NotMade::Program);
        }
        if !is_name(&self.name) {
            return Err(NotMade::Name);
        }
        if self.days == 0 || self.days > DAYS_MAX {
            return Err(NotMade::Days);
        }
        if self.scopes.is_empty() {
            return Err(NotMade::NoScope);
        }
        let within = |scope: &Permission| table.allows(&owner.roles, *scope) && by.may(table, *scope).is_ok();
        match self.scopes.iter().find(|scope| !within(scope)) {
            Some(scope) => Err(NotMade::TooMuch(*scope)),
            None => Ok(()),
        }
    }

    /// The first fact of the token.
    #[must_use]
    pub fn made(&self, by: &Actor, hash: TokenHash, now: Timestamp) -> TokenFact {
        let mut scopes = self.scopes.clone();
        scopes.sort_unstable();
        scopes.dedup();
        TokenFact::Made {
            name: self.name.clone(),
            owner: self.owner.clone(),
            by: by.name.clone(),
            scopes,
            hash,
            until: now.plus_s(i64::from(self.days) * DAY_S),
        }
    }
}

impl ApiToken {
    /// The token after its first fact, if that made it.
    #[must_use]
    pub fn open(id: &str, at: Timestamp, fact: &TokenFact) -> Option<Self> {
        let TokenFact::Made { name, owner, by, scopes, hash, until } = fact else { return None };
        Some(Self {
            id: id.to_owned(),
            name: name.clone(),
            owner: owner.clone(),
            by: by.clone(),
            scopes: scopes.clone(),
            hash: hash.clone(),
            since: at,
            until: *until,
            used: None,
            revoked: None,
            seq: 1,
        })
    }

    /// Folds the next fact.
    pub fn apply(&mut self, at: Timestamp, fact: &TokenFact) {
        self.seq += 1;
        match fact {
            TokenFact::Made { .. } => {}
            TokenFact::Used => self.used = Some(at),
            // The first one counts.
            TokenFact::Revoked { by } => {
                self.revoked.get_or_insert_with(|| (by.clone(), at));
            }
        }
    }

    /// Is it worth something?
    #[must_use]
    pub fn lives(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && now < self.until
    }

    /// Is it time to write down that it is used?
    #[must_use]
    pub fn use_is_news(&self, now: Timestamp) -> bool {
        self.used.is_none_or(|used| now >= used.plus_s(USED_EVERY_S))
    }

    /// Whoever has it, as long as its owner may be here. What it may do is what its owner may do *now*, within its scopes.
    #[must_use]
    pub fn actor(&self, owner: &Account) -> Actor {
        Actor {
            name: format!("token:{}/{}", self.owner, self.name),
            person: owner.person.clone(),
            roles: owner.roles.clone(),
            session: format!("token:{}", self.id),
            device: format!("token:{}", self.id),
            scopes: Some(self.scopes.clone()),
        }
    }
}
