//! What a terminal asks about the shop's people. Whoever reads messages makes it, whoever keeps the roster answers it.

use model::{MerchantId, OperatorId, Timestamp};

use crate::{password::Password, roster::Attempt};

/// What one of the shop's people wants. A password that could not be read is `None`.
pub enum Wish {
    /// To sign on with this password.
    SignOn(Option<Password>),
    /// To change it.
    Change {
        /// The one that there is.
        present: Option<Password>,
        /// The one that takes its place.
        new: Option<Password>,
    },
    /// To give the operator a first password.
    Reset {
        /// The supervisor who is signed on, and since when.
        by: Option<(OperatorId, Timestamp)>,
        /// The first password.
        first: Option<Password>,
    },
}

/// What a terminal asks.
pub struct Asked {
    /// The shop.
    pub merchant: MerchantId,
    /// Who the passwords are of.
    pub operator: OperatorId,
    /// The message.
    pub attempt: Attempt,
    /// What is wanted.
    pub wish: Wish,
    /// When it was asked.
    pub now: Timestamp,
}
