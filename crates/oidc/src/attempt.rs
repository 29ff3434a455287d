//! Sign-ins that were begun and have not come back: each bound to the browser that began it, used once, and soon forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use model::Timestamp;
use ring::digest::{SHA256, digest};

/// So long a person may take at the provider, in seconds.
const PATIENCE_S: i64 = 600;
/// Sign-ins under way at once; when there are more, the oldest is forgotten.
const ATTEMPTS_MAX: usize = 1_000;

/// What was begun.
#[derive(Clone)]
pub(crate) struct Attempt {
    /// The browser that began it.
    pub(crate) device: String,
    /// Where to go afterwards.
    pub(crate) next: String,
    /// Must come back in the ID token (OpenID Connect Core 1.0 §3.1.2.1).
    pub(crate) nonce: String,
    /// Proves at the token endpoint that we began it (RFC 7636 §4.1).
    pub(crate) verifier: String,
    until: Timestamp,
}

impl Attempt {
    /// With fresh randomness; `None` when there is none.
    pub(crate) fn new(device: &str, next: &str, now: Timestamp) -> Option<Self> {
        Some(Self {
            device: device.to_owned(),
            next: next.to_owned(),
            nonce: random()?,
            verifier: random()?,
            until: now.plus_s(PATIENCE_S),
        })
    }

    /// What the provider is shown of the verifier (RFC 7636 §4.2, S256).
    pub(crate) fn challenge(&self) -> String {
        BASE64.encode(digest(&SHA256, self.verifier.as_bytes()))
    }
}

/// 256 random bits as text.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(BASE64.encode(bytes))
}

/// By their states.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, Attempt>>);

impl Attempts {
    pub(crate) fn put(&self, state: String, attempt: Attempt, now: Timestamp) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, attempt| now < attempt.until);
        if attempts.len() >= ATTEMPTS_MAX {
            let oldest =
                attempts.iter().min_by_key(|(_, attempt)| attempt.until).map(|(state, _)| state.clone());
            oldest.map(|state| attempts.remove(&state));
        }
        attempts.insert(state, attempt);
    }

    /// What was begun with this state by this browser, once. Another browser learns nothing and uses nothing up.
    pub(crate) fn take(&self, state: &str, device: &str, now: Timestamp) -> Option<Attempt> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |attempt: &&Attempt| attempt.device == device && !device.is_empty() && now < attempt.until;
        attempts.get(state).filter(fits)?;
        attempts.remove(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_state_is_for_one_browser_once_and_for_a_while() {
        let attempts = Attempts::default();
        let begun = |device: &str| Attempt::new(device, "/", NOW).unwrap();
        attempts.put("s".into(), begun("a"), NOW);
        assert!(attempts.take("s", "b", NOW).is_none() && attempts.take("t", "a", NOW).is_none());
        assert!(attempts.take("s", "a", NOW).is_some() && attempts.take("s", "a", NOW).is_none());
        attempts.put("s".into(), begun("a"), NOW);
        assert!(attempts.take("s", "a", NOW.plus_s(PATIENCE_S)).is_none());
        for n in 0..ATTEMPTS_MAX + 5 {
            attempts.put(n.to_string(), begun("a"), NOW.plus_s(1));
        }
        assert!(attempts.0.lock().unwrap().len() <= ATTEMPTS_MAX);
    }

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let attempt = Attempt { verifier, ..Attempt::new("d", "/", NOW).unwrap() };
        assert_eq!(attempt.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
