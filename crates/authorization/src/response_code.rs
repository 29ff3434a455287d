//! From our exact reason to the network's answer (DE 39). One table per network, as data (`profiles/*.toml`);
//! every reason must be in it.

use std::collections::BTreeMap;

use model::{ReasonCode, ResponseCode};
use serde::Deserialize;

/// The answers of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    name: String,
    codes: BTreeMap<ReasonCode, ResponseCode>,
    pick_up: ResponseCode,
}

/// A profile that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("response code profile {profile:?}: {problem}")]
pub struct ProfileError {
    profile: String,
    problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    pick_up: ResponseCode,
    codes: BTreeMap<ReasonCode, ResponseCode>,
}

impl Profile {
    /// Reads a profile; every reason must have its code.
    ///
    /// # Errors
    /// [`ProfileError`] naming the missing or unknown reason.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let file: File = toml::from_str(text)
            .map_err(|e| ProfileError { profile: "?".to_owned(), problem: e.to_string() })?;
        if let Some(missing) = ReasonCode::ALL.iter().find(|r| !file.codes.contains_key(r)) {
            return Err(ProfileError {
                profile: file.name,
                problem: format!("no code for the reason {missing:?}"),
            });
        }
        Ok(Self { name: file.name, codes: file.codes, pick_up: file.pick_up })
    }

    /// A profile that comes with the program: `unionpay`, `iso87` or `iso93`.
    ///
    /// # Panics
    /// Never: the files are part of the program and a test reads them.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let text = match name {
            "unionpay" => include_str!("../profiles/unionpay.toml"),
            "iso87" => include_str!("../profiles/iso87.toml"),
            "iso93" => include_str!("../profiles/iso93.toml"),
            _ => return None,
        };
        Some(Self::from_toml(text).expect("built-in profiles are checked by a test"))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The answer for a reason. `pick_up`: the product says "pick up" when tries are used up (38 instead of 75).
    #[must_use]
    pub fn code(&self, reason: ReasonCode, pick_up: bool) -> ResponseCode {
        let locked = matches!(reason, ReasonCode::PinTriesExceeded | ReasonCode::CardLocked);
        if locked && pick_up { self.pick_up } else { self.codes[&reason] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_cover_every_reason() {
        for name in ["unionpay", "iso87", "iso93"] {
            let profile = Profile::builtin(name).unwrap();
            assert_eq!(profile.name(), name);
        }
    }

    #[test]
    fn no_fault_is_answered_as_a_wrong_pin() {
        use model::reason::Family;
        for name in ["unionpay", "iso87", "iso93"] {
            let profile = Profile::builtin(name).unwrap();
            let pin_codes =
                [ReasonCode::WrongPin, ReasonCode::PinTriesExceeded].map(|r| profile.code(r, false));
            for reason in ReasonCode::ALL.iter().filter(|r| r.family() == Family::Sys) {
                assert!(!pin_codes.contains(&profile.code(*reason, false)), "{name}: {reason}");
            }
        }
    }

    #[test]
    fn tries_used_up_is_75_or_38() {
        let profile = Profile::builtin("unionpay").unwrap();
        assert_eq!(profile.code(ReasonCode::PinTriesExceeded, false).as_str(), "75");
        assert_eq!(profile.code(ReasonCode::CardLocked, true).as_str(), "38");
        assert_eq!(profile.code(ReasonCode::WrongPin, true).as_str(), "55");
    }
}
