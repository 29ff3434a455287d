//! Challenges that need not be kept: a nonce, until when it is good, and a tag over both, over what it is for and for whom. A page
//! that is only looked at therefore leaves nothing behind, and every host of a store knows the challenges of every other.

use model::Timestamp;
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 16;
/// A challenge is good for so many seconds: what browsers are recommended to wait for somebody at most (Web Authentication, 15.1).
pub const CEREMONY_S: i64 = 600;

const TIME_LEN: usize = 8;
const TAG_LEN: usize = 32;
/// What the key is used for, so that it is none of another use of the same secret.
const PURPOSE: &[u8] = b"pinward passkey challenge 1";
const BOUND: &[u8] = b"pinward passkey bound challenge 1";
const HANDLE: &[u8] = b"pinward passkey user handle 1";

/// What a ceremony is for, and for whom: a challenge for one thing is none for another.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// What for, such as `sign-in`.
    pub name: &'a str,
    /// For whom: a device, an account, a card.
    pub whom: &'a [u8],
}

/// A challenge that was answered in time. Whoever keeps credentials remembers it until then: it is used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Names the challenge.
    pub name: String,
    /// It could be answered until then.
    pub until: Timestamp,
}

/// Makes challenges, and knows its own.
pub struct ChallengeKey(hmac::Key);

impl ChallengeKey {
    /// From a secret of the store.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn tag(&self, domain: &[u8], parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(domain);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }

    /// A challenge, good for [`CEREMONY_S`].
    #[must_use]
    pub fn issue(&self, purpose: Purpose<'_>, nonce: [u8; NONCE_LEN], now: Timestamp) -> Vec<u8> {
        let until = now.plus_s(CEREMONY_S).0.to_be_bytes();
        let tag = self.tag(PURPOSE, &[purpose.name.as_bytes(), purpose.whom, &nonce, &until]);
        [nonce.as_slice(), &until, tag.as_ref()].concat()
    }

    /// A challenge that is made of what is to be answered, such as a payment: whoever has all parts and the key can make it again,
    /// and it is another one as soon as a part is. How long it is good stands in the parts, or where they are kept.
    #[must_use]
    pub fn bound(&self, purpose: Purpose<'_>, parts: &[&[u8]]) -> Vec<u8> {
        let all: Vec<&[u8]> =
            [purpose.name.as_bytes(), purpose.whom].into_iter().chain(parts.iter().copied()).collect();
        self.tag(BOUND, &all).as_ref().to_vec()
    }

    /// Is it a challenge of ours, for this, and still good?
    #[must_use]
    pub fn admit(&self, purpose: Purpose<'_>, challenge: &[u8], now: Timestamp) -> Option<Answered> {
        if challenge.len() != NONCE_LEN + TIME_LEN + TAG_LEN {
            return None;
        }
        let (nonce, rest) = challenge.split_at(NONCE_LEN);
        let (time, tag) = rest.split_at(TIME_LEN);
        let own = self.tag(PURPOSE, &[purpose.name.as_bytes(), purpose.whom, nonce, time]);
        if !bool::from(own.as_ref().ct_eq(tag)) {
            return None;
        }
        let until = Timestamp(i64::from_be_bytes(time.try_into().ok()?));
        (now < until).then(|| Answered { name: short(nonce), until })
    }

    /// The user handle of somebody (Web Authentication 14.6.1: nothing of the person stands in it).
    #[must_use]
    pub fn user_handle(&self, whom: &[u8]) -> Vec<u8> {
        self.tag(HANDLE, &[whom]).as_ref().to_vec()
    }
}

fn short(nonce: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA256, nonce);
    sum.as_ref().iter().take(NONCE_LEN).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_challenge_is_good_for_its_purpose_its_owner_and_its_time() {
        let key = ChallengeKey::new(b"one");
        let purpose = Purpose { name: "sign-in", whom: b"device" };
        let challenge = key.issue(purpose, [7; NONCE_LEN], NOW);
        let answered = key.admit(purpose, &challenge, NOW.plus_s(CEREMONY_S - 1)).unwrap();
        assert_eq!(answered.until, NOW.plus_s(CEREMONY_S));
        assert_eq!(key.admit(purpose, &challenge, NOW.plus_s(CEREMONY_S)), None, "too late");
        for other in [Purpose { name: "add", ..purpose }, Purpose { whom: b"another", ..purpose }] {
            assert_eq!(key.admit(other, &challenge, NOW), None, "{other:?}");
        }
        assert_eq!(ChallengeKey::new(b"two").admit(purpose, &challenge, NOW), None);
        for at in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[at] ^= 1;
            assert_eq!(key.admit(purpose, &changed, NOW), None, "{at}");
        }
        assert_eq!(key.admit(purpose, &challenge[1..], NOW), None);
        assert_ne!(
            answered.name,
            key.admit(purpose, &key.issue(purpose, [8; NONCE_LEN], NOW), NOW).unwrap().name
        );
    }

    #[test]
    fn a_bound_challenge_is_of_all_its_parts() {
        let key = ChallengeKey::new(b"one");
        let purpose = Purpose { name: "step-up", whom: b"card" };
        let challenge = key.bound(purpose, &[b"7500", b"CNY"]);
        assert_eq!(challenge, key.bound(purpose, &[b"7500", b"CNY"]));
        for other in [
            key.bound(purpose, &[b"7501", b"CNY"]),
            key.bound(purpose, &[b"7500C", b"NY"]),
            key.bound(purpose, &[b"7500"]),
            key.bound(Purpose { whom: b"other", ..purpose }, &[b"7500", b"CNY"]),
            ChallengeKey::new(b"two").bound(purpose, &[b"7500", b"CNY"]),
        ] {
            assert_ne!(challenge, other);
        }
    }

    #[test]
    fn a_user_handle_is_of_one_person_and_shows_nothing_of_them() {
        let key = ChallengeKey::new(b"one");
        assert_eq!(key.user_handle(b"li.na"), key.user_handle(b"li.na"));
        assert_ne!(key.user_handle(b"li.na"), key.user_handle(b"li.no"));
        assert_eq!(key.user_handle(b"li.na").len(), 32);
    }
}
