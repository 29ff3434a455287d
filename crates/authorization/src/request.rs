//! What a terminal asked for, after the message was read: no field numbers, no PAN, no PIN block.

use model::{
    Amount, ApprovalCode, BatchNumber, Currency, Expiry, Kind, MerchantId, Rrn, Stan, TransactionKey,
};

/// A request for an authorization decision about a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub kind: Kind,
    /// Its identity: a repeat carries the same one.
    pub key: TransactionKey,
    /// Keyed digest of the contents; a repeat with other contents is refused (94).
    pub digest: u64,
    /// DE 4; zero for a balance inquiry.
    pub amount: Amount,
    /// DE 49.
    pub currency: Currency,
    /// DE 42.
    pub merchant: MerchantId,
    /// DE 14 or track 2, when sent.
    pub expiry: Option<Expiry>,
    /// Is there a PIN block?
    pub has_pin: bool,
    /// The earlier transaction it points at.
    pub original: Option<OriginalRef>,
    /// Did its reversal come first, as the terminal's own journal tells?
    pub overtaken: bool,
    /// What a sandbox amount asks for; only set in sandbox mode.
    pub sandbox: Option<Sandbox>,
}

/// How a void, completion or refund points at its original: by trace (UnionPay DE 61, ISO DE 90) or by the host's
/// own references (DE 37, DE 38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OriginalRef {
    /// Batch and trace number of the original.
    pub trace: Option<(BatchNumber, Stan)>,
    /// Retrieval reference number of the original's answer.
    pub rrn: Option<Rrn>,
    /// Approval code of the original's answer.
    pub approval: Option<ApprovalCode>,
}

/// A request to undo: the terminal did not get, or could not use, an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalRequest {
    /// The reversal's own identity. UnionPay terminals reuse the original's trace number, ISO 8583:1987 advices have
    /// their own.
    pub key: TransactionKey,
    /// Keyed digest of the contents.
    pub digest: u64,
    /// The transaction to undo.
    pub original: TransactionKey,
    /// DE 4.
    pub amount: Amount,
}

/// Test levers, only in sandbox mode: the last two digits of an amount ask for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// Take the PIN as wrong: the real counter moves.
    WrongPin,
    /// Approve with these characters, if everything real agrees.
    Approve(model::ResponseCode),
    /// Decline with these characters after everything real was checked.
    Decline(model::ResponseCode),
}
