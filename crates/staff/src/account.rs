//! An account is the fold of its facts. There is no default password: an account is opened with a link that works once, and
//! whoever has it chooses password and second factor.

use model::Timestamp;
use passkey::{Credential, CredentialId};
use serde::{Deserialize, Serialize};

use crate::{
    federation::{Binding, Confirmed},
    password::PasswordHash,
    permission::Role,
    session::{Token, TokenHash},
};

/// Wrong proofs in a row before the account waits.
const FAILURES_FREE: u32 = 5;
/// The first wait, in seconds; each further failure doubles it.
const WAIT_S: i64 = 60;
/// The longest wait, in seconds: a lock that anybody could cause must end by itself.
const WAIT_MAX_S: i64 = 3_600;
/// A link works for so long, in seconds.
pub const LINK_S: i64 = 15 * 60;
/// The longest user name.
pub const NAME_MAX: usize = 64;
/// Passkeys that one account may have.
pub const PASSKEYS_MAX: usize = 10;
/// The longest name of a passkey, in characters.
pub const LABEL_MAX: usize = 64;

/// What became of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum AccountFact {
    /// Opened, with a link to set it up.
    Opened {
        /// The person's name, for people.
        display: String,
        /// Which person: two accounts of one person are one pair of eyes.
        person: String,
        /// What they are.
        roles: Vec<Role>,
        /// The hash of the link's token.
        link: TokenHash,
        /// The link works until then.
        until: Timestamp,
    },
    /// A new link; password and second factors are void until it is used.
    LinkRenewed {
        /// The hash of the link's token.
        link: TokenHash,
        /// The link works until then.
        until: Timestamp,
    },
    /// The link was used: password and one-time codes are set.
    SetUp {
        /// The password.
        password: PasswordHash,
        /// The secret of the one-time codes, sealed by the store's key.
        totp_sealed: String,
        /// The step whose code proved that the app works.
        step: i64,
    },
    /// Another password.
    PasswordChanged {
        /// The password.
        password: PasswordHash,
    },
    /// A passkey was added.
    PasskeyAdded {
        /// What its owner calls it.
        label: String,
        /// Its public part.
        credential: Credential,
        /// The challenge that it answered.
        answered: UsedChallenge,
    },
    /// Signed in with a passkey: it counts on, and its challenge is used up.
    PasskeyUsed {
        /// Its public part after that.
        credential: Credential,
        /// The challenge that it answered.
        answered: UsedChallenge,
    },
    /// A passkey was taken away.
    PasskeyRemoved {
        /// Its name.
        id: CredentialId,
    },
    /// It belongs to this person at a provider of identities, in place of any other there.
    Bound {
        /// Whom.
        binding: Binding,
    },
    /// It belongs to nobody at this provider any more.
    Unbound {
        /// The provider.
        issuer: String,
    },
    /// Other roles.
    RolesChanged {
        /// All of them.
        roles: Vec<Role>,
    },
    /// Closed: nobody signs in any more.
    Closed,
    /// Opened again; a new link is needed.
    Reopened,
    /// A proof was wrong.
    Failed,
    /// Signed in.
    SignedIn {
        /// The step of the one-time code that was used, if one was.
        step: Option<i64>,
    },
}

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// What its owner calls it.
    pub label: String,
    /// Its public part.
    pub credential: Credential,
    /// Since when.
    pub added: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
}

/// A challenge that a passkey answered. It is remembered for as long as it would be good, so that it is answered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedChallenge {
    /// Names it.
    pub name: String,
    /// It could be answered until then.
    pub until: Timestamp,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user name.
    pub name: String,
    /// The person's name, for people.
    pub display: String,
    /// Which person.
    pub person: String,
    /// What they are.
    pub roles: Vec<Role>,
    /// Is it closed?
    pub closed: bool,
    /// A link that was not used yet, and until when it works.
    pub link: Option<(TokenHash, Timestamp)>,
    /// The password, once it is set up.
    pub password: Option<PasswordHash>,
    /// The secret of the one-time codes, sealed.
    pub totp_sealed: Option<String>,
    /// The newest step whose code was used.
    pub step: Option<i64>,
    /// Passkeys.
    pub passkeys: Vec<Passkey>,
    /// Challenges that passkeys answered a short time ago.
    pub answered: Vec<UsedChallenge>,
    /// Whom it belongs to at providers of identities.
    pub bindings: Vec<Binding>,
    /// Wrong proofs since the last right one.
    pub failures: u32,
    /// When the last one was.
    pub failed: Option<Timestamp>,
    /// The last sign-in.
    pub signed_in: Option<Timestamp>,
    /// Number of its last fact.
    pub seq: u32,
}

/// Why somebody is not let in. To the outside all are one: "not signed in".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Closed.
    #[error("the account is closed")]
    Closed,
    /// Never set up, or its factors are void.
    #[error("the account is not set up")]
    NotSetUp,
    /// Too many wrong proofs: it waits.
    #[error("too many wrong proofs; the next is looked at from {0:?} on")]
    Waits(Timestamp),
    /// The link is another one, was used, or is too old.
    #[error("the link is used or too old")]
    Link,
}

