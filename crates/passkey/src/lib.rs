//! Passkeys (W3C Web Authentication Level 3): what a relying party verifies. A browser brings two things, and both are outside
//! bytes until each of their claims was held against what was asked for.
//!
//! ```text
//! registration   client data ─┐
//!                attestation ─┴─► [`register`] ──► [`Credential`]: id, public key, signature counter
//! assertion      client data ─┐
//!                authenticator│
//!                data         ├─► [`assert`] ────► the same credential, counted on
//!                signature   ─┘
//! ```
//!
//! User verification is required, always: the device has asked for a face, a fingerprint or its own PIN, and says so under its
//! signature. What it looked at stays on the device; nothing here has a place for it. No attestation is asked for, and a
//! statement that comes is not believed either: whoever has the account decides what they register, and what proves them later is
//! the key, not its maker.
//!
//! A [`Challenge`](ceremony::ChallengeKey) can be made so that it need not be kept: it says until when it is good and carries a
//! tag that only its maker can make. That it is used once is the business of whoever keeps credentials.
//!
//! Pure: the time, random bytes and keys are arguments. Knows no account, no card, no page and no store.

mod authenticator_data;
pub mod ceremony;
mod client_data;
mod cose;
mod credential;
mod party;
mod sent;
#[cfg(feature = "soft")]
pub mod soft;
#[cfg(test)]
mod vectors;

pub use credential::{Credential, CredentialId, Refused, assert, register};
pub use party::{NoDomain, RelyingParty};
pub use sent::{Assertion, AssertionText, Registration, RegistrationText};

/// The longest client data that is read, in bytes.
pub const CLIENT_DATA_MAX: usize = 2_048;
/// The longest attestation object that is read, in bytes: statements carry chains of certificates.
pub const ATTESTATION_MAX: usize = 16_384;
/// The longest authenticator data that is read, in bytes.
pub const AUTHENTICATOR_DATA_MAX: usize = 4_096;
/// The longest signature that is read, in bytes: RSA with 4096 bits.
pub const SIGNATURE_MAX: usize = 512;
