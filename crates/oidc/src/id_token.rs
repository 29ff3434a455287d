//! The ID token: a signed statement of the provider (OpenID Connect Core 1.0 §2), and everything that must fit before it is
//! believed (§3.1.3.7).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, Keys};

/// Clocks may differ so much, in seconds.
const SKEW_S: i64 = 60;
/// A statement is about a sign-in that was just now: it is at most so old, in seconds.
const AGE_MAX_S: i64 = 900;
/// The longest token.
const TOKEN_MAX: usize = 16 * 1024;
/// The longest subject (§2).
const SUBJECT_MAX: usize = 255;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBelieved {
    #[error("it is no ID token")]
    Malformed,
    #[error("its algorithm is not RS256 or ES256")]
    Algorithm,
    #[error("no key of the provider made its signature")]
    Signature,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for another client")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not of now")]
    Time,
    #[error("it is not for this sign-in: the nonce differs")]
    Nonce,
    #[error("the provider did not authenticate strongly enough")]
    Method,
}

/// What must fit.
pub(crate) struct Expected<'e> {
    pub(crate) issuer: &'e str,
    pub(crate) client_id: &'e str,
    pub(crate) nonce: &'e str,
    /// One of these must be among its methods, if any are named.
    pub(crate) amr: &'e [String],
    /// Seconds since 1970.
    pub(crate) now: i64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Claims of a token that is believed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    pub(crate) sub: String,
    aud: OneOrMore,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// A token in its parts, not believed yet.
pub(crate) struct Parts<'t> {
    header: Header,
    signed: &'t str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Parts<'t> {
    pub(crate) fn of(token: &'t str) -> Result<Self, NotBelieved> {
        let cut = || {
            let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_MAX)?;
            let (header, claims) = signed.split_once('.')?;
            Some(Self {
                header: serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?,
                signed,
                claims: BASE64.decode(claims).ok()?,
                signature: BASE64.decode(signature).ok()?,
            })
        };
        cut().ok_or(NotBelieved::Malformed)
    }

    /// The name of the key that signed it.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The claims, if everything fits.
    pub(crate) fn believe(&self, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, NotBelieved> {
        // What is critical and not understood must be refused (RFC 7515 §4.1.11), and we understand none.
        let algorithm = Algorithm::named(&self.header.alg).filter(|_| self.header.crit.is_none());
        let algorithm = algorithm.ok_or(NotBelieved::Algorithm)?;
        if !keys.verify(algorithm, self.key_id(), self.signed.as_bytes(), &self.signature) {
            return Err(NotBelieved::Signature);
        }
        let claims: Claims = serde_json::from_slice(&self.claims).map_err(|_| NotBelieved::Malformed)?;
        claims.check(expected)?;
        Ok(claims)
    }
}

impl Claims {
    fn check(&self, expected: &Expected<'_>) -> Result<(), NotBelieved> {
        if self.sub.is_empty() || self.sub.len() > SUBJECT_MAX {
            return Err(NotBelieved::Malformed);
        }
        if self.iss != expected.issuer {
            return Err(NotBelieved::Issuer);
        }
        let (ours, several) = match &self.aud {
            OneOrMore::One(aud) => (aud == expected.client_id, false),
            OneOrMore::More(all) => (all.iter().any(|aud| aud == expected.client_id), all.len() > 1),
        };
        let authorized = self.azp.as_deref().map_or(!several, |azp| azp == expected.client_id);
        if !ours || !authorized {
            return Err(NotBelieved::Audience);
        }
        if expected.now >= self.exp.saturating_add(SKEW_S) {
            return Err(NotBelieved::Expired);
        }
        let age = expected.now.saturating_sub(self.iat);
        if !(-SKEW_S..=AGE_MAX_S).contains(&age) {
            return Err(NotBelieved::Time);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(NotBelieved::Nonce);
        }
        if !expected.amr.is_empty() && !self.amr.iter().any(|method| expected.amr.contains(method)) {
            return Err(NotBelieved::Method);
        }
        Ok(())
    }

    /// The mail address, if the provider has verified it.
    pub(crate) fn verified_email(&self) -> Option<String> {
        self.email.clone().filter(|_| self.email_verified)
    }

    /// The values of a claim that is text or a list of texts.
    pub(crate) fn values(&self, claim: &str) -> Vec<&str> {
        match self.others.get(claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}
