//! Everything that the office knows, folded from the book.

use std::collections::BTreeMap;

use audit::{Hash, Record, Tree, record::NO_RECORD};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use staff::{
    Account, AccountFact, ApiToken, Proposal, ProposalFact, Session, api_token::TokenFact, session::TokenHash,
};
use store::{StoreError, book::Fact};

/// Streams of accounts begin so.
pub(crate) const ACCOUNTS: &str = "staff/";
/// The stream of sessions.
pub(crate) const SESSIONS: &str = "sessions";
/// Streams of proposals begin so.
pub(crate) const PROPOSALS: &str = "proposals/";
/// Streams of programs' tokens begin so.
pub(crate) const TOKENS: &str = "tokens/";
/// The stream of the audit log.
pub(crate) const AUDIT: &str = "audit";
/// The kind of a record in it: the body is the record's line.
pub(crate) const RECORD: &str = "record";
/// The kind of a signed checkpoint in it: the body is the note.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// What became of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub(crate) enum SessionFact {
    /// Begun.
    Begun {
        /// It.
        session: Session,
    },
    /// Ended: signed out, or revoked.
    Ended {
        /// Its token's hash.
        token: TokenHash,
    },
}

/// The office as the book has it.
#[derive(Default)]
pub struct Office {
    pub(crate) place: u64,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) sessions: BTreeMap<TokenHash, Session>,
    pub(crate) sessions_seq: u32,
    pub(crate) proposals: BTreeMap<String, Proposal>,
    /// By their ids.
    pub(crate) tokens: BTreeMap<String, ApiToken>,
    pub(crate) token_ids: BTreeMap<TokenHash, String>,
    pub(crate) audit_seq: u32,
    pub(crate) tree: Tree,
    pub(crate) last: Option<Hash>,
}

impl Office {
    /// Folds one fact; those of others' streams are passed over.
    pub(crate) fn apply(&mut self, fact: &Fact) -> Result<(), StoreError> {
        if let Some(name) = fact.stream.strip_prefix(ACCOUNTS) {
            self.account(name, fact)?;
        } else if let Some(id) = fact.stream.strip_prefix(PROPOSALS) {
            self.proposal(id, fact)?;
        } else if let Some(id) = fact.stream.strip_prefix(TOKENS) {
            self.token(id, fact)?;
        } else if fact.stream == SESSIONS {
            self.session(fact)?;
        } else if fact.stream == AUDIT {
            self.audit_seq = fact.seq;
            if fact.kind == RECORD {
                let leaf = Record::hash(&text(fact)?);
                self.tree.push(leaf);
                self.last = Some(leaf);
            }
        }
        Ok(())
    }

    fn account(&mut self, name: &str, fact: &Fact) -> Result<(), StoreError> {
        let what: AccountFact = fact.read()?;
        match self.accounts.get_mut(name) {
            Some(account) => {
                account.apply(fact.at, &what);
                if !account.is_usable() {
                    self.sessions.retain(|_, session| session.account != name);
                }
            }
            None => {
                let opened = Account::open(name, &what).ok_or_else(|| {
                    StoreError::Corrupt(format!("{}: the first fact does not open an account", fact.stream))
                })?;
                self.accounts.insert(name.to_owned(), opened);
            }
        }
        Ok(())
    }

    fn session(&mut self, fact: &Fact) -> Result<(), StoreError> {
        self.sessions_seq = fact.seq;
        match fact.read()? {
            SessionFact::Begun { session } => {
                self.sessions.insert(session.token.clone(), session);
            }
            SessionFact::Ended { token } => {
                self.sessions.remove(&token);
            }
        }
        Ok(())
    }

    fn token(&mut self, id: &str, fact: &Fact) -> Result<(), StoreError> {
        let what: TokenFact = fact.read()?;
        if let Some(token) = self.tokens.get_mut(id) {
            token.apply(fact.at, &what);
            return Ok(());
        }
        let made = ApiToken::open(id, fact.at, &what)
            .ok_or_else(|| StoreError::Corrupt(format!("{}: the first fact makes no token", fact.stream)))?;
        self.token_ids.insert(made.hash.clone(), id.to_owned());
        self.tokens.insert(id.to_owned(), made);
        Ok(())
    }

    fn proposal(&mut self, id: &str, fact: &Fact) -> Result<(), StoreError> {
        let what: ProposalFact = fact.read()?;
        match self.proposals.get_mut(id) {
            Some(proposal) => proposal.apply(&what),
            None => {
                let opened = Proposal::open(fact.at, &what).ok_or_else(|| {
                    StoreError::Corrupt(format!("{}: the first fact proposes nothing", fact.stream))
                })?;
                self.proposals.insert(id.to_owned(), opened);
            }
        }
        Ok(())
    }

    /// The leaf hash that the next record holds.
    pub(crate) fn previous(&self) -> Hash {
        self.last.unwrap_or(NO_RECORD)
    }

    /// Drops sessions that are over.
    pub(crate) fn tidy(&mut self, policy: &staff::SessionPolicy, now: Timestamp) {
        self.sessions.retain(|_, session| session.ended(policy, now).is_none());
    }
}

/// The body of a fact as text.
pub(crate) fn text(fact: &Fact) -> Result<String, StoreError> {
    String::from_utf8(fact.body.clone())
        .map_err(|_| StoreError::Corrupt(format!("fact {} of {} is no text", fact.seq, fact.stream)))
}
