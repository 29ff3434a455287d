//! One-time codes: six digits, of which a digest is kept. The key of the digest stays with the store's secrets, so that whoever
//! reads the journal cannot try a million codes against it.

use minicbor::{Decode, Encode};
use ring::hmac;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::challenge::ChallengeId;

/// Digits of a code.
pub const CODE_LEN: usize = 6;
/// Codes there are.
const CODES: u32 = 1_000_000;
/// What the digest is for, so that it is none of another use of the key.
const PURPOSE: &[u8] = b"pinward step-up code 1";
/// Bytes of a digest that are kept.
const DIGEST_LEN: usize = 16;

/// The digest of a code of one challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(transparent)]
pub struct CodeDigest(#[cbor(n(0), with = "minicbor::bytes")] [u8; DIGEST_LEN]);

impl CodeDigest {
    pub(crate) fn fits(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The key of digests.
pub struct CodeKey(hmac::Key);

impl CodeKey {
    /// From the store's secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The digest of a code, bound to its challenge.
    #[must_use]
    pub fn digest(&self, challenge: ChallengeId, code: &str) -> CodeDigest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [PURPOSE, &challenge.0, code.as_bytes()] {
            context.update(part);
        }
        CodeDigest(truncated(context.sign().as_ref()))
    }

    /// A tag that only this store makes, for links: `purpose` keeps one kind of link from being another.
    #[must_use]
    pub fn tag(&self, purpose: &str, parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        truncated(context.sign().as_ref())
    }

    /// Is it that tag? Compared in constant time.
    #[must_use]
    pub fn is_tag(&self, purpose: &str, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.tag(purpose, parts).ct_eq(tag).into()
    }
}

fn truncated(tag: &[u8]) -> [u8; DIGEST_LEN] {
    std::array::from_fn(|at| tag.get(at).copied().unwrap_or_default())
}

/// A code of random bytes. Of the numbers that 64 bits have, those at the end that would make some codes likelier are one in
/// eighteen million million, and are not thrown again.
#[must_use]
pub fn make(random: [u8; 8]) -> Zeroizing<String> {
    let number = u64::from_be_bytes(random) % u64::from(CODES);
    Zeroizing::new(format!("{number:06}"))
}

/// Is it written like a code?
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.len() == CODE_LEN && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_one_code_one_challenge_and_one_key() {
        let (key, id) = (CodeKey::new(b"one"), ChallengeId([1; 16]));
        let digest = key.digest(id, "482913");
        assert!(digest.fits(&key.digest(id, "482913")));
        assert!(!digest.fits(&key.digest(id, "482914")));
        assert!(!digest.fits(&key.digest(ChallengeId([2; 16]), "482913")));
        assert!(!digest.fits(&CodeKey::new(b"two").digest(id, "482913")));
    }

    #[test]
    fn codes_have_six_digits() {
        assert_eq!(make([0; 8]).as_str(), "000000");
        assert_eq!(make(1_000_042_u64.to_be_bytes()).as_str(), "000042");
        assert!(is_code("000042") && !is_code("42") && !is_code("12345a") && !is_code("1234567"));
    }

    #[test]
    fn a_tag_knows_where_its_parts_end() {
        let key = CodeKey::new(b"one");
        assert_ne!(key.tag("a", &[b"ab", b"c"]), key.tag("a", &[b"a", b"bc"]));
        assert_ne!(key.tag("a", &[b"ab"]), key.tag("b", &[b"ab"]));
    }
}
