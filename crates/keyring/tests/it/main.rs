//! The keyring through its public verbs, on real files.

mod custody;
mod lifecycle;
mod trail;

use std::{fs, path::Path};

use hsm::soft::{Ceremony, KeyAttributes, KeyPolicy, KeySpec, MasterKey, ceremony::usual_mode};
use keyring::{ComponentOf, DualControl, KeyName, Keyring, KeyringError, Made, Person};
use model::Timestamp;
use paycrypto::key_block::{Algorithm, Exportability, KeyUsage};

/// 2026-11-22T08:00:00Z.
const NOW: Timestamp = Timestamp(1_795_334_400_000);

/// A folder of keys and the module that can open them.
struct Bench {
    folder: tempfile::TempDir,
    ceremony: Ceremony,
}

fn bench() -> Bench {
    bench_under(&[7; 32])
}

fn bench_under(master: &[u8; 32]) -> Bench {
    Bench {
        folder: tempfile::tempdir().unwrap(),
        ceremony: Ceremony::new(MasterKey::new(master), KeyPolicy::Production),
    }
}

impl Bench {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> Keyring {
        Keyring::open(self.path(), NOW).unwrap()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// A session of its own for every custodian, as in the ceremony.
    fn give(&self, of: &ComponentOf, clear: &str) -> Result<String, KeyringError> {
        let mut keyring = self.open();
        keyring.may_give(of, NOW)?;
        let offered = keyring.offer_component(&self.ceremony, of, &hex::decode(clear).unwrap(), NOW)?;
        let check_value = offered.check_value().to_owned();
        keyring.keep_component(offered, NOW)?;
        Ok(check_value)
    }

    fn generate(&self, key: &str, spec: KeySpec) -> Made {
        self.open().generate(&self.ceremony, &name(key), &spec, &person("Li Wei"), NOW).unwrap()
    }

    fn activate(&self, key: &str) {
        self.open().activate(&name(key), 0, &two(), NOW).unwrap();
    }
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn person(text: &str) -> Person {
    text.parse().unwrap()
}

fn two() -> DualControl {
    DualControl::new(person("Li Wei"), person("Wang Fang")).unwrap()
}

fn spec(usage: KeyUsage, algorithm: Algorithm, length: usize) -> KeySpec {
    let attributes = KeyAttributes { usage, algorithm, mode: usual_mode(usage) };
    KeySpec { attributes, exportability: Exportability::Trusted, length }
}

fn part(key: &str, part: u8, custodian: &str) -> ComponentOf {
    let spec = spec(KeyUsage::PinVerificationVisaPvv, Algorithm::Tdea, 16);
    ComponentOf { name: name(key), spec, part, of: 2, custodian: person(custodian) }
}
