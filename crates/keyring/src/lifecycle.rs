//! A key's life: generated or imported, pending, active, retired, destroyed; exported if its key block allows it.

use hsm::soft::{
    CeremonyError,
    ceremony::{
        Ceremony, KeySpec, SealedKey,
        transfer::{Cryptogram, Received, Wrapping},
    },
};
use model::Timestamp;
use paycrypto::key_block::ModeOfUse;

use crate::{
    DualControl, KeyName, KeyRecord, Keyring, KeyringError, Origin, Person, State,
    audit::{Action, Entry},
    record::{header_version, label},
};

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name and version, in words.
    pub label: String,
    /// Its version.
    pub version: u8,
    /// Its check value.
    pub check_value: String,
    /// TDES: parity bits were set; effect and check value are the same.
    pub parity_adjusted: bool,
}

impl Made {
    pub(crate) fn of(record: &KeyRecord, sealed: &SealedKey) -> Self {
        Self {
            label: record.label(),
            version: record.version,
            check_value: record.check_value.clone(),
            parity_adjusted: sealed.parity_adjusted,
        }
    }
}

/// What a key comes in.
pub enum ImportFrom<'a> {
    /// A key block; usage, cipher, mode and exportability are in its header.
    Block {
        /// The block.
        block: &'a str,
        /// A mode of use within the one it allows.
        narrowed_to: Option<ModeOfUse>,
        /// Its check value, if the sender announced one.
        expected: Option<&'a str>,
    },
    /// A cryptogram without integrity.
    Cryptogram {
        /// What it shall be here.
        spec: KeySpec,
        /// The encrypted key and its announced check value.
        cryptogram: Cryptogram<'a>,
        /// Somebody decided to take it nevertheless, or this is a sandbox.
        accepted: bool,
    },
}