impl Account {
    /// The account after its first fact, if that opened it.
    #[must_use]
    pub fn open(name: &str, fact: &AccountFact) -> Option<Self> {
        let AccountFact::Opened { display, person, roles, link, until } = fact else { return None };
        Some(Self {
            name: name.to_owned(),
            display: display.clone(),
            person: person.clone(),
            roles: roles.clone(),
            closed: false,
            link: Some((link.clone(), *until)),
            password: None,
            totp_sealed: None,
            step: None,
            passkeys: Vec::new(),
            bindings: Vec::new(),
            answered: Vec::new(),
            failures: 0,
            failed: None,
            signed_in: None,
            seq: 1,
        })
    }

    /// Folds the next fact.
    pub fn apply(&mut self, at: Timestamp, fact: &AccountFact) {
        self.seq += 1;
        match fact {
            AccountFact::Opened { .. } => {}
            AccountFact::LinkRenewed { link, until } => self.renew(link, *until),
            AccountFact::SetUp { password, totp_sealed, step } => {
                self.link = None;
                self.password = Some(password.clone());
                self.totp_sealed = Some(totp_sealed.clone());
                self.step = Some(*step);
                self.failures = 0;
            }
            AccountFact::PasswordChanged { password } => self.password = Some(password.clone()),
            AccountFact::PasskeyAdded { label, credential, answered } => {
                let (label, credential) = (label.clone(), credential.clone());
                self.passkeys.push(Passkey { label, credential, added: at, used: None });
                self.remember(at, answered);
            }
            AccountFact::PasskeyUsed { credential, answered } => {
                if let Some(key) = self.passkeys.iter_mut().find(|key| key.credential.id == credential.id) {
                    key.credential.clone_from(credential);
                    key.used = Some(at);
                }
                self.remember(at, answered);
                self.failures = 0;
                self.signed_in = Some(at);
            }
            AccountFact::PasskeyRemoved { id } => self.passkeys.retain(|key| key.credential.id != *id),
            AccountFact::Bound { binding } => {
                self.bindings.retain(|other| other.issuer != binding.issuer);
                self.bindings.push(binding.clone());
            }
            AccountFact::Unbound { issuer } => self.bindings.retain(|other| other.issuer != *issuer),
            AccountFact::RolesChanged { roles } => self.roles.clone_from(roles),
            AccountFact::Closed => self.closed = true,
            AccountFact::Reopened => self.closed = false,
            AccountFact::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.failed = Some(at);
            }
            AccountFact::SignedIn { step } => {
                self.failures = 0;
                self.signed_in = Some(at);
                self.step = step.or(self.step);
            }
        }
    }

    fn remember(&mut self, at: Timestamp, answered: &UsedChallenge) {
        self.answered.retain(|earlier| at < earlier.until);
        self.answered.push(answered.clone());
    }

    /// Its passkey of this name.
    #[must_use]
    pub fn passkey(&self, id: &CredentialId) -> Option<&Passkey> {
        self.passkeys.iter().find(|key| key.credential.id == *id)
    }

    /// Was this challenge answered already?
    #[must_use]
    pub fn has_answered(&self, challenge: &str) -> bool {
        self.answered.iter().any(|answered| answered.name == challenge)
    }

    fn renew(&mut self, link: &TokenHash, until: Timestamp) {
        self.link = Some((link.clone(), until));
        self.password = None;
        self.totp_sealed = None;
        self.passkeys.clear();
        self.bindings.clear();
        self.failures = 0;
    }

    /// Until when wrong proofs make it wait.
    #[must_use]
    pub fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        let over = self.failures.checked_sub(FAILURES_FREE)?;
        let wait = WAIT_S.checked_shl(over.min(16)).unwrap_or(WAIT_MAX_S).min(WAIT_MAX_S);
        self.failed.map(|failed| failed.plus_s(wait)).filter(|until| now < *until)
    }

    /// May a proof be looked at now? Asked before the password is compared: a guess while it waits is no guess.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admits(&self, now: Timestamp) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if let Some(until) = self.waits_until(now) {
            return Err(Refused::Waits(until));
        }
        if self.password.is_none() {
            return Err(Refused::NotSetUp);
        }
        Ok(())
    }

    /// May whoever holds it be here at all: open, and set up?
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.closed && (self.password.is_some() || !self.bindings.is_empty())
    }

    /// Does it belong to this person, and may they be here?
    #[must_use]
    pub fn belongs_to(&self, confirmed: &Confirmed) -> bool {
        !self.closed && self.bindings.iter().any(|binding| binding.is(confirmed))
    }

    /// May it be set up with this token?
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admits_link(&self, token: &Token, now: Timestamp) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        match &self.link {
            Some((link, until)) if *link == token.hash() && now < *until => Ok(()),
            _ => Err(Refused::Link),
        }
    }
}

/// Is it a user name: letters, digits, dot, dash, underscore, beginning with a letter?
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
}
