//! Who did what, and when, and why; and the proof that nobody changed it afterwards.
//!
//! ```text
//! Record ── its line's bytes ──► leaf ──► Tree (RFC 6962) ──► root ──► Checkpoint, signed (Ed25519, a signed note)
//!                                            └── inclusion and consistency proofs
//! ```
//!
//! A view of card data is a record too. The crate keeps nothing itself: records come from where the program stores them, time
//! and keys are arguments.

pub mod checkpoint;
pub mod export;
pub mod record;
pub mod tree;

pub use checkpoint::{Checkpoint, Signer, Verifier};
pub use record::Record;
pub use tree::{Hash, Tree};
