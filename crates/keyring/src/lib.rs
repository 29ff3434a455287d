//! The register of keys and the rules of the key ceremony.
//!
//! A folder of keys has a register that people can review (`keys.toml`: names, usages, check values, states, sealed key
//! blocks) and a trail of everything that was done (`audit.jsonl`). [`Keyring`] changes both together: the trail first,
//! durably, then the register in one step, so a crash leaves at worst a line that says more than happened, and the next
//! change notes that.
//!
//! The rules are those of PCI PIN Security Requirements v3.1, 5 to 7, 18 to 21, 26 and 28: components from two or more
//! custodians, none of whom gives two or puts the key together; two people for whatever brings a key in, out, into use
//! or to its end; a key never under a weaker one; equal check values raise an alarm. A person is a name here, written down
//! and compared: that whoever gives a name is that person, staff accounts must prove.
//!
//! The cryptography is the security module's ([`hsm::soft::Ceremony`]). Time is an argument; nothing is printed.

pub mod audit;
mod check;
mod custody;
mod error;
mod keyring;
mod lifecycle;
mod people;
mod record;
mod register;
mod replay;
pub mod words;

pub use check::{ElsewhereKey, Finding};
pub use custody::{ComponentOf, OfferedComponent};
pub use error::KeyringError;
pub use keyring::{Keyring, read_register, read_trail};
pub use lifecycle::{ImportFrom, Made};
pub use people::{DualControl, Person};
pub use record::{ComponentRecord, KeyName, KeyRecord, Origin, State};
pub use register::Register;
