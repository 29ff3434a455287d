//! Signatures of webhooks: HMAC-SHA256 over `id.timestamp.body`, in base64 (Standard Webhooks 1.0.0, "Signature scheme").

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a secret begins with when people see it.
const PREFIX: &str = "whsec_";
/// Random bytes of a new secret; the specification wants 24 to 64.
pub const SECRET_LEN: usize = 32;

/// The secret of a webhook. It prints as stars and is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("whsec_***")
    }
}

impl Secret {
    /// A new one; `None` when the system has no randomness.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new(vec![0; SECRET_LEN]);
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Out of its bytes.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Out of its text, with or without `whsec_`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Base64::decode_vec(text.strip_prefix(PREFIX).unwrap_or(text)).ok()?;
        (24..=64).contains(&bytes.len()).then(|| Self::of(bytes))
    }

    /// Its bytes, to be sealed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// For the one person who is told it, once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", Base64::encode_string(&self.0)))
    }

    /// The signature of a message, `v1,…`. Neither id nor timestamp may hold a full stop; ours do not.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
    }
}

/// The header `webhook-signature`: one signature for each secret, so that a receiver may change his at leisure.
#[must_use]
pub fn signatures(secrets: &[Secret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let all: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp_s, body)).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the libraries of github.com/standard-webhooks/standard-webhooks share (libraries/go,
    /// `TestSymmetricWebhookSign`; libraries/javascript, "sign function works").
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_message_has_the_published_signature() {
        let secret = Secret::parse(SECRET).unwrap();
        assert_eq!(secret.sign(ID, 1_614_265_330, BODY), SIGNATURE);
        assert_eq!(Secret::parse(&SECRET[6..]), Some(secret.clone()), "the prefix is for people");
        assert_eq!(*secret.reveal(), SECRET);
        assert_ne!(secret.sign(ID, 1_614_265_331, BODY), SIGNATURE);
        assert_ne!(secret.sign("msg_other", 1_614_265_330, BODY), SIGNATURE);
    }

    #[test]
    fn while_a_secret_changes_both_sign() {
        let (old, new) = (Secret::parse(SECRET).unwrap(), Secret::random().unwrap());
        let header = signatures(&[new.clone(), old], ID, 1_614_265_330, BODY);
        let parts: Vec<&str> = header.split(' ').collect();
        assert_eq!(parts, [new.sign(ID, 1_614_265_330, BODY).as_str(), SIGNATURE]);
    }

    #[test]
    fn a_secret_is_random_long_and_not_printed() {
        let secret = Secret::random().unwrap();
        assert_ne!(secret, Secret::random().unwrap());
        assert_eq!(secret.bytes().len(), SECRET_LEN);
        assert_eq!(Secret::parse(&secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "whsec_***");
        assert_eq!(Secret::parse("whsec_c2hvcnQ="), None, "five bytes are none");
        assert_eq!(Secret::parse("whsec_not base64"), None);
    }
}
