//! The soft module through its public verbs.

mod attacks;
mod bench;
mod keys;
mod macs;
mod pin_entry;
mod pins;
