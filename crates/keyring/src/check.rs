//! Is the register what it says? Every key block is opened and compared with its record, weak keys are named, and no key
//! is there twice, here or at a terminal (PCI PIN 17 to 20).

use std::{collections::BTreeMap, fmt};

use hsm::soft::ceremony::Ceremony;
use model::KeyBlock;

use crate::{KeyRecord, Keyring, KeyringError, State, audit::AuditFault, record::header_version, replay};

/// A key that is kept elsewhere, such as a terminal's.
#[derive(Debug, Clone)]
pub struct ElsewhereKey {
    /// Where, in words: `terminal T0000001, master key`.
    pub place: String,
    /// Its check value, three bytes in hexadecimal.
    pub check_value: String,
    /// The key under the same master key, if it is at hand: tells chance from sameness.
    pub block: Option<KeyBlock>,
}

/// Something that somebody must look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The trail does not hold together.
    Trail(AuditFault),
    /// The register says something else than the trail.
    Altered {
        /// Which key.
        key: String,
        /// In what.
        what: String,
    },
    /// A key block does not open.
    Damaged {
        /// Which key.
        key: String,
        /// Why.
        why: String,
    },
    /// A key block says something else than its record.
    Differs {
        /// Which key.
        key: String,
        /// In what.
        what: &'static str,
    },
    /// A weak or published key.
    Weak {
        /// Which key.
        key: String,
        /// Why.
        why: String,
    },
    /// One key in two places.
    SameKey {
        /// One place.
        one: String,
        /// The other.
        other: String,
        /// The check value of both.
        check_value: String,
    },
    /// Two keys with one check value, and only one of the keys is at hand.
    EqualCheckValues {
        /// One place.
        one: String,
        /// The other.
        other: String,
        /// The check value of both.
        check_value: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trail(fault) => write!(f, "audit trail: {fault}"),
            Self::Altered { key, what } => write!(f, "{key}: {what}"),
            Self::Damaged { key, why } => write!(f, "{key}: {why}"),
            Self::Differs { key, what } => {
                write!(
                    f,
                    "{key}: the register says another {what} than the key block: one of them was changed"
                )
            }
            Self::Weak { key, why } => write!(f, "{key} is {why}: replace it"),
            Self::SameKey { one, other, check_value } => {
                write!(f, "{one} and {other} are the same key, check value {check_value}: replace both")
            }
            Self::EqualCheckValues { one, other, check_value } => write!(
                f,
                "{one} and {other} have the same check value {check_value}: the same key, or chance (one in 16 million); find out which"
            ),
        }
    }
}

impl Keyring {
    /// Looks at everything, and at keys that are kept elsewhere.
    ///
    /// # Errors
    /// [`KeyringError`] when a file cannot be read.
    pub fn check(
        &self,
        ceremony: &Ceremony,
        elsewhere: impl IntoIterator<Item = ElsewhereKey>,
    ) -> Result<Vec<Finding>, KeyringError> {
        let mut findings = Vec::new();
        match self.trail()? {
            Ok(trail) => findings.extend(replay::differences(self.register(), &trail)),
            Err(fault) => findings.push(Finding::Trail(fault)),
        }
        for key in self.register().keys() {
            examine(ceremony, key, &mut findings);
        }
        let here = self.register().keys().iter().map(|key| ElsewhereKey {
            place: match key.state {
                State::Destroyed => format!("{} (destroyed)", key.label()),
                State::Pending | State::Active | State::Retired => key.label(),
            },
            check_value: key.check_value.to_ascii_uppercase(),
            block: key.key_block(),
        });
        same_keys(ceremony, here.chain(elsewhere), &mut findings);
        Ok(findings)
    }
}

fn examine(ceremony: &Ceremony, key: &KeyRecord, findings: &mut Vec<Finding>) {
    let Some(block) = key.key_block() else { return };
    let label = key.label();
    let found = match ceremony.examine(&label, &block) {
        Ok(found) => found,
        Err(error) => return findings.push(Finding::Damaged { key: label, why: error.to_string() }),
    };
    let (header, spec) = (&found.header, key.spec());
    let same = [
        (header.usage == spec.attributes.usage, "usage"),
        (header.algorithm == spec.attributes.algorithm, "cipher"),
        (header.mode_of_use == spec.attributes.mode, "mode of use"),
        (header.exportability == spec.exportability, "exportability"),
        (header.key_version == header_version(key.version), "version"),
        (found.label.as_deref() == Some(label.as_str()), "name"),
        (found.length == spec.length, "length"),
        (found.check_value.to_string().eq_ignore_ascii_case(&key.check_value), "check value"),
    ];
    for (_, what) in same.into_iter().filter(|(same, _)| !same) {
        findings.push(Finding::Differs { key: label.clone(), what });
    }
    if let Some(why) = found.fault {
        findings.push(Finding::Weak { key: label, why });
    }
}

fn same_keys(ceremony: &Ceremony, keys: impl Iterator<Item = ElsewhereKey>, findings: &mut Vec<Finding>) {
    let mut by_check_value: BTreeMap<String, Vec<ElsewhereKey>> = BTreeMap::new();
    for key in keys {
        let place = by_check_value.entry(key.check_value.to_ascii_uppercase()).or_default();
        for other in place.iter() {
            let (one, other_place) = (other.place.clone(), key.place.clone());
            let check_value = key.check_value.to_ascii_uppercase();
            let same = match (&other.block, &key.block) {
                (Some(a), Some(b)) => ceremony.same_key(a, b).ok(),
                _ => None,
            };
            match same {
                Some(true) => findings.push(Finding::SameKey { one, other: other_place, check_value }),
                Some(false) => {}
                None => findings.push(Finding::EqualCheckValues { one, other: other_place, check_value }),
            }
        }
        place.push(key);
    }
}
