//! Keys as the rest of pinward sees them: sealed.

use std::fmt;

use minicbor::{Decode, Encode};

/// A key in a key block (ANSI X9.143 / TR-31, printable ASCII): encrypted under the security module's master
/// key, with its usage bound to it. Only the module can open it, so it may be stored; it still prints as its
/// 16-character header alone.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct KeyBlock(#[n(0)] String);

impl KeyBlock {
    /// Takes a block that a security module made; it is checked when it is used.
    #[must_use]
    pub fn new(block: String) -> Self {
        Self(block)
    }

    /// The whole block.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlock({}…)", self.0.get(..16).unwrap_or("?"))
    }
}
