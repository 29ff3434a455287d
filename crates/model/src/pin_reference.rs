//! What an entered PIN is compared with. The store keeps it, only the security module can use it.

use minicbor::{Decode, Encode};
use serde::Serialize;

/// The reference that an issuer keeps for a card's PIN. Neither form reveals the PIN without the issuer's key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum PinReference {
    /// PIN verification value (Visa PVV).
    #[n(0)]
    Pvv {
        /// Configured PIN verification key set, by name.
        #[n(0)]
        key: String,
        /// PIN verification key index, 0 to 9.
        #[n(1)]
        pvki: u8,
        /// Four digits.
        #[n(2)]
        pvv: [u8; 4],
    },
    /// IBM 3624 offset.
    #[n(1)]
    Ibm3624 {
        /// Configured key, decimalisation table and validation rule, by name.
        #[n(0)]
        key: String,
        /// As many digits as the PIN is checked on (4 to 12), ASCII.
        #[cbor(n(1), with = "minicbor::bytes")]
        offset: Vec<u8>,
    },
}

impl std::fmt::Debug for PinReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, key) = match self {
            Self::Pvv { key, .. } => ("Pvv", key),
            Self::Ibm3624 { key, .. } => ("Ibm3624", key),
        };
        write!(f, "{kind} {{ key: {key:?}, *** }}")
    }
}

/// A reference as the store keeps it in a card's journal: sealed under the store's key and bound to its card. Prints as stars,
/// also where a state is shown to people.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct SealedReference(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl SealedReference {
    /// Takes what the store sealed.
    #[must_use]
    pub fn new(sealed: Vec<u8>) -> Self {
        Self(sealed)
    }

    /// What the store sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SealedReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedReference(***)")
    }
}

impl Serialize for SealedReference {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}
