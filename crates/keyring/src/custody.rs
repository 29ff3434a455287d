//! Components and their custodians: split knowledge (PCI PIN 5 to 7). One custodian gives one component in one session; what
//! it is for is said with the first and repeated with each; nobody who gave one puts them together.

use hsm::soft::ceremony::{COMPONENTS_MAX, COMPONENTS_MIN, Ceremony, FreshComponent, KeySpec, SealedKey};
use model::Timestamp;
use zeroize::Zeroizing;

use crate::{
    ComponentRecord, DualControl, KeyName, KeyRecord, Keyring, KeyringError, Origin, Person,
    audit::{Action, Entry},
    lifecycle::Made,
    record::{header_version, label},
};

/// Which component a custodian is about to give.
#[derive(Debug, Clone)]
pub struct ComponentOf {
    /// The key's name.
    pub name: KeyName,
    /// What the key will be.
    pub spec: KeySpec,
    /// Which component, from 1.
    pub part: u8,
    /// Of how many.
    pub of: u8,
    /// Who gives it.
    pub custodian: Person,
}

/// A component that was read and judged, and is kept only when its custodian has compared the check value.
#[derive(Debug)]
pub struct OfferedComponent {
    record: ComponentRecord,
}

impl OfferedComponent {
    /// Its check value, to be compared with the form.
    #[must_use]
    pub fn check_value(&self) -> &str {
        &self.record.check_value
    }
}

impl Keyring {
    /// May this custodian give this component? Asked before anything is typed.
    ///
    /// # Errors
    /// [`KeyringError`]; a custodian's second component is noted in the trail.
    pub fn may_give(&mut self, wanted: &ComponentOf, now: Timestamp) -> Result<(), KeyringError> {
        let outcome = self.judge(wanted).map(drop);
        self.noting_refusal(outcome, vec![wanted.custodian.clone()], &wanted.name, now)
    }

    /// Judges a component that was typed; nothing is kept yet.
    ///
    /// # Errors
    /// [`KeyringError`]; weak and published components are refused.
    pub fn offer_component(
        &mut self,
        ceremony: &Ceremony,
        wanted: &ComponentOf,
        clear: &[u8],
        now: Timestamp,
    ) -> Result<OfferedComponent, KeyringError> {
        let version = self.judge(wanted)?;
        let sealed = ceremony
            .seal_component(&wanted.spec, &label(&wanted.name, version), wanted.part, clear)
            .map_err(KeyringError::from)
            .and_then(|sealed| self.refuse_the_same_component(ceremony, &wanted.name, sealed));
        let sealed = self.noting_refusal(sealed, vec![wanted.custodian.clone()], &wanted.name, now)?;
        Ok(offered(wanted, version, &sealed))
    }

