//! What a terminal may ask for.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A financial transaction about a card, in the field's terms (docs/reference/rules.md T1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Balance inquiry, 余额查询.
    #[n(0)]
    Balance,
    /// Purchase, 消费.
    #[n(1)]
    Sale,
    /// Void of a purchase, 消费撤销.
    #[n(2)]
    SaleVoid,
    /// Refund, 退货 (an advice: it is not refused for funds).
    #[n(3)]
    Refund,
    /// Pre-authorization, 预授权.
    #[n(4)]
    PreAuth,
    /// Void of a pre-authorization, 预授权撤销.
    #[n(5)]
    PreAuthVoid,
    /// Completion of a pre-authorization, 预授权完成.
    #[n(6)]
    Completion,
    /// Void of a completion, 预授权完成撤销.
    #[n(7)]
    CompletionVoid,
    /// Cash withdrawal; refused first by a cash restriction.
    #[n(8)]
    Cash,
    /// The holder changes the PIN at a terminal, 修改密码: the old and the new PIN block in one message.
    #[n(9)]
    PinChange,
}

impl Kind {
    /// Does this kind move money or hold it, so that an amount must be present?
    #[must_use]
    pub fn needs_amount(self) -> bool {
        !matches!(self, Self::Balance | Self::PinChange)
    }

    /// Does this kind point at an earlier transaction that must exist?
    #[must_use]
    pub fn needs_original(self) -> bool {
        matches!(self, Self::SaleVoid | Self::PreAuthVoid | Self::Completion | Self::CompletionVoid)
    }

    /// May a terminal reverse it (docs/reference/rules.md R9)? Balance and refund: never. Nor a change of the PIN: a terminal
    /// without an answer asks again, and gets the answer that was stored.
    #[must_use]
    pub fn reversible(self) -> bool {
        !matches!(self, Self::Balance | Self::Refund | Self::PinChange)
    }

    /// Must the holder's PIN be verified, where the product asks for one? Voids, refunds and completions rest on
    /// an original whose PIN was verified.
    #[must_use]
    pub fn asks_for_pin(self) -> bool {
        matches!(self, Self::Balance | Self::Sale | Self::PreAuth | Self::Cash | Self::PinChange)
    }

    /// The fixed name, as in the API and the journal's views.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Sale => "sale",
            Self::SaleVoid => "sale-void",
            Self::Refund => "refund",
            Self::PreAuth => "pre-auth",
            Self::PreAuthVoid => "pre-auth-void",
            Self::Completion => "completion",
            Self::CompletionVoid => "completion-void",
            Self::Cash => "cash",
            Self::PinChange => "pin-change",
        }
    }
}
