//! Sessions: a random token that only the browser has, its hash that we keep, and three ways to end: idle, too old, revoked.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::permission::Role;

/// Bytes of a token.
pub const TOKEN_LEN: usize = 32;

/// What the browser has. Never printed, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// From random bytes.
    #[must_use]
    pub fn new(random: [u8; TOKEN_LEN]) -> Self {
        Self(BASE64.encode(random))
    }

    /// As a browser sent it; whether it is one shows when it is looked up.
    #[must_use]
    pub fn sent(text: &str) -> Option<Self> {
        (text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
            .then(|| Self(text.to_owned()))
    }

    /// For the cookie or the link.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(BASE64.encode(Sha256::digest(self.0.as_bytes())))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// SHA-256 of a token: who reads what we keep cannot sign in with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    /// The whole of it, to be kept in place of the token.
    #[must_use]
    pub fn whole(&self) -> &str {
        &self.0
    }

    /// A short public name, for the audit log and the list of sessions.
    #[must_use]
    pub fn public(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionPolicy {
    /// Without a request it ends after so many seconds (OWASP ASVS 3.3.2).
    pub idle_s: u32,
    /// It ends after so many seconds whatever happens.
    pub absolute_s: u32,
    /// What needs a fresh proof needs one that is at most so many seconds old.
    pub fresh_s: u32,
    /// Sessions that one account may have at once; the oldest ends.
    pub at_once: u8,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { idle_s: 900, absolute_s: 12 * 3_600, fresh_s: 300, at_once: 3 }
    }
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its token's hash.
    pub token: TokenHash,
    /// Whose.
    pub account: String,
    /// On which device: the hash of what the browser was given at its first visit.
    pub device: String,
    /// Since when.
    pub since: Timestamp,
    /// When the person last proved who they are.
    pub proven: Timestamp,
    /// The last request.
    pub seen: Timestamp,
    /// The roles that a provider of identities confirmed at the sign-in; without one, all that the account has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Nobody used it.
    Idle,
    /// It was as old as it may become.
    TooOld,
}

impl Session {
    /// Is it over, and why?
    #[must_use]
    pub fn ended(&self, policy: &SessionPolicy, now: Timestamp) -> Option<Ended> {
        if now >= self.since.plus_s(i64::from(policy.absolute_s)) {
            Some(Ended::TooOld)
        } else if now >= self.seen.plus_s(i64::from(policy.idle_s)) {
            Some(Ended::Idle)
        } else {
            None
        }
    }

    /// Was the person asked who they are recently enough for what needs it?
    #[must_use]
    pub fn is_fresh(&self, policy: &SessionPolicy, now: Timestamp) -> bool {
        now < self.proven.plus_s(i64::from(policy.fresh_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_idle_or_old() {
        let policy = SessionPolicy::default();
        let start = Timestamp(1_700_000_000_000);
        let token = Token::new([1; TOKEN_LEN]);
        let mut session = Session {
            token: token.hash(),
            account: "li.na".into(),
            device: "d".into(),
            since: start,
            proven: start,
            seen: start,
            roles: None,
        };
        assert_eq!(session.ended(&policy, start.plus_s(899)), None);
        assert_eq!(session.ended(&policy, start.plus_s(900)), Some(Ended::Idle));
        session.seen = start.plus_s(12 * 3_600 - 10);
        assert_eq!(session.ended(&policy, start.plus_s(12 * 3_600 - 1)), None);
        assert_eq!(session.ended(&policy, start.plus_s(12 * 3_600)), Some(Ended::TooOld));
        assert!(session.is_fresh(&policy, start.plus_s(299)));
        assert!(!session.is_fresh(&policy, start.plus_s(300)));
    }

    #[test]
    fn what_is_kept_is_not_what_the_browser_has() {
        let token = Token::new([3; TOKEN_LEN]);
        assert_eq!(Token::sent(token.reveal()).unwrap().hash(), token.hash());
        assert!(!serde_json::to_string(&token.hash()).unwrap().contains(token.reveal()));
        assert!(!format!("{token:?}").contains(token.reveal()));
        for nonsense in ["", "short", &"a".repeat(44), &"é".repeat(22)] {
            assert_eq!(Token::sent(nonsense), None);
        }
    }
}