    /// Makes a component, to be written down once by its custodian: what is kept, and the clear value to show.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn make_component(
        &mut self,
        ceremony: &Ceremony,
        wanted: &ComponentOf,
    ) -> Result<(OfferedComponent, Zeroizing<String>), KeyringError> {
        let version = self.judge(wanted)?;
        let FreshComponent { sealed, clear } =
            ceremony.generate_component(&wanted.spec, &label(&wanted.name, version), wanted.part)?;
        Ok((offered(wanted, version, &sealed), clear))
    }

    /// Keeps a component whose check value its custodian confirmed.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn keep_component(&mut self, offered: OfferedComponent, now: Timestamp) -> Result<(), KeyringError> {
        let record = ComponentRecord { created: now, ..offered.record };
        let entry = Entry {
            who: vec![record.custodian.clone()],
            action: Action::Component,
            key: Some(record.name.clone()),
            version: Some(record.version),
            check_values: vec![record.check_value.clone()],
            note: Some(format!("part {} of {}", record.part, record.of)),
        };
        let mut changed = self.register().clone();
        changed.components.push(record);
        self.commit(changed, entry, now)
    }

    /// Puts a key together from all its components and destroys them. The key is pending.
    ///
    /// # Errors
    /// [`KeyringError`]; a check value other than the expected one leaves everything as it was, and is noted.
    pub fn combine(
        &mut self,
        ceremony: &Ceremony,
        name: &KeyName,
        control: &DualControl,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<Made, KeyringError> {
        let outcome = self.combined(ceremony, name, control, expected, now);
        let (record, made) = self.noting_refusal(outcome, control.both(), name, now)?;
        let entry = Entry {
            who: control.both(),
            action: Action::Combine,
            key: Some(name.clone()),
            version: Some(record.version),
            check_values: vec![record.check_value.clone()],
            note: Some(format!("{} components, destroyed", record.custodians.len())),
        };
        let mut changed = self.register().clone();
        changed.components.retain(|component| component.name != *name);
        changed.keys.push(record);
        self.commit(changed, entry, now)?;
        Ok(made)
    }

    /// Throws the components of a key away: after a mistake, or when a custodian cannot come.
    ///
    /// # Errors
    /// [`KeyringError::NoComponents`].
    pub fn discard(
        &mut self,
        name: &KeyName,
        control: &DualControl,
        now: Timestamp,
    ) -> Result<usize, KeyringError> {
        let mut changed = self.register().clone();
        let before = changed.components.len();
        changed.components.retain(|component| component.name != *name);
        let gone = before - changed.components.len();
        if gone == 0 {
            return Err(KeyringError::NoComponents(name.clone()));
        }
        let entry = Entry {
            who: control.both(),
            action: Action::Discard,
            key: Some(name.clone()),
            version: None,
            check_values: Vec::new(),
            note: Some(format!("{gone} components")),
        };
        self.commit(changed, entry, now)?;
        Ok(gone)
    }

    fn refuse_the_same_component(
        &self,
        ceremony: &Ceremony,
        name: &KeyName,
        sealed: SealedKey,
    ) -> Result<SealedKey, KeyringError> {
        let check_value = sealed.check_value.to_string();
        for given in self.components_of(name) {
            if given.check_value == check_value && ceremony.same_key(&given.key_block(), &sealed.block)? {
                return Err(KeyringError::SameComponent { part: given.part, name: name.clone() });
            }
        }
        Ok(sealed)
    }

    /// The components of a key in the order of their parts.
    fn components_of(&self, name: &KeyName) -> Vec<&ComponentRecord> {
        let mut found: Vec<_> = self.register().components.iter().filter(|c| c.name == *name).collect();
        found.sort_by_key(|component| component.part);
        found
    }

    /// Checks a component's place among the others; returns the version that its key will have.
    fn judge(&self, wanted: &ComponentOf) -> Result<u8, KeyringError> {
        let ComponentOf { name, spec, part, of, custodian } = wanted;
        if !(COMPONENTS_MIN..=COMPONENTS_MAX).contains(of) || !(1..=*of).contains(part) {
            return Err(KeyringError::Part { part: *part, of: *of });
        }
        spec.check()?;
        let version = self.register().next_version(name)?;
        for given in self.components_of(name) {
            if given.custodian == *custodian {
                return Err(KeyringError::SameCustodian {
                    custodian: given.custodian.clone(),
                    part: given.part,
                    name: name.clone(),
                });
            }
            if given.part == *part {
                return Err(KeyringError::PartTaken {
                    part: *part,
                    name: name.clone(),
                    custodian: given.custodian.clone(),
                });
            }
            if given.spec() != *spec || given.of != *of || given.version != version {
                return Err(KeyringError::Disagree { part: *part, name: name.clone() });
            }
        }
        Ok(version)
    }

    fn combined(
        &self,
        ceremony: &Ceremony,
        name: &KeyName,
        control: &DualControl,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<(KeyRecord, Made), KeyringError> {
        let parts = self.components_of(name);
        let first = parts.first().ok_or_else(|| KeyringError::NoComponents(name.clone()))?;
        if let Some(missing) = (1..=first.of).find(|part| !parts.iter().any(|given| given.part == *part)) {
            return Err(KeyringError::PartMissing { name: name.clone(), missing });
        }
        if parts.iter().any(|given| given.custodian == *control.operator()) {
            let operator = control.operator().clone();
            return Err(KeyringError::OperatorIsCustodian { operator, name: name.clone() });
        }
        let blocks: Vec<_> = parts.iter().map(|component| component.key_block()).collect();
        let version = first.version;
        let sealed =
            ceremony.combine(&first.spec(), &label(name, version), header_version(version), &blocks)?;
        self.expect(expected, &sealed)?;
        self.refuse_the_same(ceremony, &sealed)?;
        let record = KeyRecord {
            custodians: parts.iter().map(|component| component.custodian.clone()).collect(),
            operators: control.both(),
            replaces: self.replaced_by(name, version),
            ..KeyRecord::pending(name, version, &sealed, Origin::Components, now)
        };
        let made = Made::of(&record, &sealed);
        Ok((record, made))
    }
}

fn offered(wanted: &ComponentOf, version: u8, sealed: &SealedKey) -> OfferedComponent {
    let place = (wanted.part, wanted.of);
    OfferedComponent { record: ComponentRecord::new(&wanted.name, version, place, &wanted.custodian, sealed) }
}
