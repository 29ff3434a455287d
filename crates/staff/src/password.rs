//! Passwords of staff: Argon2id, and what is too easy to be one (NIST SP 800-63B, 5.1.1.2: length and a list, no rules about
//! signs).

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// The fewest characters.
pub const LEN_MIN: usize = 12;
/// The most; longer ones are refused, not cut.
pub const LEN_MAX: usize = 128;
/// Bytes of a salt.
pub const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;

/// OWASP's second recommendation for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Parts of which no good password is made.
const COMMON: [&str; 12] = [
    "password", "passw0rd", "qwerty", "123456", "111111", "abc123", "iloveyou", "admin", "welcome",
    "letmein", "pinward", "woaini",
];

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too short.
    #[error("fewer than {LEN_MIN} characters")]
    TooShort,
    /// Too long.
    #[error("more than {LEN_MAX} characters")]
    TooLong,
    /// Everybody tries it first.
    #[error("made of a word that everybody tries first")]
    Common,
    /// It is the user's name, or little else.
    #[error("made of the user's name")]
    Name,
    /// The same few characters again and again.
    #[error("fewer than five different characters")]
    Monotonous,
}

/// Is it good enough?
///
/// # Errors
/// [`Weak`].
pub fn check(password: &str, username: &str) -> Result<(), Weak> {
    let length = password.chars().count();
    if length < LEN_MIN {
        return Err(Weak::TooShort);
    }
    if length > LEN_MAX {
        return Err(Weak::TooLong);
    }
    let lower = password.to_lowercase();
    let rest_without = |word: &str| lower.replace(word, "").chars().count();
    if !username.is_empty()
        && rest_without(&username.to_lowercase()) + 4 < length
        && rest_without(&username.to_lowercase()) < 8
    {
        return Err(Weak::Name);
    }
    if COMMON.iter().any(|word| rest_without(word) < length && rest_without(word) < 6) {
        return Err(Weak::Common);
    }
    let different: std::collections::BTreeSet<char> = lower.chars().collect();
    if different.len() < 5 {
        return Err(Weak::Monotonous);
    }
    Ok(())
}

/// A password's hash with all that is needed to compare with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    salt: String,
    hash: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

impl PasswordHash {
    /// Hashes a password with a random salt. Takes some tens of milliseconds: not on a thread that others wait for.
    #[must_use]
    pub fn new(password: &str, salt: [u8; SALT_LEN]) -> Self {
        Self::with(password, salt, MEMORY_KIB, PASSES)
    }

    /// Hashes a password that everybody may read, such as a sandbox's, without the work that protects a secret.
    #[must_use]
    pub fn of_public(password: &str, salt: [u8; SALT_LEN]) -> Self {
        const LITTLE_KIB: u32 = 8;
        Self::with(password, salt, LITTLE_KIB, 1)
    }

    fn with(password: &str, salt: [u8; SALT_LEN], memory_kib: u32, passes: u32) -> Self {
        let hash = derive(password, &salt, memory_kib, passes, LANES).unwrap_or([0; HASH_LEN]);
        Self { salt: BASE64.encode(salt), hash: BASE64.encode(hash), memory_kib, passes, lanes: LANES }
    }

    /// Is it this password?
    #[must_use]
    pub fn is(&self, password: &str) -> bool {
        let (Ok(salt), Ok(hash)) = (BASE64.decode(&self.salt), BASE64.decode(&self.hash)) else {
            return false;
        };
        let bounded = password.len() <= LEN_MAX * 4 && self.memory_kib <= 1 << 20 && self.passes <= 64;
        let derived =
            bounded.then(|| derive(password, &salt, self.memory_kib, self.passes, self.lanes)).flatten();
        derived.is_some_and(|derived| derived.ct_eq(hash.as_slice()).into())
    }

    /// A hash that no password has, for accounts that do not exist: who asks must not hear it in the time it takes.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self {
            salt: BASE64.encode([0; SALT_LEN]),
            hash: BASE64.encode([0; HASH_LEN]),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        }
    }
}

fn derive(password: &str, salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> Option<[u8; HASH_LEN]> {
    let params = Params::new(memory_kib, passes, lanes, Some(HASH_LEN)).ok()?;
    let mut out = [0; HASH_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut out)
        .ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = PasswordHash::new("correct horse battery", [7; SALT_LEN]);
        assert!(hash.is("correct horse battery"));
        assert!(!hash.is("correct horse batterz"));
        assert!(!hash.is(""));
        assert!(!PasswordHash::of_nobody().is("correct horse battery"));
        assert!(!format!("{hash:?}").contains(&hash.hash));
        let text = serde_json::to_string(&hash).unwrap();
        assert!(serde_json::from_str::<PasswordHash>(&text).unwrap().is("correct horse battery"));
    }

    #[test]
    fn what_everybody_tries_is_refused() {
        for (password, why) in [
            ("short", Weak::TooShort),
            ("Password1234", Weak::Common),
            ("qwertyqwerty", Weak::Common),
            ("li.na li.na 22", Weak::Name),
            ("aaaabbbbaaaabbbb", Weak::Monotonous),
        ] {
            assert_eq!(check(password, "li.na"), Err(why), "{password}");
        }
        assert_eq!(check(&"correct horse ".repeat(10), "li.na"), Err(Weak::TooLong));
        for good in ["correct horse battery", "四月的雨落在旧城墙上啊啊啊", "Admin said: green tea at nine"]
        {
            assert_eq!(check(good, "li.na"), Ok(()), "{good}");
        }
    }
}
