//! Payment cryptography as functions from values to values: PIN blocks, DUKPT, PIN verification values,
//! MACs, check values and key blocks, each as its standard describes it.
//!
//! What it deliberately does not have: a clock, randomness, files, a network (the `clippy.toml` of
//! this crate forbids them), and opinions. Which PIN block may be translated into which, who may use a key
//! for what, and how a failure is worded to a caller are decided by the `hsm` crate above. Random bytes
//! are arguments, so that every function here can be checked against a printed vector.
//!
//! Read in this order: a [`pin`] is put into a [`pin_block`], under a [`key`] that [`dukpt`] derived for
//! this one transaction; the issuer checks it by [`pin_verify`]; [`mac`] protects the message around it;
//! [`kcv`] and [`key_block`] bring keys from one place to another.

pub mod pin;
pub mod pin_block;

pub mod key;
pub mod mode;
mod tdea;

pub mod dukpt;

pub mod pin_verify;

pub mod mac;
pub mod operator_field;

pub mod kcv;
pub mod key_block;
pub mod thales;

#[doc(hidden)]
pub mod fuzzing;