impl Keyring {
    /// Makes a key that nobody knows; pending.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn generate(
        &mut self,
        ceremony: &Ceremony,
        name: &KeyName,
        spec: &KeySpec,
        operator: &Person,
        now: Timestamp,
    ) -> Result<Made, KeyringError> {
        self.make(ceremony, name, spec, operator, (Action::Generate, None), now)
    }

    /// Makes the next version of a key that was generated here, of the same kind; pending until it is activated.
    ///
    /// # Errors
    /// [`KeyringError::NotRotated`] for a key that came from components or from elsewhere.
    pub fn rotate(
        &mut self,
        ceremony: &Ceremony,
        name: &KeyName,
        operator: &Person,
        now: Timestamp,
    ) -> Result<Made, KeyringError> {
        let old = self.register().find(name, None)?;
        let way = match old.origin {
            Origin::Generated => None,
            Origin::Components => Some(format!("hold a new ceremony: `pinward key component {name} …`")),
            Origin::ImportedBlock | Origin::ImportedCryptogram => {
                Some(format!("import the next one from the partner: `pinward key import {name} …`"))
            }
        };
        if let Some(way) = way {
            return Err(KeyringError::NotRotated { key: old.label(), origin: old.origin.clone(), way });
        }
        let (spec, note) = (old.spec(), format!("to take the place of version {}", old.version));
        self.make(ceremony, name, &spec, operator, (Action::Rotate, Some(note)), now)
    }

    fn make(
        &mut self,
        ceremony: &Ceremony,
        name: &KeyName,
        spec: &KeySpec,
        operator: &Person,
        (action, note): (Action, Option<String>),
        now: Timestamp,
    ) -> Result<Made, KeyringError> {
        let version = self.version_for(name)?;
        let sealed = ceremony.generate(spec, &label(name, version), header_version(version))?;
        let record = KeyRecord {
            operators: vec![operator.clone()],
            replaces: self.replaced_by(name, version),
            ..KeyRecord::pending(name, version, &sealed, Origin::Generated, now)
        };
        let made = Made::of(&record, &sealed);
        self.add(record, vec![operator.clone()], action, note, now)?;
        Ok(made)
    }

    /// Takes a key in; pending.
    ///
    /// # Errors
    /// [`KeyringError`]; what a rule refuses is noted in the trail.
    pub fn import(
        &mut self,
        ceremony: &Ceremony,
        name: &KeyName,
        under: &KeyName,
        from: &ImportFrom<'_>,
        control: &DualControl,
        now: Timestamp,
    ) -> Result<Made, KeyringError> {
        let outcome = self.imported(ceremony, name, under, from, now);
        let (sealed, origin) = self.noting_refusal(outcome, control.both(), name, now)?;
        let version = self.version_for(name)?;
        let record = KeyRecord {
            operators: control.both(),
            replaces: self.replaced_by(name, version),
            ..KeyRecord::pending(name, version, &sealed, origin, now)
        };
        let made = Made::of(&record, &sealed);
        let note = format!("under {under}, {origin}", origin = record.origin);
        self.add(record, control.both(), Action::Import, Some(note), now)?;
        Ok(made)
    }

    fn imported(
        &self,
        ceremony: &Ceremony,
        name: &KeyName,
        under: &KeyName,
        from: &ImportFrom<'_>,
        now: Timestamp,
    ) -> Result<(SealedKey, Origin), KeyringError> {
        let version = self.version_for(name)?;
        let wrapping = self.usable(under, now)?;
        let (under, block) = (wrapping.label(), key_block(wrapping)?);
        let under = Wrapping { label: &under, block: &block };
        let here = label(name, version);
        let received = Received { label: &here, version: header_version(version), narrowed_to: None };
        let made = match from {
            ImportFrom::Block { block, narrowed_to, expected } => {
                let received = Received { narrowed_to: *narrowed_to, ..received };
                let sealed = ceremony.import_block(under, received, block)?;
                self.expect(*expected, &sealed)?;
                (sealed, Origin::ImportedBlock)
            }
            ImportFrom::Cryptogram { accepted: false, .. } => {
                return Err(KeyringError::CryptogramNotAccepted);
            }
            ImportFrom::Cryptogram { spec, cryptogram, .. } => {
                (ceremony.import_cryptogram(under, received, spec, *cryptogram)?, Origin::ImportedCryptogram)
            }
        };
        self.refuse_the_same(ceremony, &made.0)?;
        Ok(made)
    }

    /// Hands a key on as a key block under another of usage K1 (or K4).
    ///
    /// # Errors
    /// [`KeyringError`]; what a rule refuses is noted in the trail.
    pub fn export(
        &mut self,
        ceremony: &Ceremony,
        (name, version): (&KeyName, Option<u8>),
        under: &KeyName,
        control: &DualControl,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let outcome = self.exported(ceremony, (name, version), under, now);
        let (block, record, zmk) = self.noting_refusal(outcome, control.both(), name, now)?;
        let entry = Entry {
            who: control.both(),
            action: Action::Export,
            key: Some(name.clone()),
            version: Some(record.version),
            check_values: vec![record.check_value, zmk.check_value.clone()],
            note: Some(format!("under {}", zmk.label())),
        };
        let unchanged = self.register().clone();
        self.commit(unchanged, entry, now)?;
        Ok(block)
    }

    fn exported(
        &self,
        ceremony: &Ceremony,
        (name, version): (&KeyName, Option<u8>),
        under: &KeyName,
        now: Timestamp,
    ) -> Result<(String, KeyRecord, KeyRecord), KeyringError> {
        let record = self.register().find(name, version)?;
        let zmk = self.usable(under, now)?;
        let (label, zmk_label) = (record.label(), zmk.label());
        let wrapping = Wrapping { label: &zmk_label, block: &key_block(zmk)? };
        let block = ceremony.export_block(wrapping, &label, &key_block(record)?)?;
        Ok((block, record.clone(), zmk.clone()))
    }

    /// Puts a pending key into use. Older versions retire: at once, or when the overlap is over.
    ///
    /// # Errors
    /// [`KeyringError::State`] unless it is pending.
    pub fn activate(
        &mut self,
        name: &KeyName,
        overlap_s: i64,
        control: &DualControl,
        now: Timestamp,
    ) -> Result<Made, KeyringError> {
        let newest = self.register().find(name, None)?;
        if newest.state != State::Pending {
            return Err(wrong_state(newest, now, "a pending key is activated"));
        }
        let (version, check_value) = (newest.version, newest.check_value.clone());
        let end = now.plus_s(overlap_s);
        let mut changed = self.register().clone();
        let mut ended = Vec::new();
        for key in changed.keys.iter_mut().filter(|key| key.name == *name) {
            if key.version == version {
                key.state = State::Active;
                key.activated = Some(now);
            } else if key.state_at(now) == State::Active {
                key.retired = Some(key.retired.map_or(end, |already| already.min(end)));
                if overlap_s == 0 {
                    key.state = State::Retired;
                }
                ended.push(format!("version {} ends {}", key.version, crate::words::time_text(end)));
            }
        }
        let entry = Entry {
            who: control.both(),
            action: Action::Activate,
            key: Some(name.clone()),
            version: Some(version),
            check_values: vec![check_value.clone()],
            note: (!ended.is_empty()).then(|| ended.join(", ")),
        };
        self.commit(changed, entry, now)?;
        Ok(Made { label: label(name, version), version, check_value, parity_adjusted: false })
    }

    /// Takes a key out of use at once.
    ///
    /// # Errors
    /// [`KeyringError::State`] unless it is active.
    pub fn retire(
        &mut self,
        name: &KeyName,
        version: Option<u8>,
        operator: &Person,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let found = match version {
            Some(_) => self.register().find(name, version)?,
            None => match self.register().active(name, now).first() {
                Some(active) => *active,
                None => self.register().find(name, None)?,
            },
        };
        if found.state_at(now) != State::Active {
            return Err(wrong_state(found, now, "an active key is retired"));
        }
        let mut changed = self.register().clone();
        let key = changed.find_mut(name, found.version)?;
        (key.state, key.retired) = (State::Retired, Some(now));
        let (label, entry) = (key.label(), about(key, vec![operator.clone()], Action::Retire));
        self.commit(changed, entry, now)?;
        Ok(label)
    }

    /// Takes every version of a key out of use at once; one line each.
    ///
    /// # Errors
    /// [`KeyringError::State`] when none is active.
    pub fn retire_all(
        &mut self,
        name: &KeyName,
        operator: &Person,
        now: Timestamp,
    ) -> Result<Vec<String>, KeyringError> {
        let active: Vec<u8> = self.register().active(name, now).iter().map(|key| key.version).collect();
        if active.is_empty() {
            return self.retire(name, None, operator, now).map(|label| vec![label]);
        }
        active.into_iter().map(|version| self.retire(name, Some(version), operator, now)).collect()
    }

    /// Destroys a key that is not in use: its block is gone from the register, the record of it stays.
    ///
    /// # Errors
    /// [`KeyringError::State`] while it is active.
    pub fn destroy(
        &mut self,
        name: &KeyName,
        version: u8,
        control: &DualControl,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let found = self.register().find(name, Some(version))?;
        match found.state_at(now) {
            State::Pending | State::Retired => {}
            State::Active => return Err(wrong_state(found, now, "retire it first")),
            State::Destroyed => return Err(wrong_state(found, now, "there is nothing left of it")),
        }
        let mut changed = self.register().clone();
        let key = changed.find_mut(name, version)?;
        (key.state, key.destroyed) = (State::Destroyed, Some(now));
        key.set_key_block(None);
        let (label, entry) = (key.label(), about(key, control.both(), Action::Destroy));
        self.commit(changed, entry, now)?;
        Ok(label)
    }

    /// Adds a key that was just made.
    fn add(
        &mut self,
        record: KeyRecord,
        who: Vec<Person>,
        action: Action,
        note: Option<String>,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let entry = Entry { note, ..about(&record, who, action) };
        let mut changed = self.register().clone();
        changed.keys.push(record);
        self.commit(changed, entry, now)
    }

    /// The version of a key that is not made from components.
    fn version_for(&self, name: &KeyName) -> Result<u8, KeyringError> {
        if self.register().components.iter().any(|component| component.name == *name) {
            return Err(KeyringError::ComponentsWaiting(name.clone()));
        }
        self.register().next_version(name)
    }

    /// The version whose place the next one takes.
    pub(crate) fn replaced_by(&self, name: &KeyName, version: u8) -> Option<u8> {
        let older = self.register().versions(name).into_iter().filter(|key| key.version < version);
        older.filter(|key| key.state != State::Destroyed).map(|key| key.version).max()
    }

    /// The newest active version of a key that wraps others.
    fn usable(&self, name: &KeyName, now: Timestamp) -> Result<&KeyRecord, KeyringError> {
        if let Some(active) = self.register().active(name, now).first() {
            return Ok(active);
        }
        let found = self.register().find(name, None)?;
        Err(wrong_state(found, now, "a key must be active to protect others: activate it first"))
    }

    /// Is it the key that was announced?
    pub(crate) fn expect(&self, expected: Option<&str>, sealed: &SealedKey) -> Result<(), KeyringError> {
        let Some(expected) = expected else { return Ok(()) };
        let found = sealed.check_value.to_string();
        // A longer announced value is compared as far as ours goes; a shorter one proves too little.
        let announced: String = expected.chars().filter(|c| !c.is_whitespace()).collect();
        if announced.len() >= found.len()
            && announced.get(..found.len()).is_some_and(|it| it.eq_ignore_ascii_case(&found))
        {
            return Ok(());
        }
        Err(CeremonyError::CheckValue { expected: announced.to_ascii_uppercase(), found }.into())
    }

    /// Is this key here already? Equal check values are compared whole: they can be chance.
    pub(crate) fn refuse_the_same(
        &self,
        ceremony: &Ceremony,
        sealed: &SealedKey,
    ) -> Result<(), KeyringError> {
        let check_value = sealed.check_value.to_string();
        for key in self.register().keys.iter().filter(|key| key.check_value == check_value) {
            if let Some(block) = key.key_block()
                && ceremony.same_key(&block, &sealed.block)?
            {
                return Err(KeyringError::SameKey { other: key.label(), check_value });
            }
        }
        Ok(())
    }
}

fn about(key: &KeyRecord, who: Vec<Person>, action: Action) -> Entry {
    Entry {
        who,
        action,
        key: Some(key.name.clone()),
        version: Some(key.version),
        check_values: vec![key.check_value.clone()],
        note: None,
    }
}

fn key_block(key: &KeyRecord) -> Result<model::KeyBlock, KeyringError> {
    key.key_block().ok_or_else(|| KeyringError::State {
        key: key.label(),
        state: State::Destroyed.to_string(),
        needs: "there is nothing left of it",
    })
}

fn wrong_state(key: &KeyRecord, now: Timestamp, needs: &'static str) -> KeyringError {
    KeyringError::State { key: key.label(), state: key.state_at(now).to_string(), needs }
}
